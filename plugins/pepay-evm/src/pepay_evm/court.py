"""Deciding between endpoints that were asked the same: agreement of two, the majority where they differ, and otherwise nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pepay_core.api import ChainUnavailable, Testimony
from pepay_evm import decoding
from pepay_evm.rpc import Call
from pepay_evm.testimony import Vote, testify

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pepay_core.api import AssetId, Block, ChainId, Transfer
    from pepay_evm.pool import Rpc
    from pepay_evm.rpc import Endpoint
    from pepay_evm.survey import Survey

    Key = tuple[ChainId, str, str, AssetId]

_AT_ONCE: Final = 50
_ENOUGH: Final = 2
_CONTRADICTS: Final = 60.0


class Court:
    """Hears the endpoints of one network, one after the other, for as long as it takes to be sure."""

    def __init__(self, rpc: Rpc, survey: Survey) -> None:
        self._rpc = rpc
        self._survey = survey

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
        for endpoint in list(self._rpc.ranked()):
            open_ = [transfer for transfer in transfers if _early(votes[transfer]) is None]
            if not open_:
                break
            try:
                words = await self._rpc.ask(endpoint, lambda each, open_=open_: testify(each, open_))
            except ChainUnavailable:
                continue
            for transfer, vote in zip(open_, words, strict=True):
                votes[transfer][endpoint] = vote
        said = {transfer.key: _early(votes[transfer]) or self._judged(votes[transfer]) for transfer in transfers}
        for transfer in transfers:
            self._punish(transfer, votes[transfer], said[transfer.key])
        return said

    def _judged(self, votes: Mapping[Endpoint, Vote]) -> Testimony:
        """Return the verdict when everybody who can be asked has been."""
        yes, no, elsewhere = (_count(votes, vote) for vote in (Vote.YES, Vote.NO, Vote.ELSEWHERE))
        against = no + elsewhere
        if yes >= _ENOUGH and yes > against:
            return Testimony.AGREED
        if no >= _ENOUGH and no > yes + elsewhere:
            return Testimony.REFUTED
        if against:
            return Testimony.CONTRADICTED
        others = [endpoint for endpoint in self._rpc.endpoints if votes.get(endpoint) is not Vote.YES]
        awaited = not yes or any(self._rpc.standing(endpoint).expected for endpoint in others)
        return Testimony.AWAITED if awaited else Testimony.UNHEARD

    def _punish(self, transfer: Transfer, votes: Mapping[Endpoint, Vote], verdict: Testimony) -> None:
        """Quarantine who is alone with what it says of a block that all hold."""
        wrong = {Testimony.AGREED: Vote.NO, Testimony.REFUTED: Vote.YES}.get(verdict)
        for endpoint, vote in votes.items():
            if vote is wrong:
                told = f"{endpoint.label} contradicts the others about transaction {transfer.tx}"
                self._rpc.standing(endpoint).quarantine(told, _CONTRADICTS)
        if any(vote is Vote.ELSEWHERE for vote in votes.values()):
            self._survey.hasten()

    async def confirm_orphaned(self, claimant: Endpoint, block: Block) -> None:
        """Return when a block has left the chain as far as can be known; raise ChainUnavailable while that is not sure.

        What one endpoint alone says takes no money back while another may know better.
        """
        if not self._rpc.several:
            return
        gone, there = 1, 0
        for endpoint in list(self._rpc.ranked(avoid=(claimant.label,))):
            try:
                held = await self._rpc.ask(endpoint, lambda each: _hash_at(each, block.height))
            except ChainUnavailable:
                continue
            gone += held is not None and held != block.hash
            there += held == block.hash
        self._survey.hasten()
        if there > gone:
            self._rpc.standing(claimant).quarantine(
                f"{claimant.label} is on a fork: it has another block {block.height} than the others", _CONTRADICTS
            )
        if there >= gone:
            raise ChainUnavailable(f"{claimant.label} has another block {block.height} than other endpoints")
        if gone < _ENOUGH and any(self._rpc.standing(each).expected for each in self._rpc.endpoints if each is not claimant):
            raise ChainUnavailable(f"only {claimant.label} says that block {block.height} has left the chain, and the others are waited for")


def _early(votes: Mapping[Endpoint, Vote]) -> Testimony | None:
    """Return the verdict as soon as two agree and nobody differs, or None."""
    yes, no, elsewhere = (_count(votes, vote) for vote in (Vote.YES, Vote.NO, Vote.ELSEWHERE))
    if yes >= _ENOUGH and not no + elsewhere:
        return Testimony.AGREED
    if no >= _ENOUGH and not yes + elsewhere:
        return Testimony.REFUTED
    return None


def _count(votes: Mapping[Endpoint, Vote], wanted: Vote) -> int:
    return sum(vote is wanted for vote in votes.values())


async def _hash_at(endpoint: Endpoint, height: int) -> str | None:
    (answer,) = await endpoint.ask([Call("eth_getBlockByNumber", (hex(height), False))])
    if answer is None:
        return None
    header = decoding.header(answer, full=False)
    if header.height != height:
        raise ChainUnavailable(f"{endpoint.label} answered with another block")
    return header.hash
