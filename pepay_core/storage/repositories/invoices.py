"""Invoices with their last assessment."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain import money
from pepay_core.domain.assets import AssetId
from pepay_core.domain.errors import Conflict
from pepay_core.domain.ids import InvoiceId, MerchantId
from pepay_core.domain.invoices import Assessment, Invoice, LatePolicy, Resolution, Status, Terms, Timing
from pepay_core.services.waking import invoice_changed
from pepay_core.storage.codecs import from_assets, from_decisions, from_json, to_amount, to_decisions, to_json
from pepay_core.storage.repositories.merchants import tolerance
from pepay_core.storage.repositories.rows import Repository, filters
from pepay_core.storage.sealed import CUSTOMER
from pepay_core.storage.tables import InvoiceRow

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from piccolo.custom_types import Combinable

    from pepay_core.services.paging import Page, Slice

_FILTERS: Final[Mapping[str, Callable[[Any], Combinable]]] = {
    "status": lambda value: InvoiceRow.status == value,
    "customer_id": lambda value: InvoiceRow.customer_id == value,
    "fulfil": InvoiceRow.fulfil.eq,
    "resolution": lambda value: InvoiceRow.resolution == value,
    "created_from": lambda value: InvoiceRow.created_at >= value,
    "created_to": lambda value: InvoiceRow.created_at <= value,
}


class InvoiceRepository(Repository):
    """Invoices; ``created_from`` and ``created_to`` include their moments."""

    def _row(self, invoice: Invoice) -> dict[str, Any]:
        email = invoice.customer_email
        return {**_row(invoice), "customer": None if email is None else self._session.seal(CUSTOMER, invoice.id, email)}

    def _invoice(self, row: dict[str, Any]) -> Invoice:
        return _invoice(row, self._session.opened(CUSTOMER, row["id"], row["customer"], row["customer_email"]))

    async def add(self, invoice: Invoice) -> None:
        await self._insert(InvoiceRow, self._row(invoice))

    async def get(self, merchant: MerchantId, invoice: InvoiceId, *, livemode: bool, lock: bool = False) -> Invoice:
        scope = _scope(merchant, livemode=livemode)
        return self._invoice(await self._get(InvoiceRow, "invoice", invoice, *scope, lock=lock))

    async def find(self, invoice: InvoiceId, *, lock: bool = False) -> Invoice | None:
        row = await self._find(InvoiceRow, invoice, lock=lock)
        return self._invoice(row) if row else None

    async def save(self, invoice: Invoice) -> None:
        row = self._row(invoice)
        if not await self._update(InvoiceRow, row, InvoiceRow.id == invoice.id, InvoiceRow.version == invoice.version - 1):
            raise Conflict("the invoice has changed meanwhile")
        self._session.wake(invoice_changed(invoice.id))

    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page, where: Mapping[str, Any]) -> Slice[Invoice]:
        scope = _scope(merchant, livemode=livemode)
        return await self._page(InvoiceRow, InvoiceRow.id, page, self._invoice, *filters(_FILTERS, where), scope=scope)

    async def totals(self, merchant: MerchantId, *, livemode: bool, where: Mapping[str, Any]) -> dict[tuple[str, str], tuple[int, str, str]]:
        total = "SUM({}::numeric)::text" if self._session.postgres else "decimal_sum({})"
        conditions = [*_scope(merchant, livemode=livemode), *filters(_FILTERS, where)]
        places = " AND ".join("{}" for _ in conditions)
        sql = (
            f"SELECT status, currency, COUNT(*) AS number, {total.format('amount')} AS asked, {total.format('amount_paid')} AS paid "  # noqa: S608
            f"FROM pepay_invoice WHERE {places} GROUP BY status, currency ORDER BY status, currency"
        )
        rows = await self._raw(sql, *(condition.querystring for condition in conditions))
        return {(row["status"], row["currency"]): (row["number"], _plain(row["asked"]), _plain(row["paid"])) for row in rows}

    async def versions(self, invoices: Collection[InvoiceId]) -> dict[InvoiceId, int]:
        rows = await self._of(InvoiceRow, InvoiceRow.id, invoices)
        return {InvoiceId(row["id"]): row["version"] for row in rows}

    async def still_open(self, invoices: Collection[InvoiceId]) -> set[InvoiceId]:
        rows = await self._of(InvoiceRow, InvoiceRow.id, invoices)
        return {InvoiceId(row["id"]) for row in rows if row["closed_at"] is None}

    async def past_deadline(self, now: datetime, limit: int, *, after: InvoiceId | None = None) -> list[Invoice]:
        conditions = [InvoiceRow.closed_at.is_null(), InvoiceRow.expires_at < now]
        if after is not None:
            conditions.append(InvoiceRow.id > after)
        return [self._invoice(row) for row in await self._select(InvoiceRow, *conditions, order=[InvoiceRow.id], limit=limit)]


def _scope(merchant: MerchantId, *, livemode: bool) -> list[Any]:
    return [InvoiceRow.merchant == merchant, InvoiceRow.livemode.eq(livemode)]


def _plain(text: str) -> str:
    return money.plain(Decimal(text))


def _row(invoice: Invoice) -> dict[str, Any]:
    terms, state = invoice.terms, invoice.assessment
    return {
        "id": invoice.id,
        "merchant": invoice.merchant,
        "livemode": invoice.livemode,
        "version": invoice.version,
        "amount": to_amount(terms.amount),
        "currency": terms.currency,
        "decimals": terms.decimals,
        "expires_at": terms.expires_at,
        "tolerance_percent": to_amount(terms.tolerance.percent),
        "tolerance_amount": to_amount(terms.tolerance.amount),
        "late_policy": terms.late_policy.value,
        "tokens": None if invoice.tokens is None else to_json(invoice.tokens),
        "status": state.status.value,
        "timing": state.timing.value,
        "resolution": state.resolution.value,
        "fulfil": state.fulfil,
        "amount_paid": to_amount(state.amount_paid),
        "amount_remaining": to_amount(state.amount_remaining),
        "amount_overpaid": to_amount(state.amount_overpaid),
        "created_at": invoice.created_at,
        "paid_at": invoice.paid_at,
        "closed_at": invoice.closed_at,
        "decisions": to_decisions(invoice.decisions),
        "settlement_asset": invoice.settlement_asset,
        "description": invoice.description,
        "customer_id": invoice.customer_id,
        "customer_email": None,
        "metadata": to_json(invoice.metadata),
        "return_url": invoice.return_url,
        "title": invoice.title,
        "footer": invoice.footer,
        "line_items": to_json(invoice.line_items),
    }


def _invoice(row: dict[str, Any], email: str | None) -> Invoice:
    return Invoice(
        id=InvoiceId(row["id"]),
        merchant=MerchantId(row["merchant"]),
        livemode=row["livemode"],
        terms=Terms(
            amount=Decimal(row["amount"]),
            currency=row["currency"],
            decimals=row["decimals"],
            expires_at=row["expires_at"],
            tolerance=tolerance(row),
            late_policy=LatePolicy(row["late_policy"]),
        ),
        tokens=from_assets(row["tokens"]),
        assessment=Assessment(
            status=Status(row["status"]),
            timing=Timing(row["timing"]),
            resolution=Resolution(row["resolution"]),
            amount_paid=Decimal(row["amount_paid"]),
            amount_remaining=Decimal(row["amount_remaining"]),
            amount_overpaid=Decimal(row["amount_overpaid"]),
        ),
        created_at=row["created_at"],
        version=row["version"],
        paid_at=row["paid_at"],
        closed_at=row["closed_at"],
        decisions=from_decisions(row["decisions"]),
        settlement_asset=None if row["settlement_asset"] is None else AssetId(row["settlement_asset"]),
        description=row["description"],
        customer_id=row["customer_id"],
        customer_email=email,
        metadata=from_json(row["metadata"]),
        return_url=row["return_url"],
        title=row["title"],
        footer=row["footer"],
        line_items=tuple(from_json(row["line_items"])),
    )
