"""Invoices and payments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain import ids
from pepay_core.domain.errors import (
    AmountOutOfRange,
    AssetLocked,
    AssetNotAccepted,
    ChainUnavailable,
    Conflict,
    InvalidAmount,
    InvoiceClosed,
    NoDestination,
    RatesUnavailable,
    UnknownAsset,
)
from pepay_core.services.requesting import InvoiceRequest
from pepay_core.web.api.invoice_objects import (
    CancelInvoice,
    ChooseOption,
    CreateInvoice,
    Invoice,
    InvoiceFilter,
    InvoiceStatus,
    InvoiceTotals,
    Payment,
    PaymentFilter,
    ResolveInvoice,
    TotalsFilter,
)
from pepay_core.web.decoding import amount_text, metadata_object
from pepay_core.web.operations import operation
from pepay_core.web.schemas import Nothing, given

if TYPE_CHECKING:
    from pepay_core.services.paging import Slice
    from pepay_core.web.operations import Call

_READ: Final = "invoices:read"
_WRITE: Final = "invoices:write"
_INVOICE: Final = {"invoice": ids.INVOICE}
_CHOOSING: Final = (UnknownAsset, AssetNotAccepted, NoDestination, InvoiceClosed, AssetLocked, RatesUnavailable, ChainUnavailable)


@operation(
    "POST",
    "/api/v1/invoices",
    tag="Invoices",
    access=_WRITE,
    status=201,
    body=CreateInvoice,
    gives=Invoice,
    refuses=(InvalidAmount, AmountOutOfRange, *_CHOOSING),
)
async def create_invoice(call: Call[Nothing, CreateInvoice]) -> dict[str, Any]:
    """Create an invoice.

    Send the buyer to its ``payment_url``, or show a payment option yourself. With ``pay_with`` one asset is quoted at once.
    """
    return await call.runtime.invoicing.create(call.caller, _request(call.body))


@operation("GET", "/api/v1/invoices", tag="Invoices", access=_READ, query=InvoiceFilter, gives=Invoice, many=True)
async def list_invoices(call: Call[InvoiceFilter, None]) -> Slice[dict[str, Any]]:
    """List invoices, newest first."""
    query = call.query
    where = given(query, "status", "resolution", "fulfil", "customer_id", created_from="created_from", created_to="created_to")
    return await call.runtime.invoicing.page(call.caller, query.page(), where)


@operation("GET", "/api/v1/invoices/totals", tag="Invoices", access=_READ, query=TotalsFilter, gives=InvoiceTotals)
async def total_invoices(call: Call[TotalsFilter, None]) -> dict[str, Any]:
    """Add invoices up by status and currency."""
    where = given(call.query, "status", "customer_id", created_from="created_from", created_to="created_to")
    return await call.runtime.invoicing.totals(call.caller, where)


@operation("GET", "/api/v1/invoices/by-transaction/{hash}", tag="Invoices", access=_READ, gives=Invoice, many=True)
async def list_invoices_by_transaction(call: Call[Nothing, None]) -> list[dict[str, Any]]:
    """List the invoices that a transaction paid."""
    return await call.runtime.invoicing.by_transaction(call.caller, call.path["hash"])


@operation("GET", "/api/v1/invoices/{invoice}", tag="Invoices", access=_READ, ids=_INVOICE, gives=Invoice)
async def get_invoice(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get an invoice."""
    return await call.runtime.invoicing.get(call.caller, call.path["invoice"])


@operation("GET", "/api/v1/invoices/{invoice}/status", tag="Invoices", access=_READ, ids=_INVOICE, gives=InvoiceStatus)
async def get_invoice_status(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get the few fields of an invoice that a shop polls for."""
    return await call.runtime.invoicing.status(call.caller, call.path["invoice"])


@operation(
    "POST",
    "/api/v1/invoices/{invoice}/cancel",
    tag="Invoices",
    access=_WRITE,
    ids=_INVOICE,
    body=CancelInvoice,
    gives=Invoice,
    refuses=(InvoiceClosed,),
)
async def cancel_invoice(call: Call[Nothing, CancelInvoice]) -> dict[str, Any]:
    """Cancel an invoice that nobody has paid."""
    return await call.runtime.invoicing.cancel(call.caller, call.path["invoice"], call.body.reason or "")


@operation(
    "POST",
    "/api/v1/invoices/{invoice}/payment-options",
    tag="Invoices",
    access=_WRITE,
    ids=_INVOICE,
    body=ChooseOption,
    gives=Invoice,
    refuses=_CHOOSING,
)
async def choose_payment_option(call: Call[Nothing, ChooseOption]) -> dict[str, Any]:
    """Choose the asset to pay with.

    The invoice comes back with a quote and an address for it. Choosing again quotes again.
    """
    return await call.runtime.invoicing.choose(call.caller, call.path["invoice"], call.body.asset)


@operation(
    "POST", "/api/v1/invoices/{invoice}/resolve", tag="Invoices", access=_WRITE, ids=_INVOICE, body=ResolveInvoice, gives=Invoice, refuses=(Conflict,)
)
async def resolve_invoice(call: Call[Nothing, ResolveInvoice]) -> dict[str, Any]:
    """Decide about an invoice that is not simply paid."""
    return await call.runtime.invoicing.resolve(call.caller, call.path["invoice"], call.body.action, call.body.reason or "")


@operation("POST", "/api/v1/invoices/{invoice}/verify", tag="Invoices", access=_WRITE, ids=_INVOICE, gives=Invoice, refuses=(ChainUnavailable,))
async def verify_invoice(call: Call[Nothing, None]) -> dict[str, Any]:
    """Look at the invoice's chains again now."""
    return await call.runtime.invoicing.verify(call.caller, call.path["invoice"])


@operation("GET", "/api/v1/payments", tag="Payments", access=_READ, query=PaymentFilter, gives=Payment, many=True)
async def list_payments(call: Call[PaymentFilter, None]) -> Slice[dict[str, Any]]:
    """List payments, newest first."""
    query = call.query
    where = given(query, "invoice", "status", "asset", "transaction", created_from="created_from", created_to="created_to")
    return await call.runtime.invoicing.payments(call.caller, query.page(), where)


@operation("GET", "/api/v1/payments/{payment}", tag="Payments", access=_READ, ids={"payment": ids.PAYMENT}, gives=Payment)
async def get_payment(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get a payment."""
    return await call.runtime.invoicing.payment(call.caller, call.path["payment"])


def _request(sent: CreateInvoice) -> InvoiceRequest:
    """Return what the service takes: the same, with the amounts as texts."""
    tolerance = sent.tolerance
    return InvoiceRequest(
        amount_usd=amount_text(sent.amount_usd, "amount_usd"),
        amount=amount_text(sent.amount, "amount"),
        currency=sent.currency,
        description=sent.description,
        customer_id=sent.customer_id,
        customer_email=sent.customer_email,
        metadata=metadata_object(sent.metadata),
        expires_in=sent.expires_in,
        tokens=sent.tokens,
        settlement_asset=sent.settlement_asset,
        tolerance_percent=amount_text(tolerance.percent, "tolerance.percent") if tolerance else None,
        tolerance_amount=amount_text(tolerance.amount, "tolerance.amount") if tolerance else None,
        pay_with=sent.pay_with,
        return_url=sent.return_url,
        title=sent.title,
        footer=sent.footer,
        line_items=[
            {"name": item.name, "quantity": item.quantity, "amount": amount_text(item.amount, f"line_items.{place}.amount")}
            for place, item in enumerate(sent.line_items or [])
        ],
    )


OPERATIONS: Final = (
    create_invoice,
    list_invoices,
    total_invoices,
    list_invoices_by_transaction,
    get_invoice,
    get_invoice_status,
    cancel_invoice,
    choose_payment_option,
    resolve_invoice,
    verify_invoice,
    list_payments,
    get_payment,
)
