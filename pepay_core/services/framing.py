"""Which pages may hold an invoice's checkout in a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.domain.errors import NotFound
from pepay_core.domain.ids import InvoiceId
from pepay_core.domain.origins import is_secure

if TYPE_CHECKING:
    from pepay_core.services.ports import Store


async def framers(store: Store, invoice_id: str) -> tuple[str, ...]:
    """Return the origins that the invoice's merchant saved, of which those without TLS count for test invoices only; raises NotFound."""
    async with store.read() as tx:
        invoice = await tx.invoices.find(InvoiceId(invoice_id))
        if invoice is None:
            raise NotFound("there is no such invoice")
        merchant = await tx.merchants.get(invoice.merchant)
    return tuple(each for each in merchant.embed_origins if is_secure(each) or not invoice.livemode)
