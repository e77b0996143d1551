"""Looking again at blocks that were looked at before, and crediting what is new: by the same rules as the watcher, and never twice."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import Conflict
from pepay_core.domain.recognising import recognised
from pepay_core.services.appraising import Appraising
from pepay_core.services.replaying import Replay, ever_issued
from pepay_core.services.settling import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.chains import Transfer
    from pepay_core.domain.coverage import IssuedDestination
    from pepay_core.domain.ids import MerchantId
    from pepay_core.domain.payments import Payment
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.openings import Openings
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.replaying import Stretch
    from pepay_core.services.settling import Settling
    from pepay_core.services.valuing import Valuation

log = logging.getLogger(__name__)

_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Rescan:
    """What a second look brought: how far it came, how many transfers it saw, and the payments that were not known before."""

    first: int
    reached: int
    seen: int
    credited: tuple[Payment, ...]


class Rescanning:
    """Looks again. The watcher's record is left as it is, and both may run at once."""

    def __init__(self, store: Store, catalogue: Catalogue, settling: Settling, valuation: Valuation, openings: Openings, clock: Clock) -> None:
        self._store = store
        self._catalogue = catalogue
        self._settling = settling
        self._appraising = Appraising(store, valuation, catalogue)
        self._openings = openings
        self._clock = clock

    async def rescan(
        self,
        chain_id: str,
        first: int,
        last: int,
        *,
        source: str | None = None,
        merchant: MerchantId | None = None,
        destinations: Collection[IssuedDestination] | None = None,
        seconds: float | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Rescan:
        """Look again at blocks ``first`` to ``last``, for all destinations that were ever issued unless some are given.

        ``source`` is the endpoint to ask; ``merchant`` leaves out whatever is not that merchant's; after ``seconds`` no further stretch is
        begun. ``progress`` is told how many blocks are done. Raises InvalidInput for a range that the watcher has not come to, and
        ChainUnavailable; what was credited before stays.
        """
        chain = self._catalogue.chain(chain_id)
        started = self._clock.monotonic()
        issued = await ever_issued(self._store, chain, merchant) if destinations is None else destinations
        seen, reached, credited = 0, first - 1, list["Payment"]()
        async with self._openings.reached(chain, source) as driver:
            replay = Replay(self._store, driver, issued)
            for attempt in range(_TRIES):
                try:
                    async for stretch in replay.stretches(max(reached + 1, first), last):
                        credited += await self._credit(replay, stretch)
                        seen += len(stretch.transfers)
                        reached = min(stretch.until.height, last)
                        if progress is not None:
                            progress(reached - first + 1)
                        if seconds is not None and self._clock.monotonic() - started >= seconds:
                            break
                    break
                except Conflict:
                    # The watcher walked back: the blocks are others now.
                    if attempt == _TRIES - 1:
                        raise
        return Rescan(first, reached, seen, tuple(credited))

    async def _credit(self, replay: Replay, stretch: Stretch) -> list[Payment]:
        """Credit what is new of a stretch, and return it; write down what left deposits."""
        transfers = [each for each in stretch.transfers if replay.was_issued(each)]
        if not transfers and not stretch.departures:
            return []
        found = replay.addressees.sorted(transfers)
        prices = await self._appraising.prices(found)

        async def work(tx: Transaction) -> list[Payment]:
            await replay.insist(tx, stretch)
            await self._settling.sweep(tx, replay.chain, stretch.departures, above=None)
            # Locked before anything is read of their payments, in the order in which everybody locks them.
            for invoice_id in sorted(found):
                await tx.invoices.find(invoice_id, lock=True)
            before = await tx.payments.known([each.key for each in transfers])
            within = await tx.payments.within(replay.chain.id, stretch.after.height + 1, stretch.until.height)
            here = [each.transfer for each in within if each.active]
            for invoice_id in sorted(found):
                arrived = [each for each in recognised(found[invoice_id], here) if not _stands(each, before.get(each.key))]
                if arrived:
                    await self._settling.settle(tx, invoice_id, Change(arrived=arrived, prices=prices.get(invoice_id, {})), {})
            after = await tx.payments.known([each.key for each in transfers])
            return [each for key, each in after.items() if key not in before or not before[key].active]

        credited = await self._store.run(work)
        for payment in credited:
            log.warning("%s: a second look found %s of invoice %s", replay.chain.name, payment.id, payment.invoice)
        return credited


def _stands(transfer: Transfer, payment: Payment | None) -> bool:
    return payment is not None and payment.active and payment.transfer == transfer
