"""Which destinations a watcher looks for, kept from pass to pass: each pass reads what was issued since the last one, and no more."""

from __future__ import annotations

import heapq
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.domain.assets import family_of
from pepay_core.services.addressees import Addressees

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.contracts.chain import Chain
    from pepay_core.domain.chains import Destination
    from pepay_core.services.ports import Transaction

_AGAIN: Final = timedelta(minutes=10)  # when an invoice that is open past its watch is looked at again
_AT_ONCE: Final = 500  # watches that one pass ends


class WatchSet(Addressees):
    """What one chain is watched for now."""

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain)
        self._family = family_of(chain.id)
        self._live = not chain.testnet
        self._mark: int | None = None
        self._clear()

    def _clear(self) -> None:
        self.clear()
        self._ends: list[tuple[datetime, int, bool, Destination]] = []
        self._count = 0

    async def refresh(self, tx: Transaction, now: datetime) -> None:
        """Take in what was issued meanwhile, and let go of what is watched no longer; raises what storage raises, having changed nothing."""
        issued = await tx.destinations.watched(self._family, live=self._live, now=now, since=self._mark)
        ended = self._ended(now)
        try:
            still_open = await tx.invoices.still_open({self.invoices[live][place] for _, _, live, place in ended})
        except BaseException:
            for each in ended:
                heapq.heappush(self._ends, each)
            raise
        # From here on nothing waits, so a cancelled pass leaves the set as it was.
        if issued.whole:
            self._clear()
        else:
            for _, _, live, place in ended:
                if self.invoices[live][place] in still_open:
                    self._end_at(now + _AGAIN, live, place)
                else:
                    self.remove(place, live=live)
        for each in issued.destinations:
            if self.add(each):
                self._end_at(each.watch_until, each.livemode, each.destination)
        self._mark = issued.mark

    def _ended(self, now: datetime) -> list[tuple[datetime, int, bool, Destination]]:
        ended: list[tuple[datetime, int, bool, Destination]] = []
        while self._ends and self._ends[0][0] <= now and len(ended) < _AT_ONCE:
            ended.append(heapq.heappop(self._ends))
        return ended

    def _end_at(self, when: datetime, live: bool, place: Destination) -> None:
        # The count decides between equal times, which may be many, because destinations cannot be compared.
        self._count += 1
        heapq.heappush(self._ends, (when, self._count, live, place))
