"""Comparing what a chain says with what the database says, transfer by transfer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import Conflict, InvalidInput
from pepay_core.domain.recognising import recognised
from pepay_core.services.replaying import Replay, ever_issued

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pepay_core.domain.chains import Transfer
    from pepay_core.domain.payments import Payment
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.openings import Openings
    from pepay_core.services.ports import Store
    from pepay_core.services.replaying import Stretch

_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Audit:
    """What differs in a range of blocks.

    ``missing`` is on the chain and not in the database; ``extra`` is in the database, as not reverted, and not on the chain; ``different``
    is in both, with another amount, destination or block.
    """

    first: int
    last: int
    matching: int
    missing: tuple[Transfer, ...]
    extra: tuple[Payment, ...]
    different: tuple[tuple[Transfer, Payment], ...]

    @property
    def clean(self) -> bool:
        """Whether chain and database say the same."""
        return not (self.missing or self.extra or self.different)


class Auditing:
    """Replays ranges and changes nothing."""

    def __init__(self, store: Store, catalogue: Catalogue, openings: Openings) -> None:
        self._store = store
        self._catalogue = catalogue
        self._openings = openings

    async def audit(self, chain_id: str, first: int, last: int, *, source: str | None = None, progress: Callable[[int], None] | None = None) -> Audit:
        """Compare blocks ``first`` to ``last``; raises InvalidInput unless all of them were looked at, and ChainUnavailable."""
        chain = self._catalogue.chain(chain_id)
        async with self._store.read() as tx:
            covered = await tx.chains.coverage(chain.id)
        begun = covered[0].first if covered else None
        if begun is None or first < begun:
            known = "was not looked at yet" if begun is None else f"is looked at from block {begun} on, so begin there"
            raise InvalidInput(f"{chain.name} {known}", field="from_block")
        issued = await ever_issued(self._store, chain)
        matching, reached = 0, first - 1
        missing, extra, different = list["Transfer"](), list["Payment"](), list["tuple[Transfer, Payment]"]()
        async with self._openings.reached(chain, source) as driver:
            replay = Replay(self._store, driver, issued)
            for attempt in range(_TRIES):
                try:
                    async for stretch in replay.stretches(reached + 1, last):
                        stored = await self._stored(replay, stretch)
                        same, lost, odd, unlike = compared(stretch.transfers, stored)
                        matching += same
                        missing += [each for each in lost if replay.was_issued(each)]
                        extra += odd
                        different += unlike
                        reached = stretch.until.height
                        if progress is not None:
                            progress(min(reached, last) - first + 1)
                    break
                except Conflict:
                    if attempt == _TRIES - 1:
                        raise
        return Audit(first, reached, matching, tuple(missing), tuple(extra), tuple(different))

    async def _stored(self, replay: Replay, stretch: Stretch) -> list[Payment]:
        async with self._store.begin() as tx:
            await replay.insist(tx, stretch)
            return await tx.payments.within(replay.chain.id, stretch.after.height + 1, stretch.until.height)


def compared(transfers: Sequence[Transfer], payments: Sequence[Payment]) -> tuple[int, list[Transfer], list[Payment], list[tuple[Transfer, Payment]]]:
    """Return how many agree, what only the chain has, what only the database has, and what both have otherwise."""
    # Money that one of the two knows by its transaction, and the other by a balance alone, is the same money.
    transfers = recognised(transfers, [each.transfer for each in payments])
    found = {each.key: each for each in transfers}
    known = {each.transfer.key: each for each in payments}
    pairs = [(each, known[key]) for key, each in found.items() if key in known]
    unlike = [(each, payment) for each, payment in pairs if not _alike(each, payment.transfer)]
    lost = [each for key, each in found.items() if key not in known]
    odd = [each for key, each in known.items() if key not in found]
    return len(transfers) - len(unlike) - len(lost), lost, odd, unlike


def _alike(one: Transfer, other: Transfer) -> bool:
    return (one.to, one.units, one.block.height, one.block.hash) == (other.to, other.units, other.block.height, other.block.hash)
