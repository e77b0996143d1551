"""Putting together an invoice with everything that belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pepay_core.services.offering import Offer
from pepay_core.services.presenting import Dossier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pepay_core.domain.coverage import IssuedDestination
    from pepay_core.domain.ids import InvoiceId
    from pepay_core.domain.invoices import Invoice
    from pepay_core.domain.merchants import Merchant
    from pepay_core.domain.payments import Payment, Quote
    from pepay_core.services.offering import Offering
    from pepay_core.services.ports import Transaction

_Row = TypeVar("_Row", "IssuedDestination", "Quote", "Payment")


class Assembler:
    """Loads dossiers, many with as many statements as one."""

    def __init__(self, offering: Offering) -> None:
        self._offering = offering

    async def dossier(self, tx: Transaction, invoice: Invoice, merchant: Merchant | None = None) -> Dossier:
        """Return the dossier of an invoice."""
        return (await self.dossiers(tx, [invoice], merchant))[0]

    async def dossiers(self, tx: Transaction, invoices: Sequence[Invoice], merchant: Merchant | None = None) -> list[Dossier]:
        """Return the dossiers of invoices that belong to one merchant and environment."""
        if not invoices:
            return []
        first = invoices[0]
        if merchant is None:
            merchant = await tx.merchants.get(first.merchant)
        families = await self._offering.families(tx, merchant, livemode=first.livemode)
        ids = [invoice.id for invoice in invoices]
        destinations = _by_invoice(await tx.destinations.of(ids))
        quotes = _by_invoice(await tx.quotes.of(ids))
        payments = _by_invoice(await tx.payments.of(ids))
        return [
            Dossier(
                invoice=invoice,
                merchant=merchant,
                destinations=destinations.get(invoice.id, ()),
                quotes=quotes.get(invoice.id, ()),
                payments=payments.get(invoice.id, ()),
                offers=_locked(
                    self._offering.offers(merchant, invoice.tokens, invoice.terms.currency, families, livemode=invoice.livemode),
                    payments.get(invoice.id, ()),
                ),
            )
            for invoice in invoices
        ]


def _by_invoice(rows: Sequence[_Row]) -> dict[InvoiceId, list[_Row]]:
    grouped: dict[InvoiceId, list[_Row]] = {}
    for row in rows:
        grouped.setdefault(row.invoice, []).append(row)
    return grouped


def _locked(offers: Sequence[Offer], payments: Sequence[Payment]) -> list[Offer]:
    """Return the offers of an invoice of which a part was paid: the rest is asked in the same asset."""
    paid_in = {payment.transfer.asset for payment in payments if payment.counts}
    return [Offer(each.token, "asset_locked") if paid_in and each.token.id not in paid_in else each for each in offers]
