"""Every table of core, and its indexes. Rows never leave this package: repositories turn them into domain objects.

What is filtered by has a column of its own; what is only read back is JSON text, which keeps numbers as they were written.
Amounts of currencies are canonical decimal text, amounts of assets :class:`~pepay_core.storage.columns.BaseUnits`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from piccolo.columns import BigInt, BigSerial, Boolean, Bytea, ForeignKey, Integer, OnDelete, Text, Timestamptz
from piccolo.table import Table

from pepay_core.storage.columns import BaseUnits, Id
from pepay_core.storage.routing import ENGINE


def _key() -> Id:
    return Id(primary_key=True)


def _text() -> Text:
    return Text()


def _maybe_text() -> Text:
    return Text(default=None, null=True)


def _time() -> Timestamptz:
    return Timestamptz(default=None)


def _maybe_time() -> Timestamptz:
    return Timestamptz(default=None, null=True)


def _to(table: type[Table], on_delete: OnDelete = OnDelete.restrict) -> ForeignKey[Any]:
    return ForeignKey(table, on_delete=on_delete, null=False)


def _maybe_to(table: type[Table]) -> ForeignKey[Any]:
    return ForeignKey(table, on_delete=OnDelete.restrict, null=True)


class MerchantRow(Table, tablename="pepay_merchant", db=ENGINE):
    """A tenant."""

    id = _key()
    name = _text()
    created_at = _time()
    currency = _text()
    tokens = _maybe_text()
    settlement_asset = _maybe_text()
    tolerance_percent = _text()
    tolerance_amount = _text()
    late_policy = _text()
    finality = _text()
    branding = _text()
    embed_origins = _text()


class KeyRow(Table, tablename="pepay_key", db=ENGINE):
    """An API key, without its secret."""

    id = _key()
    merchant = _to(MerchantRow)
    livemode = Boolean()
    name = _text()
    scopes = _text()
    digest = Bytea()
    created_at = _time()
    expires_at = _maybe_time()
    revoked_at = _maybe_time()
    last_used_at = _maybe_time()
    allowed_ips = _text()
    writes_per_minute = Integer(default=None, null=True)


class WalletRow(Table, tablename="pepay_wallet", db=ENGINE):
    """Receiving material; ``digest`` is what makes it unique."""

    id = _key()
    merchant = _to(MerchantRow)
    livemode = Boolean()
    family = _text()
    kind = _text()
    value = _text()
    digest = _text()
    label = _maybe_text()
    created_at = _time()
    archived_at = _maybe_time()
    next_index = BigInt()


class InvoiceRow(Table, tablename="pepay_invoice", db=ENGINE):
    """An invoice with its last assessment."""

    id = _key()
    merchant = _to(MerchantRow)
    livemode = Boolean()
    version = BigInt()
    amount = _text()
    currency = _text()
    decimals = Integer()
    expires_at = _time()
    tolerance_percent = _text()
    tolerance_amount = _text()
    late_policy = _text()
    tokens = _maybe_text()
    status = _text()
    timing = _text()
    resolution = _text()
    fulfil = Boolean()
    amount_paid = _text()
    amount_remaining = _text()
    amount_overpaid = _text()
    created_at = _time()
    paid_at = _maybe_time()
    closed_at = _maybe_time()
    decisions = _text()
    settlement_asset = _maybe_text()
    description = _maybe_text()
    customer_id = _maybe_text()
    customer_email = _maybe_text()
    metadata = _text()
    return_url = _maybe_text()
    title = _maybe_text()
    footer = _maybe_text()
    line_items = _text()


class DestinationRow(Table, tablename="pepay_destination", db=ENGINE):
    """A destination that was given to a buyer. On PostgreSQL there is ``xid`` too, the issuing transaction, which only SQL in payments.py knows."""

    seq = BigSerial(primary_key=True)
    invoice = _to(InvoiceRow)
    merchant = _to(MerchantRow)
    livemode = Boolean()
    family = _text()
    address = _text()
    # Empty where there is none: NULLs would all be different to the unique index.
    reference = _text()
    wallet = _to(WalletRow)
    wallet_index = BigInt()
    issued_at = _time()
    watch_until = _time()


class QuoteRow(Table, tablename="pepay_quote", db=ENGINE):
    """A locked price."""

    id = _key()
    invoice = _to(InvoiceRow)
    asset = _text()
    decimals = Integer()
    value = _text()
    units = BaseUnits()
    rate = _text()
    evidence = _text()
    created_at = _time()
    valid_until = _time()
    remainder = Boolean()


class PaymentRow(Table, tablename="pepay_payment", db=ENGINE):
    """A transfer that was attributed to an invoice."""

    id = _key()
    invoice = _to(InvoiceRow)
    merchant = _to(MerchantRow)
    livemode = Boolean()
    chain = _text()
    tx = _text()
    position = _text()
    asset = _text()
    address = _text()
    reference = _maybe_text()
    units = BaseUnits()
    height = BigInt()
    block_hash = _text()
    block_time = _time()
    sender = _maybe_text()
    decimals = Integer()
    status = _text()
    detected_at = _time()
    confirmed_at = _maybe_time()
    quote = _maybe_to(QuoteRow)
    rate = _maybe_text()
    mismatch = _maybe_text()
    value = _maybe_text()


class SweepRow(Table, tablename="pepay_sweep", db=ENGINE):
    """What went on from a destination to the merchant; not active once its block left the chain."""

    seq = BigSerial(primary_key=True)
    chain = _text()
    tx = _text()
    position = _text()
    asset = _text()
    address = _text()
    reference = _maybe_text()
    recipient = _text()
    units = BaseUnits()
    height = BigInt()
    block_hash = _text()
    block_time = _time()
    invoice = _to(InvoiceRow)
    merchant = _to(MerchantRow)
    livemode = Boolean()
    wallet = _to(WalletRow)
    seen_at = _time()
    active = Boolean()


class EntryRow(Table, tablename="pepay_entry", db=ENGINE):
    """One side of a posting."""

    seq = BigSerial(primary_key=True)
    posting = Id()
    # "in" or "out": the sign of the units.
    side = _text()
    merchant = _to(MerchantRow)
    livemode = Boolean()
    account = _text()
    asset = _text()
    units = BaseUnits()
    value = _maybe_text()
    currency = _text()
    reason = _text()
    invoice = _maybe_to(InvoiceRow)
    payment = _maybe_to(PaymentRow)
    made_at = _time()


class EventRow(Table, tablename="pepay_event", db=ENGINE):
    """The outbox. On PostgreSQL the migration adds ``xid``, the writing transaction, which only SQL in events.py knows."""

    seq = BigSerial(primary_key=True)
    id = Id(unique=True)
    type = _text()
    merchant = _to(MerchantRow)
    livemode = Boolean()
    created = _time()
    subject = _text()
    body = Bytea()


class EndpointRow(Table, tablename="pepay_endpoint", db=ENGINE):
    """A webhook endpoint; its secrets are sealed."""

    id = _key()
    merchant = _to(MerchantRow)
    livemode = Boolean()
    scheme = _text()
    url = _text()
    events = _text()
    secret = Bytea()
    created_at = _time()
    description = _maybe_text()
    previous_secret = Bytea(default=None, null=True)
    previous_until = _maybe_time()
    failing_since = _maybe_time()
    disabled_at = _maybe_time()
    disabled_reason = _maybe_text()


class DeliveryRow(Table, tablename="pepay_delivery", db=ENGINE):
    """An event that an endpoint is told of."""

    id = _key()
    event = ForeignKey(EventRow, target_column="id", on_delete=OnDelete.cascade, null=False)
    event_type = _text()
    endpoint = _to(EndpointRow, OnDelete.cascade)
    merchant = _to(MerchantRow)
    state = _text()
    attempts = Integer()
    created_at = _time()
    next_at = _maybe_time()
    # Until when a claimer has it; apart from next_at, because a delivery that waits for its next try is nobody's.
    leased_until = _maybe_time()
    delivered_at = _maybe_time()
    last_status = Integer(default=None, null=True)
    last_error = _maybe_text()


class AttemptRow(Table, tablename="pepay_attempt", db=ENGINE):
    """One try of a delivery."""

    seq = BigSerial(primary_key=True)
    delivery = _to(DeliveryRow, OnDelete.cascade)
    number = Integer()
    made_at = _time()
    status = Integer(default=None, null=True)
    error = _maybe_text()
    excerpt = _text()
    duration_ms = BigInt()


class CheckpointRow(Table, tablename="pepay_checkpoint", db=ENGINE):
    """A block that a watcher can walk back to."""

    seq = BigSerial(primary_key=True)
    chain = _text()
    height = BigInt()
    hash = _text()
    time = _time()


class CoverageRow(Table, tablename="pepay_coverage", db=ENGINE):
    """A range of blocks that was looked at, and who answered."""

    seq = BigSerial(primary_key=True)
    chain = _text()
    first_block = BigInt()
    last_block = BigInt()
    last_hash = _text()
    covered_until = _time()
    source = _text()


class ChainStateRow(Table, tablename="pepay_chain_state", db=ENGINE):
    """What a watcher last knew of its chain."""

    chain = Text(primary_key=True)
    health = _text()
    reason = _maybe_text()
    tip = BigInt(default=None, null=True)
    tip_time = _maybe_time()
    checked_at = _time()
    pace = Integer(default=None, null=True)
    sources = _maybe_text()


class ColdBalanceRow(Table, tablename="pepay_cold_balance", db=ENGINE):
    """What lay at a destination that is no longer watched, when it was last looked at; what is not here was zero."""

    seq = BigSerial(primary_key=True)
    chain = _text()
    address = _text()
    reference = _text()
    asset = _text()
    units = BaseUnits()
    height = BigInt()


class RateRow(Table, tablename="pepay_rate", db=ENGINE):
    """What was agreed on as a rate, or why nothing was."""

    seq = BigSerial(primary_key=True)
    base = _text()
    quote = _text()
    agreed_at = _time()
    value = _maybe_text()
    reason = _maybe_text()
    evidence = _text()


class IdempotencyRow(Table, tablename="pepay_idempotency", db=ENGINE):
    """A request by its idempotency key."""

    seq = BigSerial(primary_key=True)
    scope = _text()
    key = _text()
    fingerprint = _text()
    claimed_at = _time()
    # None once the answer is stored.
    running_until = _maybe_time()
    status = Integer(default=None, null=True)
    body = Bytea(default=None, null=True)


class LeaseRow(Table, tablename="pepay_lease", db=ENGINE):
    """Who does what only one may do."""

    name = Text(primary_key=True)
    holder = _text()
    held_until = _time()


class FactRow(Table, tablename="pepay_fact", db=ENGINE):
    """Something that the installation knows of itself."""

    name = Text(primary_key=True)
    value = _text()


TABLES: Final[tuple[type[Table], ...]] = (
    MerchantRow,
    KeyRow,
    WalletRow,
    InvoiceRow,
    DestinationRow,
    QuoteRow,
    PaymentRow,
    SweepRow,
    EntryRow,
    EventRow,
    EndpointRow,
    DeliveryRow,
    AttemptRow,
    CheckpointRow,
    CoverageRow,
    ChainStateRow,
    ColdBalanceRow,
    RateRow,
    IdempotencyRow,
    LeaseRow,
    FactRow,
)


@dataclass(frozen=True, slots=True)
class Index:
    """An index that Piccolo cannot describe: unique over several columns, or over a part of the rows. The same SQL runs on both engines."""

    name: str
    table: type[Table]
    columns: str
    unique: bool = False
    where: str = ""

    @property
    def ddl(self) -> str:
        """The statement that creates it."""
        unique = "UNIQUE " if self.unique else ""
        where = f" WHERE {self.where}" if self.where else ""
        return f"CREATE {unique}INDEX {self.name} ON {self.table._meta.tablename} ({self.columns}){where}"  # noqa: SLF001 - how Piccolo names it


INDEXES: Final = (
    Index("pepay_key_by_merchant", KeyRow, "merchant, livemode, id"),
    Index("pepay_wallet_material", WalletRow, "livemode, family, digest", unique=True),
    Index("pepay_wallet_by_merchant", WalletRow, "merchant, livemode, id"),
    Index("pepay_invoice_by_merchant", InvoiceRow, "merchant, livemode, id"),
    Index("pepay_invoice_by_status", InvoiceRow, "merchant, livemode, status, id"),
    Index("pepay_invoice_by_customer", InvoiceRow, "merchant, livemode, customer_id, id", where="customer_id IS NOT NULL"),
    Index("pepay_invoice_open", InvoiceRow, "id, expires_at", where="closed_at IS NULL"),
    Index("pepay_destination_address", DestinationRow, "livemode, family, address, reference", unique=True),
    Index("pepay_destination_by_invoice", DestinationRow, "invoice"),
    Index("pepay_destination_watched", DestinationRow, "family, watch_until"),
    Index("pepay_quote_by_invoice", QuoteRow, "invoice"),
    Index("pepay_payment_transfer", PaymentRow, "chain, tx, position, asset", unique=True),
    Index("pepay_payment_by_invoice", PaymentRow, "invoice"),
    Index("pepay_payment_by_merchant", PaymentRow, "merchant, livemode, id"),
    Index("pepay_payment_by_tx", PaymentRow, "tx"),
    Index("pepay_payment_active", PaymentRow, "chain, height", where="status <> 'reverted'"),
    Index("pepay_payment_confirming", PaymentRow, "chain, id", where="status = 'confirming'"),
    Index("pepay_payment_without_value", PaymentRow, "id", where="rate IS NULL AND quote IS NULL AND status <> 'reverted'"),
    Index("pepay_destination_by_wallet", DestinationRow, "wallet"),
    Index("pepay_destination_by_address", DestinationRow, "address"),
    Index("pepay_sweep_departure", SweepRow, "chain, tx, position, asset", unique=True),
    Index("pepay_sweep_by_tx", SweepRow, "tx"),
    Index("pepay_sweep_by_wallet", SweepRow, "wallet, asset", where="active"),
    Index("pepay_sweep_active", SweepRow, "chain, height", where="active"),
    Index("pepay_entry_sides", EntryRow, "posting, side", unique=True),
    Index("pepay_entry_by_merchant", EntryRow, "merchant, livemode, posting, side"),
    Index("pepay_entry_by_invoice", EntryRow, "invoice, posting, side", where="invoice IS NOT NULL"),
    Index("pepay_event_by_time", EventRow, "merchant, livemode, created"),
    Index("pepay_endpoint_by_merchant", EndpointRow, "merchant, livemode, id"),
    Index("pepay_delivery_due", DeliveryRow, "next_at, id", where="state = 'pending'"),
    Index("pepay_delivery_by_endpoint", DeliveryRow, "endpoint, id"),
    Index("pepay_delivery_by_event", DeliveryRow, "event"),
    Index("pepay_attempt_by_delivery", AttemptRow, "delivery, seq"),
    Index("pepay_checkpoint_height", CheckpointRow, "chain, height", unique=True),
    Index("pepay_coverage_range", CoverageRow, "chain, first_block", unique=True),
    Index("pepay_cold_balance_place", ColdBalanceRow, "chain, address, reference, asset", unique=True),
    Index("pepay_rate_history", RateRow, "base, quote, agreed_at"),
    Index("pepay_idempotency_key", IdempotencyRow, "scope, key", unique=True),
    Index("pepay_idempotency_age", IdempotencyRow, "claimed_at"),
)
