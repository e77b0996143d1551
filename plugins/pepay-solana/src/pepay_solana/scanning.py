"""One look at a range of slots: what arrived at the watched wallets, from the histories of their accounts, or an error.

What a look costs depends on how many wallets are watched and how much they were used, not on how many invoices are open: the histories
of a wallet and of its token accounts hold whatever was paid to any of its references.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from pepay_core.api import Address, Block, ChainUnavailable, CursorOrphaned, Scan, Transfer
from pepay_solana import decoding, listing
from pepay_solana.addresses import token_account
from pepay_solana.crediting import Receiver, credits_of
from pepay_solana.gating import Gate
from pepay_solana.rpc import BLOCK_CLEANED_UP, SLOT_SKIPPED, UNSUPPORTED_VERSION, Call, NodeError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from pepay_core.api import Destination, Watchlist
    from pepay_solana.clusters import Cluster, Mint
    from pepay_solana.decoding import Entry, Transaction
    from pepay_solana.rpc import Endpoint

OVERLAP: Final = 150
"""How many slots below the cursor are listed again, because a node may list a transaction later than it lists the block."""

_REMEMBERED: Final = 20_000
_KEPT: Final = 20
_VERSION: Final = 1
_ANY_VERSION: Final = 255
# Ranges without a block are short; this is how far the next one is looked for.
_GAP: Final = 10_000


class Scanner:
    """Looks for SOL and the tokens of one cluster. What it remembers saves calls, and decides nothing.

    ``shared`` are the accounts of the wallets that are paid by reference, as of the last look.
    """

    def __init__(self, cluster: Cluster, mints: Sequence[Mint]) -> None:
        self._cluster = cluster
        self._mints = mints
        self._read: OrderedDict[str, Transaction] = OrderedDict()
        self._listed: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._since: dict[Address, int] = {}
        self._gate = Gate()
        self.shared: tuple[str, ...] = ()
        self._kept: dict[Address, None] = {}
        # How many transactions a look reads: no more than the endpoints have shown to bear.
        self.span = cluster.look

    async def look(self, endpoint: Endpoint, watched: Watchlist, after: Block, until: Block, live: int | None) -> Scan:
        """Return what arrived above ``after``, up to ``until`` or an earlier block.

        ``live`` is the height above which the chain's end may still change: near it, what is listed late is looked for once more.
        """
        if until.height <= after.height:
            await self._check(endpoint, after, after)
            if until.hash != after.hash:
                raise ChainUnavailable(f"block {until.height} was replaced")
            return Scan(after, source=endpoint.label)
        await self._check(endpoint, after, until)

        alone, references = watched.by(bare), watched.by(reference)
        receivers = self.receivers({*watched.addresses, *self._kept})
        above, gated = await self._above(endpoint, receivers, watched, after, until, live)
        entries = await listing.histories(endpoint, above, until) if above else []
        fresh = [entry for entry in entries if entry.slot > after.height or (entry.signature, entry.slot) not in self._listed]
        if not watched:
            fresh = []
        fresh, last = self._bounded(fresh, until)
        read = await self._transactions(endpoint, [entry for entry in fresh if not entry.failed])

        paying = []
        for tx in read:
            parts = [each for each in credits_of(tx, receivers, references, alone) if self._may_be(each.to, tx.slot, after)]
            if parts:
                paying.append((tx, parts))
        slots = [tx.slot for tx, _ in paying]
        blocks, orders = await self._blocks(endpoint, slots, until, last)
        transfers = [
            Transfer(self._cluster.id, tx.signature, each.index, each.asset, each.to, each.units, blocks[tx.slot], sender=each.sender)
            for tx, parts in sorted(paying, key=lambda each: (each[0].slot, orders.get(each[0].signature, 0)))
            for each in parts
        ]
        self._remember(entries if watched else [], last)
        self._gate.listed(gated, last)
        cursor = blocks[last]
        return Scan(cursor, (cursor,), tuple(transfers), source=endpoint.label)

    def keep(self, wallet: str) -> None:
        """Look after a wallet whether or not an invoice waits at it, as long as there are few of them.

        A look then costs the same with no invoice as with many, and what listens for payments stands ready before there is one.
        """
        if len(self._kept) < _KEPT:
            self._kept[Address(wallet)] = None

    # --- where to look -------------------------------------------------------------------

    def receivers(self, wallets: Collection[Address]) -> dict[str, Receiver]:
        """Return the accounts at which wallets are paid."""
        found: dict[str, Receiver] = {}
        for wallet in wallets:
            found[wallet] = Receiver(wallet, self._cluster.native.id)
            for mint in self._mints:
                found[token_account(wallet, mint.address, mint.program)] = Receiver(wallet, mint.token.id, mint)
        return found

    async def _above(
        self, endpoint: Endpoint, receivers: dict[str, Receiver], watched: Watchlist, after: Block, until: Block, live: int | None
    ) -> tuple[dict[str, int], list[str]]:
        """Return the accounts to list, each with the slot above which, and the wallets of them that are listed for their own sake.

        A wallet with references is listed every time: there are few, and much comes and goes.
        """
        for wallet in watched.addresses:
            self._since.setdefault(wallet, after.height)
        shared = {*self._kept, *(destination.address for destination in watched.by(reference).values())}
        self.shared = tuple(account for account, receiver in receivers.items() if receiver.wallet in shared)
        alone: dict[str, list[str]] = {}
        for account, receiver in receivers.items():
            if receiver.wallet not in shared:
                alone.setdefault(receiver.wallet, []).append(account)
        due = await self._gate.due(endpoint, alone, after, until) if alone else []
        again = live is not None and after.height >= live - OVERLAP
        low = max(after.height - OVERLAP, 0) if again else after.height
        above = dict.fromkeys(self.shared, low)
        for wallet in due:
            above |= dict.fromkeys(alone[wallet], self._gate.above(wallet, low))
        return above, due

    def _may_be(self, to: Destination, slot: int, after: Block) -> bool:
        """Tell whether what is listed late may be meant: without a reference, what came before the address was watched was not."""
        return to.reference is not None or slot > min(after.height, self._since[to.address])

    def _bounded(self, fresh: list[Entry], until: Block) -> tuple[list[Entry], int]:
        """Return as much as one look reads, in whole slots, and the last of them."""
        wanted = [entry for entry in fresh if not entry.failed]
        if len(wanted) <= self.span:
            return fresh, until.height
        last = wanted[self.span - 1].slot
        return [entry for entry in fresh if entry.slot <= last], last

    def _remember(self, entries: Iterable[Entry], last: int) -> None:
        for entry in entries:
            if entry.slot <= last:
                self._listed[entry.signature, entry.slot] = None
        while len(self._listed) > _REMEMBERED:
            self._listed.popitem(last=False)

    # --- reading -------------------------------------------------------------------------

    async def _transactions(self, endpoint: Endpoint, entries: Sequence[Entry]) -> list[Transaction]:
        """Return the transactions; one that the node lists and does not have yet makes the look fail, so that it is never passed over."""
        missing = [entry for entry in entries if (known := self._read.get(entry.signature)) is None or known.slot != entry.slot]
        size = 50
        for start in range(0, len(missing), size):
            part = missing[start : start + size]
            answers = await endpoint.ask([get_transaction(entry.signature) for entry in part])
            for entry, answer in zip(part, answers, strict=True):
                if isinstance(answer, NodeError):
                    if answer.number != UNSUPPORTED_VERSION:
                        raise answer
                    (answer,) = await endpoint.ask([get_transaction(entry.signature, _ANY_VERSION)])  # noqa: PLW2901
                    if isinstance(answer, NodeError):
                        raise answer
                if answer is None:
                    raise ChainUnavailable(f"{endpoint.label} does not have a transaction that it lists")
                self._read[entry.signature] = decoding.transaction(answer, entry)
        read = [self._read[entry.signature] for entry in entries]
        while len(self._read) > max(_REMEMBERED // 10, len(entries)):
            self._read.popitem(last=False)
        return read

    async def _check(self, endpoint: Endpoint, after: Block, until: Block) -> None:
        """Insist that ``after`` is on the chain: another block in its place is a fork, none at all may be a node that lags or has pruned."""
        (answer,) = await endpoint.ask([get_block(after.height)])
        if not isinstance(answer, NodeError):
            if answer is None:
                raise ChainUnavailable(f"{endpoint.label} does not know block {after.height}")
            if decoding.block(answer, after.height).hash == after.hash:
                return
        elif answer.number == BLOCK_CLEANED_UP:
            raise ChainUnavailable(f"{endpoint.label} no longer has block {after.height}: give one that keeps history")
        elif answer.number not in SLOT_SKIPPED or not await is_skipped(endpoint, after.height, until.height):
            raise answer
        # An endpoint that was switched to another cluster has other blocks too.
        await endpoint.check_genesis()
        raise CursorOrphaned(after)

    async def _blocks(self, endpoint: Endpoint, slots: Collection[int], until: Block, last: int) -> tuple[dict[int, Block], dict[str, int]]:
        """Return the blocks of some slots, those of ``last`` and ``until`` among them, and the places of transactions in a shared block.

        ``until`` is asked for last of all: if it is still there, the chain did not change while it was read.
        """
        several = {slot for slot in slots if sum(1 for each in slots if each == slot) > 1}
        wanted = [*sorted({*slots, last} - {until.height}), until.height]
        answers = await endpoint.ask([get_block(slot, signatures=slot in several) for slot in wanted])
        blocks: dict[int, Block] = {}
        orders: dict[str, int] = {}
        for slot, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, NodeError):
                raise ChainUnavailable(answer.message) from answer
            blocks[slot] = decoding.block(answer, slot)
            if slot in several:
                orders |= {each: place for place, each in enumerate(decoding.signatures(answer))}
        if blocks[until.height].hash != until.hash:
            raise ChainUnavailable(f"block {until.height} was replaced")
        return blocks, orders


async def is_skipped(endpoint: Endpoint, height: int, until: int) -> bool:
    """Tell whether the chain leaps over a slot, which a node that merely lacks the block cannot show."""
    last = min(max(until, height + 1), height + _GAP)
    (following,) = await endpoint.ask([Call("getBlocks", (height, last, {"commitment": "confirmed"}))])
    if not isinstance(following, list) or not following:
        return False
    successor = decoding.number(following[0])
    if successor <= height:
        return False
    (answer,) = await endpoint.ask([get_block(successor)])
    if answer is None or isinstance(answer, NodeError):
        return False
    return decoding.parent_slot(answer) < height


def get_block(slot: int, *, signatures: bool = False) -> Call:
    """Return the call for a block, without its transactions or with no more than their signatures."""
    options = {
        "commitment": "confirmed",
        "encoding": "json",
        "transactionDetails": "signatures" if signatures else "none",
        "rewards": False,
        "maxSupportedTransactionVersion": _VERSION,
    }
    return Call("getBlock", (slot, options), lenient=True)


def get_transaction(signature: str, version: int = _VERSION) -> Call:
    """Return the call for a confirmed transaction."""
    options = {"commitment": "confirmed", "encoding": "json", "maxSupportedTransactionVersion": version}
    return Call("getTransaction", (signature, options), lenient=True)


def reference(destination: Destination) -> str | None:
    """Return the reference of a destination that has one."""
    return destination.reference


def bare(destination: Destination) -> str | None:
    """Return the address of a destination that has no reference."""
    return None if destination.reference else destination.address
