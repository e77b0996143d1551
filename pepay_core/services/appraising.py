"""What transfers are worth that no quote covers, asked for before they are credited: no price is fetched inside a transaction."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import Unavailable
from pepay_core.services.quoting import quote_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from pepay_core.domain.assets import AssetId
    from pepay_core.domain.chains import Transfer
    from pepay_core.domain.ids import InvoiceId
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.ports import Store
    from pepay_core.services.valuing import Valuation

log = logging.getLogger(__name__)

_PRICE: Final = 5.0


class Appraising:
    """Prices what was found for invoices."""

    def __init__(self, store: Store, valuation: Valuation, catalogue: Catalogue) -> None:
        self._store = store
        self._valuation = valuation
        self._catalogue = catalogue

    async def prices(self, found: Mapping[InvoiceId, Sequence[Transfer]]) -> dict[InvoiceId, dict[AssetId, Decimal]]:
        """Return what is needed to value transfers that no quote covers; what cannot be priced now is priced later."""
        prices: dict[InvoiceId, dict[AssetId, Decimal]] = {}
        if not found:
            return prices
        async with self._store.read() as tx:
            quotes = await tx.quotes.of(list(found))
            invoices = [await tx.invoices.find(invoice_id) for invoice_id in found]
        for invoice in invoices:
            if invoice is None:
                continue
            own = [quote for quote in quotes if quote.invoice == invoice.id]
            for transfer in found[invoice.id]:
                if quote_of(transfer, own) is not None:
                    continue
                try:
                    async with asyncio.timeout(_PRICE):
                        rate = await self._valuation.price(self._catalogue.token(transfer.asset), invoice.terms.currency)
                except (Unavailable, TimeoutError) as exc:
                    log.warning("%s: no price for %s yet: %s", invoice.id, transfer.asset, exc)
                    continue
                prices.setdefault(invoice.id, {})[transfer.asset] = rate.value
        return prices
