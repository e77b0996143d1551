"""What another endpoint says: before money is final, and before a block counts as gone.

A transfer is agreed upon when two endpoints hold it. One that shows the same block without it contradicts; two that do refute it. One that
lags, or does not have the slot, says nothing and is waited for; one that has thrown the slot away can say nothing any more.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from pepay_core.api import ChainUnavailable, Testimony
from pepay_solana import decoding
from pepay_solana.crediting import arrived_at
from pepay_solana.decoding import Entry
from pepay_solana.rpc import BLOCK_CLEANED_UP, SLOT_SKIPPED, NodeError
from pepay_solana.scanning import get_block, get_transaction, is_skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pepay_core.api import AssetId, Block, ChainId, Transfer
    from pepay_solana.crediting import Receiver
    from pepay_solana.decoding import Transaction
    from pepay_solana.pool import Rpc
    from pepay_solana.rpc import Endpoint

    Key = tuple[ChainId, str, str, AssetId]
    Receivers = Callable[[Transfer], Mapping[str, Receiver]]

_ENOUGH: Final = 2
_AT_ONCE: Final = 50
# How far the slot after one that was skipped is looked for.
_AHEAD: Final = 1000


class Vote(Enum):
    """What one endpoint holds of a transfer."""

    YES = auto()
    NO = auto()
    ELSEWHERE = auto()
    """It holds another block in that slot, or the transaction in another slot."""
    FORGOTTEN = auto()
    SILENT = auto()


class Court:
    """Hears the endpoints of one cluster. ``receivers`` gives the accounts at which a transfer's address is paid."""

    def __init__(self, rpc: Rpc, receivers: Receivers) -> None:
        self._rpc = rpc
        self._receivers = receivers

    async def corroborate(self, transfers: Sequence[Transfer]) -> Mapping[Key, Testimony]:
        """Return what the endpoints together say of each transfer; nothing where there is only one endpoint."""
        if not self._rpc.several:
            return {}
        said: dict[Key, Testimony] = {}
        for start in range(0, len(transfers), _AT_ONCE):
            said |= await self._hear(transfers[start : start + _AT_ONCE])
        return said

    async def _hear(self, transfers: Sequence[Transfer]) -> dict[Key, Testimony]:
        votes: dict[Transfer, dict[Endpoint, Vote]] = {transfer: {} for transfer in transfers}
        for endpoint in self._rpc.ranked():
            undecided = [transfer for transfer in transfers if _agreed(votes[transfer].values()) is None]
            if not undecided:
                break
            try:
                words = await self._rpc.ask(endpoint, lambda each, asked=undecided: testify(each, asked, self._receivers))
            except ChainUnavailable:
                continue
            for transfer, vote in zip(undecided, words, strict=True):
                votes[transfer][endpoint] = vote
                if vote in {Vote.NO, Vote.ELSEWHERE}:
                    self._rpc.differs(endpoint, f"{endpoint.label} does not hold transaction {transfer.tx} as it was reported")
        return {transfer.key: _agreed(votes[transfer].values()) or self._judged(votes[transfer]) for transfer in transfers}

    def _judged(self, votes: Mapping[Endpoint, Vote]) -> Testimony:
        """Return the verdict when everybody who can be asked has been."""
        yes, no, elsewhere = (_count(votes.values(), vote) for vote in (Vote.YES, Vote.NO, Vote.ELSEWHERE))
        if yes >= _ENOUGH and yes > no + elsewhere:
            return Testimony.AGREED
        if no >= _ENOUGH and no > yes + elsewhere:
            return Testimony.REFUTED
        if no + elsewhere:
            return Testimony.CONTRADICTED
        others = [each for each in self._rpc.endpoints if votes.get(each) not in {Vote.YES, Vote.FORGOTTEN}]
        return Testimony.AWAITED if not yes or any(map(self._rpc.expected, others)) else Testimony.UNHEARD

    async def confirm_orphaned(self, claimant: str, block: Block) -> None:
        """Return when a block has left the chain as far as can be known; raise ChainUnavailable while that is not sure.

        What one endpoint alone says takes no money back while another may know better.
        """
        gone, there = 1, 0
        for endpoint in self._rpc.ranked(avoid=(claimant,)):
            try:
                vote = await self._rpc.ask(endpoint, lambda each: _place_of(each, block))
            except ChainUnavailable:
                continue
            gone += vote is Vote.ELSEWHERE
            there += vote is Vote.YES
        if there >= gone:
            raise ChainUnavailable(f"{claimant} has lost block {block.height}, which other endpoints have")
        others = [each for each in self._rpc.endpoints if each.label != claimant]
        if gone < _ENOUGH and any(map(self._rpc.expected, others)):
            raise ChainUnavailable(f"only {claimant} says that block {block.height} has left the chain, and the others are waited for")


async def testify(endpoint: Endpoint, transfers: Sequence[Transfer], receivers: Receivers) -> list[Vote]:
    """Return what one endpoint holds of each transfer."""
    blocks = list(dict.fromkeys(transfer.block for transfer in transfers))
    shown = await endpoint.ask([get_block(block.height) for block in blocks])
    places = {block: await _place(endpoint, block, answer) for block, answer in zip(blocks, shown, strict=True)}
    found = list(dict.fromkeys((each.tx, each.block.height) for each in transfers if places[each.block] is Vote.YES))
    answers = dict(zip(found, await endpoint.ask([get_transaction(tx) for tx, _ in found]) if found else [], strict=True))
    votes: list[Vote] = []
    for transfer in transfers:
        place = places[transfer.block]
        if place is Vote.YES:
            place = await _holds(endpoint, transfer, answers[transfer.tx, transfer.block.height], receivers(transfer))
        votes.append(place)
    return votes


async def _place_of(endpoint: Endpoint, block: Block) -> Vote:
    (answer,) = await endpoint.ask([get_block(block.height)])
    return await _place(endpoint, block, answer)


async def _place(endpoint: Endpoint, block: Block, answer: object) -> Vote:
    """Return what an endpoint has in the place of a block."""
    if isinstance(answer, NodeError):
        if answer.number == BLOCK_CLEANED_UP:
            return Vote.FORGOTTEN
        # Nodes say the same of a slot that was skipped and of one that they do not have.
        skipped = answer.number in SLOT_SKIPPED and await is_skipped(endpoint, block.height, block.height + _AHEAD)
        return Vote.ELSEWHERE if skipped else Vote.SILENT
    if answer is None:
        return Vote.SILENT
    return Vote.YES if decoding.block(answer, block.height).hash == block.hash else Vote.ELSEWHERE


async def _holds(endpoint: Endpoint, transfer: Transfer, answer: object, receivers: Mapping[str, Receiver]) -> Vote:
    if isinstance(answer, NodeError):
        return Vote.SILENT
    if answer is None:
        # Its list of transactions may lag behind its blocks: the block itself decides.
        (block,) = await endpoint.ask([get_block(transfer.block.height, signatures=True)])
        if block is None or isinstance(block, NodeError):
            return Vote.SILENT
        return Vote.SILENT if transfer.tx in decoding.signatures(block) else Vote.NO
    slot = decoding.slot_of(answer)
    tx = decoding.transaction(answer, Entry(transfer.tx, slot, failed=False))
    if slot != transfer.block.height:
        return Vote.ELSEWHERE
    return Vote.YES if _brings(tx, transfer, receivers) else Vote.NO


def _brings(tx: Transaction, transfer: Transfer, receivers: Mapping[str, Receiver]) -> bool:
    """Tell whether a transaction names what a transfer is known by, and brought at least as much to that account.

    How much of it was meant for which invoice follows from the transaction, and is not reckoned again.
    """
    place, *carried = map(int, transfer.index.split("."))
    keys = dict(enumerate(tx.keys))
    receiver = receivers.get(keys.get(place, ""))
    if tx.failed or receiver is None or receiver.asset != transfer.asset:
        return False
    if any(keys.get(each) != transfer.to.reference for each in carried):
        return False
    return arrived_at(tx, place, receiver) >= transfer.units


def _agreed(votes: Iterable[Vote]) -> Testimony | None:
    """Return the verdict as soon as two agree and nobody differs, or None."""
    cast = list(votes)
    yes, no, elsewhere = (_count(cast, vote) for vote in (Vote.YES, Vote.NO, Vote.ELSEWHERE))
    if yes >= _ENOUGH and not no + elsewhere:
        return Testimony.AGREED
    return Testimony.REFUTED if no >= _ENOUGH and not yes + elsewhere else None


def _count(votes: Iterable[Vote], wanted: Vote) -> int:
    return sum(vote is wanted for vote in votes)
