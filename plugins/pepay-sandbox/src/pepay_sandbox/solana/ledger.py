"""The ledger: a chain of blocks with three commitments, and the past of every account for as long as a fork may need it."""

from __future__ import annotations

import os
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Final

from solders.hash import Hash

from pepay_sandbox.solana import programs
from pepay_sandbox.solana.engine import CannotRun, Engine
from pepay_sandbox.solana.records import Block, Commitment, Holding, Landed
from pepay_sandbox.solana.tokens import read_mint, read_token_account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from solders.account import Account
    from solders.transaction import VersionedTransaction

    from pepay_sandbox.solana.engine import Keys, Outcome

BLOCKHASH_BLOCKS: Final = 150
_SLOT_HASHES: Final = 512
# How many of the newest blocks are kept for certain: five hours of them. What landed is never forgotten.
_KEPT: Final = 50_000


class FinalBlock(Exception):
    """A fork would drop what is final."""


class Ledger:
    """The chain as one node sees it. ``clock`` gives epoch seconds; ``watch`` are called as :class:`Watcher` says.

    The newest block is open: what is sent lands in it at once, and is *processed*. A block is *confirmed* when ``confirm_slots``
    blocks stand on it, and *finalized* with ``final_slots``.
    """

    def __init__(self, clock: Callable[[], int], *, confirm_slots: int = 1, final_slots: int = 32) -> None:
        if not 0 <= confirm_slots <= final_slots:
            raise ValueError("a block is confirmed no later than it is final")
        self.engine = Engine()
        self.watchers: list[Watcher] = []
        self._clock = clock
        self._ahead = 0
        self._depths = {Commitment.PROCESSED: 0, Commitment.CONFIRMED: confirm_slots, Commitment.FINALIZED: final_slots}
        self._chain: list[Block] = []  # without gaps, from the oldest that is kept
        self._root = 0
        self._genesis = ""
        self._by_slot: dict[int, Block] = {}
        self._by_hash: dict[str, Block] = {}
        self._hashes: list[tuple[int, Hash]] = []
        self._landed: dict[str, Landed] = {}
        self._dropped: dict[str, bytes] = {}
        self._mentions: defaultdict[str, list[Landed]] = defaultdict(list)
        self._past: defaultdict[str, list[tuple[Block, Account | None]]] = defaultdict(list)
        self._count = 0
        self._open(0)

    # --- blocks -----------------------------------------------------------------------

    @property
    def tip(self) -> Block:
        """The open block."""
        return self._chain[-1]

    @property
    def genesis(self) -> str:
        """The hash of the first block."""
        return self._genesis

    @property
    def transaction_count(self) -> int:
        """How many transactions have landed since the start."""
        return self._count

    def at(self, commitment: Commitment) -> Block:
        """Return the newest block of a commitment. What is final stays final."""
        height = max(self._root, self.tip.height - self._depths[commitment])
        return self._chain[height - self._chain[0].height]

    def block(self, slot: int) -> Block | None:
        """Return the block of a slot, or None where the slot was skipped or is still to come."""
        return self._by_slot.get(slot)

    @property
    def first_slot(self) -> int:
        """The slot since which every block is kept; of those before only what landed in them."""
        return self._chain[0].slot

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        """Yield the blocks of a range of slots, both ends included."""
        for slot in range(first, min(last, self.tip.slot) + 1):
            if slot in self._by_slot:
                yield self._by_slot[slot]

    def commitment(self, block: Block) -> Commitment:
        """Return how sure a block is."""
        depth = self.tip.height - block.height
        if block.height <= self._root or depth >= self._depths[Commitment.FINALIZED]:
            return Commitment.FINALIZED
        return Commitment.CONFIRMED if depth >= self._depths[Commitment.CONFIRMED] else Commitment.PROCESSED

    def is_alive(self, blockhash: str, view: Block) -> bool:
        """Tell whether a blockhash may be used in a transaction, as seen from a block."""
        block = self._by_hash.get(blockhash)
        return block is not None and 0 <= view.height - block.height <= BLOCKHASH_BLOCKS

    def tick(self, slots: int = 1) -> None:
        """Close the open block and open the next, and tell who watches."""
        for _ in range(slots):
            self._open(self.tip.slot + 1)
            self._root = max(self._root, self.tip.height - self._depths[Commitment.FINALIZED])
            for watcher in self.watchers:
                watcher.opened(self.tip)
            for commitment in (Commitment.CONFIRMED, Commitment.FINALIZED):
                self._tell(commitment)

    def forward(self, seconds: int) -> None:
        """Set the clock of the blocks to come ahead."""
        self._ahead += seconds

    def rollback(self, slots: int) -> list[str]:
        """Drop the newest blocks as a fork does, open another on what is left, and return the signatures that are gone, oldest first.

        Accounts are as they were, and the same transactions may land again. Raises FinalBlock.
        """
        if slots > self.tip.height - self._root:
            raise FinalBlock(f"only {self.tip.height - self._root} slots are not final yet")
        top = self.tip.slot
        gone: list[str] = []
        touched: set[str] = set()
        for _ in range(slots):
            block = self._chain.pop()
            del self._by_slot[block.slot], self._by_hash[block.hash]
            self._hashes.pop()
            for landed in reversed(block.landed):
                self._undo(landed)
                touched.update(landed.replaced)
                gone.append(landed.signature)
        self._open(top + 1)
        for watcher in self.watchers:
            watcher.undone(touched)
            watcher.opened(self.tip)
        return gone[::-1]

    def _open(self, slot: int) -> None:
        parent = self._chain[-1] if self._chain else None
        now = self._clock() + self._ahead
        blockhash = Hash(os.urandom(32))  # new_unique counts, and two clusters would have the same
        block = Block(
            slot,
            height=parent.height + 1 if parent else 0,
            parent_slot=parent.slot if parent else 0,
            parent_hash=parent.hash if parent else programs.SYSTEM,
            hash=str(blockhash),
            time=max(now, parent.time) if parent else now,
        )
        self._genesis = self._genesis or block.hash
        self._chain.append(block)
        self._by_slot[slot] = block
        self._by_hash[block.hash] = block
        # The clock and what tables are checked against are of the slots before this one.
        self.engine.open_slot(slot, block.time, self._hashes[: -_SLOT_HASHES - 1 : -1])
        self._hashes.append((slot, blockhash))
        if len(self._hashes) > 4 * _SLOT_HASHES:
            del self._hashes[:-_SLOT_HASHES]
        if len(self._chain) > 2 * _KEPT:
            self._forget(self._chain[:-_KEPT])
            del self._chain[:-_KEPT]

    def _forget(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            del self._by_hash[block.hash]
            if not block.landed:
                del self._by_slot[block.slot]

    def _tell(self, commitment: Commitment) -> None:
        fresh: list[Block] = []
        for block in islice(reversed(self._chain), self.tip.height - self.at(commitment).height, None):
            if block.told >= commitment:
                break
            fresh.append(block)
        for block in reversed(fresh):
            block.told = commitment
            for watcher in self.watchers:
                watcher.reached(block, commitment)

    # --- accounts ---------------------------------------------------------------------

    def account(self, address: str, view: Block) -> Account | None:
        """Return an account as it was when a block was the newest."""
        for block, before in self._past.get(address, ()):
            if block.height > view.height:
                return before
        return self.engine.account(address)

    def owned_by(self, program: str, view: Block) -> Iterator[tuple[str, Account]]:
        """Yield what a program owned when a block was the newest, by address."""
        later = {address for address, past in self._past.items() if past and past[-1][0].height > view.height}
        for address in sorted(later.union(self.engine.owned_by(program))):
            account = self.account(address, view)
            if account is not None and str(account.owner) == program:
                yield address, account

    # --- transactions -----------------------------------------------------------------

    def find(self, signature: str) -> Landed | None:
        """Return a transaction that has landed."""
        return self._landed.get(signature)

    def dropped(self, signature: str) -> bytes | None:
        """Return a transaction that a fork dropped."""
        return self._dropped.get(signature)

    def mentioning(self, address: str) -> Iterator[Landed]:
        """Yield the transactions that name an account, newest first."""
        return reversed(self._mentions.get(address, []))

    def submit(self, transaction: VersionedTransaction, raw: bytes) -> Landed | None:
        """Land a transaction in the open block, or return None where a leader would leave it out."""
        signature = str(transaction.signatures[0])
        if signature in self._landed or not self.is_alive(str(transaction.message.recent_blockhash), self.tip):
            return None
        try:
            keys = self.keys(transaction, self.tip)
            before = {key: self.engine.account(key) for key in keys.all}
            outcome = self.engine.execute(transaction)
        except CannotRun:
            return None
        after = {key: self.engine.account(key) for key in keys.all}
        landed = self._record(transaction, raw, keys, outcome, before, after)
        for watcher in self.watchers:
            watcher.landed(landed)
        return landed

    def keys(self, transaction: VersionedTransaction, view: Block) -> Keys:
        """Return the accounts of a transaction, with what lookup tables held when a block was the newest; raises CannotRun."""
        return self.engine.keys(transaction, lambda address: self.account(address, view))

    def simulate(self, transaction: VersionedTransaction, view: Block) -> Outcome:
        """Run a transaction on the accounts of a block, and keep nothing; raises CannotRun."""
        keys = self.keys(transaction, view)
        now = {key: self.engine.account(key) for key in keys.all}
        then = {key: self.account(key, view) for key in keys.all}
        different = [key for key in now if now[key] != then[key]]
        for key in different:
            self.engine.put(key, then[key])
        try:
            return self.engine.simulate(transaction)
        finally:
            for key in different:
                self.engine.put(key, now[key])

    def _record(
        self,
        transaction: VersionedTransaction,
        raw: bytes,
        keys: Keys,
        outcome: Outcome,
        before: dict[str, Account | None],
        after: dict[str, Account | None],
    ) -> Landed:
        block = self.tip
        landed = Landed(
            str(transaction.signatures[0]),
            block,
            len(block.landed),
            transaction,
            raw,
            keys,
            outcome,
            balances_before=_balances(keys.all, before),
            balances_after=_balances(keys.all, after),
            tokens_before=tuple(self._holdings(keys.all, before)),
            tokens_after=tuple(self._holdings(keys.all, after)),
            replaced={key: account for key, account in before.items() if account != after[key]},
        )
        block.landed.append(landed)
        self._landed[landed.signature] = landed
        self._count += 1
        for key in dict.fromkeys(keys.all):
            self._mentions[key].append(landed)
        for key, account in landed.replaced.items():
            past = self._past[key]
            # Below the root nobody looks any more.
            while past and past[0][0].height <= self._root:
                past.pop(0)
            past.append((block, account))
        return landed

    def _undo(self, landed: Landed) -> None:
        self._dropped[landed.signature] = landed.raw
        del self._landed[landed.signature]
        self._count -= 1
        for key in dict.fromkeys(landed.keys.all):
            self._mentions[key].pop()
        for key, account in landed.replaced.items():
            self.engine.put(key, account)
            self._past[key].pop()

    def _holdings(self, keys: Iterable[str], accounts: dict[str, Account | None]) -> Iterator[Holding]:
        for index, key in enumerate(keys):
            token = read_token_account(accounts[key])
            if token is not None:
                yield Holding(index, token.mint, token.owner, token.program, token.amount, self.decimals(token.mint))

    def decimals(self, mint: str) -> int:
        """Return how many decimals a mint has, 0 where there is none."""
        found = read_mint(self.engine.account(mint))
        return found.decimals if found else 0


class Watcher:
    """Hears what happens to a ledger."""

    def opened(self, block: Block) -> None:
        """Hear of a new open block."""

    def received(self, signature: str) -> None:
        """Hear that a transaction has come in."""

    def undone(self, addresses: set[str]) -> None:
        """Hear which accounts a fork took back."""

    def landed(self, landed: Landed) -> None:
        """Hear of a transaction in the open block."""

    def reached(self, block: Block, commitment: Commitment) -> None:
        """Hear that a block, and all before it, is confirmed or finalized."""


def _balances(keys: Iterable[str], accounts: dict[str, Account | None]) -> tuple[int, ...]:
    return tuple(account.lamports if (account := accounts[key]) else 0 for key in keys)
