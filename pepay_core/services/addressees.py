"""Destinations, and the invoices that are paid at them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pepay_core.domain.watchlist import Watchlist

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pepay_core.contracts.chain import Chain
    from pepay_core.domain.chains import Destination, Transfer
    from pepay_core.domain.coverage import IssuedDestination
    from pepay_core.domain.ids import InvoiceId


class Addressees:
    """Destinations of one chain with their invoices; ``list`` is what a driver is given.

    Where one wallet serves both environments a destination may stand for two invoices; the one of the chain's own environment is paid.
    """

    def __init__(self, chain: Chain, issued: Iterable[IssuedDestination] = ()) -> None:
        self._own = not chain.testnet
        self.clear()
        for each in issued:
            self.add(each)

    def clear(self) -> None:
        """Forget everything."""
        self.list = Watchlist()
        self.invoices: dict[bool, dict[Destination, InvoiceId]] = {True: {}, False: {}}

    def add(self, issued: IssuedDestination) -> bool:
        """Take a destination in; tell whether it was new."""
        known = self.invoices[issued.livemode]
        if issued.destination in known:
            return False
        known[issued.destination] = issued.invoice
        self.list.add((issued.destination,))
        return True

    def remove(self, destination: Destination, *, live: bool) -> None:
        """Forget what a destination stands for in one environment."""
        del self.invoices[live][destination]
        if destination not in self.invoices[not live]:
            self.list.discard((destination,))

    def invoice_of(self, destination: Destination) -> InvoiceId:
        """Return the invoice that is paid at a destination of the list."""
        own = self.invoices[self._own].get(destination)
        return own if own is not None else self.invoices[not self._own][destination]

    def sorted(self, transfers: Iterable[Transfer]) -> dict[InvoiceId, list[Transfer]]:
        """Return transfers by the invoice that they pay."""
        found: dict[InvoiceId, list[Transfer]] = defaultdict(list)
        for transfer in transfers:
            found[self.invoice_of(transfer.to)].append(transfer)
        return found
