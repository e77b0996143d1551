"""Invoices as they go over the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pepay_core.services.requesting import LONGEST, SHORTEST
from pepay_core.web.schemas import Amount, AnyObject, AssetText, BaseUnits, Money, Paging, Seconds, Sent, Text255, Time

StatusWord = Literal["unpaid", "processing", "underpaid", "paid", "overpaid", "expired", "canceled"]
ResolutionWord = Literal["none", "pending", "accepted", "refunded", "written_off"]
ReasonText = Annotated[str, Meta(max_length=500)]


class ToleranceSent(Sent):
    """How much less or more still counts as the amount: the larger of both, at most 5 % of it."""

    percent: Amount = msgspec.field(default_factory=msgspec.Raw)
    amount: Amount = msgspec.field(default_factory=msgspec.Raw)


class LineItemSent(Sent):
    """One line of an order, for showing."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    amount: Amount = msgspec.field(default_factory=msgspec.Raw)


class CreateInvoice(Sent):
    """What an invoice shall be: give ``amount_usd``, or ``amount`` with ``currency``."""

    amount_usd: Amount = msgspec.field(default_factory=msgspec.Raw)
    amount: Amount = msgspec.field(default_factory=msgspec.Raw)
    currency: Annotated[str, Meta(min_length=1, max_length=171, description="ISO 4217, or a CAIP-19 asset.", examples=["USD"])] | None = None
    description: Text255 | None = None
    customer_id: Text255 | None = None
    customer_email: Text255 | None = None
    metadata: AnyObject = msgspec.field(default_factory=msgspec.Raw)
    expires_in: Annotated[int, Meta(ge=SHORTEST, le=LONGEST, description="Seconds.")] | None = None
    tokens: Annotated[list[AssetText], Meta(min_length=1, max_length=100)] | None = None
    settlement_asset: AssetText | None = None
    tolerance: ToleranceSent | None = None
    pay_with: AssetText | None = None
    return_url: Annotated[str, Meta(max_length=2_000)] | None = None
    title: Text255 | None = None
    footer: Annotated[str, Meta(max_length=1_000)] | None = None
    line_items: Annotated[list[LineItemSent], Meta(max_length=100)] | None = None


class ChooseOption(Sent):
    """The asset to pay with."""

    asset: AssetText


class CancelInvoice(Sent):
    """Why, if that is to be kept."""

    reason: ReasonText | None = None


class ResolveInvoice(Sent):
    """What the merchant decides."""

    action: Literal["accept", "write_off", "refund"]
    reason: ReasonText | None = None


class InvoiceFilter(Paging):
    """Which invoices."""

    status: StatusWord | UnsetType = UNSET
    resolution: ResolutionWord | UnsetType = UNSET
    fulfil: bool | UnsetType = UNSET
    customer_id: Text255 | UnsetType = UNSET
    created_from: Time | UnsetType = UNSET
    created_to: Time | UnsetType = UNSET


class TotalsFilter(msgspec.Struct, kw_only=True):
    """Which invoices to add up."""

    status: StatusWord | UnsetType = UNSET
    customer_id: Text255 | UnsetType = UNSET
    created_from: Time | UnsetType = UNSET
    created_to: Time | UnsetType = UNSET


class PaymentFilter(Paging):
    """Which payments."""

    invoice: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    status: Literal["confirming", "confirmed", "reverted"] | UnsetType = UNSET
    asset: AssetText | UnsetType = UNSET
    transaction: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    created_from: Time | UnsetType = UNSET
    created_to: Time | UnsetType = UNSET


class Evidence(msgspec.Struct):
    """What one provider said."""

    provider: str
    rate: Money
    at: Seconds
    used: bool
    reason: str | None


class Quote(msgspec.Struct):
    """What is asked for an option; ``amount`` is what is still to be paid."""

    amount: Money
    amount_base_units: BaseUnits
    rate: Money
    valid_until: Seconds
    evidence: list[Evidence]


class PaymentOption(msgspec.Struct):
    """One way to pay; quote and destination are null until it is chosen."""

    object: Literal["payment_option"]
    asset: str
    symbol: str
    chain: str
    network: str
    decimals: int
    available: bool
    unavailable_reason: str | None
    quote: Quote | None
    destination: str | None
    reference: str | None
    payment_uri: str | None
    finality: Literal["confirmations", "finalized"]
    confirmations_required: int | None


class Payment(msgspec.Struct):
    """A transfer that was attributed to an invoice."""

    object: Literal["payment"]
    id: str
    invoice: str
    livemode: bool
    asset: str
    symbol: str | None
    amount: Money
    amount_base_units: BaseUnits
    value: Money | None
    status: Literal["confirming", "confirmed", "reverted"]
    mismatch: str | None
    transaction: str | None
    index: int | str
    block: int
    block_time: Seconds
    sender: str | None = msgspec.field(name="from")
    to: str
    confirmations: int
    confirmations_required: int | None
    explorer_url: str | None
    detected_at: Seconds
    confirmed_at: Seconds | None


class Tolerance(msgspec.Struct):
    """How much less or more still counts as the amount."""

    percent: Money
    amount: Money


class LineItem(msgspec.Struct):
    """One line of an order."""

    name: str
    quantity: int
    amount: Money | None


class InvoiceForBuyer(msgspec.Struct):
    """An invoice as its buyer sees it."""

    object: Literal["invoice"]
    id: str
    livemode: bool
    status: StatusWord
    fulfil: Annotated[bool, Meta(description="The one thing a shop acts on: enough final money has arrived, or the merchant accepted what did.")]
    timing: Literal["on_time", "late"]
    resolution: ResolutionWord
    amount: Money
    currency: str
    amount_paid: Money
    amount_remaining: Money
    amount_overpaid: Money
    description: str | None
    title: str | None
    footer: str | None
    line_items: list[LineItem]
    return_url: str | None
    payment_url: str
    client_token: str
    payment_options: list[PaymentOption]
    payments: list[Payment]
    created_at: Seconds
    expires_at: Seconds
    paid_at: Seconds | None
    version: int
    merchant_name: str


class Invoice(msgspec.Struct):
    """What a buyer owes a merchant, and how it stands."""

    object: Literal["invoice"]
    id: str
    livemode: bool
    status: StatusWord
    fulfil: Annotated[bool, Meta(description="The one thing a shop acts on: enough final money has arrived, or the merchant accepted what did.")]
    timing: Literal["on_time", "late"]
    resolution: ResolutionWord
    amount: Money
    currency: str
    amount_paid: Annotated[str, Meta(description="The value of what is final.")]
    amount_remaining: Annotated[str, Meta(description="What is left after everything that was seen.")]
    amount_overpaid: Money
    description: str | None
    customer_id: str | None
    customer_email: str | None
    metadata: dict[str, Any]
    title: str | None
    footer: str | None
    line_items: list[LineItem]
    return_url: str | None
    settlement_asset: str | None
    tolerance: Tolerance
    payment_url: str
    client_token: str
    payment_options: list[PaymentOption]
    payments: list[Payment]
    created_at: Seconds
    expires_at: Seconds
    paid_at: Seconds | None
    version: int


class InvoiceStatus(msgspec.Struct):
    """The few fields that a shop polls for."""

    object: Literal["invoice_status"]
    id: str
    status: StatusWord
    fulfil: bool
    timing: Literal["on_time", "late"]
    resolution: ResolutionWord
    version: int


class Total(msgspec.Struct):
    """The invoices of one status and currency."""

    status: StatusWord
    currency: str
    count: int
    amount: Money
    amount_paid: Money


class InvoiceTotals(msgspec.Struct):
    """Invoices, added up."""

    object: Literal["invoice_totals"]
    data: list[Total]
