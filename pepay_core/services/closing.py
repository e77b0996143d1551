"""Closing invoices whose deadline has passed on every chain where they could be paid, and pricing what could not be priced before."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import PePayError, Unavailable
from pepay_core.services.settling import Change, chains_of

if TYPE_CHECKING:
    from pepay_core.contracts.context import Clock
    from pepay_core.domain.assets import ChainId
    from pepay_core.domain.ids import InvoiceId
    from pepay_core.domain.invoices import Invoice
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.settling import Settling
    from pepay_core.services.valuing import Valuation

log = logging.getLogger(__name__)

_BATCH: Final = 200
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Closing:
    """Ends the time of invoices. A chain that is down keeps its invoices open: only looked-at time counts."""

    def __init__(self, store: Store, settling: Settling, valuation: Valuation, catalogue: Catalogue, clock: Clock) -> None:
        self._store = store
        self._settling = settling
        self._valuation = valuation
        self._catalogue = catalogue
        self._clock = clock

    async def run(self, interval: float = 1.0) -> None:
        """Close and price for ever, one look per ``interval`` seconds; what fails is tried again."""
        while True:
            try:
                await self.close_due()
                await self.price_pending()
            except PePayError as exc:
                log.warning("closing invoices: %s", exc)
            except Exception:
                log.exception("closing invoices failed")
            await self._clock.sleep(interval)

    async def close_due(self) -> int:
        """Close every invoice whose chains are covered past its deadline; return how many."""
        closed = 0
        after: InvoiceId | None = None
        while True:
            async with self._store.read() as tx:
                due = await tx.invoices.past_deadline(self._clock.now(), _BATCH, after=after)
                covered: dict[ChainId, datetime] = {}
                ready = [each for each in due if await self._covered(tx, each, covered)]
            for invoice in ready:
                await self._store.run(
                    lambda tx, invoice=invoice: self._settling.settle(tx, invoice.id, Change(), {}, closing=invoice.terms.expires_at)
                )
                closed += 1
            if len(due) < _BATCH:
                return closed
            after = due[-1].id

    async def _covered(self, tx: Transaction, invoice: Invoice, known: dict[ChainId, datetime]) -> bool:
        """Tell whether nothing that arrived before the deadline can be unknown."""
        for chain in sorted(chains_of(await tx.quotes.of([invoice.id]))):
            if chain not in known:
                known[chain] = max((each.until for each in await tx.chains.coverage(chain)), default=_NEVER)
            if known[chain] <= invoice.terms.expires_at:
                return False
        return True

    async def price_pending(self) -> int:
        """Price payments that came while there was no rate; return how many got one."""
        async with self._store.read() as tx:
            pending = await tx.payments.without_value(_BATCH)
            invoices = {each.invoice: await tx.invoices.find(each.invoice) for each in pending}
        priced = 0
        for payment in pending:
            invoice = invoices[payment.invoice]
            token = self._catalogue.tokens.get(payment.transfer.asset)
            if invoice is None or token is None:
                continue
            try:
                async with asyncio.timeout(5):
                    rate = await self._valuation.price(token, invoice.terms.currency)
            except (Unavailable, TimeoutError):
                continue
            change = Change(prices={payment.transfer.asset: rate.value})
            await self._store.run(lambda tx, invoice=invoice, change=change: self._settling.settle(tx, invoice.id, change, {}))
            priced += 1
        return priced
