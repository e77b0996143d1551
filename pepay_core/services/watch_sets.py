"""Which destinations a watcher looks for, kept from pass to pass: each pass reads what was issued since the last one, and no more."""

from __future__ import annotations

import heapq
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.domain.assets import family_of
from pepay_core.domain.watchlist import Watchlist

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.contracts.chain import Chain
    from pepay_core.domain.chains import Destination
    from pepay_core.domain.coverage import IssuedDestination
    from pepay_core.domain.ids import InvoiceId
    from pepay_core.services.ports import Transaction

_AGAIN: Final = timedelta(minutes=10)  # when an invoice that is open past its watch is looked at again
_AT_ONCE: Final = 500  # watches that one pass ends


class WatchSet:
    """The destinations of one chain, with the invoices that they were issued for.

    Where one wallet serves both environments a destination may stand for two invoices; the one of the chain's own environment is paid.
    """

    def __init__(self, chain: Chain) -> None:
        self._family = family_of(chain.id)
        self._live = not chain.testnet
        self._mark: int | None = None
        self._clear()

    def _clear(self) -> None:
        self.list = Watchlist()
        self._invoices: dict[bool, dict[Destination, InvoiceId]] = {True: {}, False: {}}
        self._ends: list[tuple[datetime, int, bool, Destination]] = []
        self._count = 0

    def invoice_of(self, destination: Destination) -> InvoiceId:
        """Return the invoice that is paid at a destination of the list."""
        own = self._invoices[self._live].get(destination)
        return own if own is not None else self._invoices[not self._live][destination]

    async def refresh(self, tx: Transaction, now: datetime) -> None:
        """Take in what was issued meanwhile, and let go of what is watched no longer; raises what storage raises, having changed nothing."""
        issued = await tx.destinations.watched(self._family, live=self._live, now=now, since=self._mark)
        ended = self._ended(now)
        try:
            still_open = await tx.invoices.still_open({self._invoices[live][place] for _, _, live, place in ended})
        except BaseException:
            for each in ended:
                heapq.heappush(self._ends, each)
            raise
        # From here on nothing waits, so a cancelled pass leaves the set as it was.
        if issued.whole:
            self._clear()
        else:
            for _, _, live, place in ended:
                if self._invoices[live][place] in still_open:
                    self._end_at(now + _AGAIN, live, place)
                else:
                    self._drop(live, place)
        for each in issued.destinations:
            self._add(each)
        self._mark = issued.mark

    def _ended(self, now: datetime) -> list[tuple[datetime, int, bool, Destination]]:
        ended: list[tuple[datetime, int, bool, Destination]] = []
        while self._ends and self._ends[0][0] <= now and len(ended) < _AT_ONCE:
            ended.append(heapq.heappop(self._ends))
        return ended

    def _add(self, issued: IssuedDestination) -> None:
        known = self._invoices[issued.livemode]
        if issued.destination not in known:
            known[issued.destination] = issued.invoice
            self.list.add((issued.destination,))
            self._end_at(issued.watch_until, issued.livemode, issued.destination)

    def _drop(self, live: bool, place: Destination) -> None:  # noqa: FBT001 - the key of a table
        del self._invoices[live][place]
        if place not in self._invoices[not live]:
            self.list.discard((place,))

    def _end_at(self, when: datetime, live: bool, place: Destination) -> None:  # noqa: FBT001
        # The count decides between equal times, which may be many, because destinations cannot be compared.
        self._count += 1
        heapq.heappush(self._ends, (when, self._count, live, place))
