"""The indexes that Piccolo cannot describe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pepay_core.storage.tables.auditing import AuditRow
from pepay_core.storage.tables.chains import CheckpointRow, ColdBalanceRow, CoverageRow, RateRow
from pepay_core.storage.tables.delivering import AttemptRow, DeliveryRow, EndpointRow, EventRow
from pepay_core.storage.tables.invoices import DestinationRow, InvoiceRow, PaymentRow, QuoteRow, SweepRow
from pepay_core.storage.tables.keeping import IdempotencyRow
from pepay_core.storage.tables.ledger import EntryRow
from pepay_core.storage.tables.mails import MailRow
from pepay_core.storage.tables.merchants import KeyRow, WalletRow
from pepay_core.storage.tables.people import InvitationRow, LetterRow, MemberRow, PasskeyRow, RecoveryCodeRow, SessionRow, TryRow
from pepay_core.storage.tables.refunds import RefundRow
from pepay_core.storage.tables.replays import ReplayRow

if TYPE_CHECKING:
    from piccolo.table import Table


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
    Index("pepay_refund_by_merchant", RefundRow, "merchant, livemode, id"),
    Index("pepay_refund_by_invoice", RefundRow, "invoice"),
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
    Index("pepay_delivery_queue", DeliveryRow, "endpoint, next_at, id", where="state = 'pending'"),
    Index("pepay_delivery_leased", DeliveryRow, "endpoint, leased_until", where="state = 'pending' AND leased_until IS NOT NULL"),
    Index("pepay_delivery_by_endpoint", DeliveryRow, "endpoint, id"),
    Index("pepay_delivery_by_event", DeliveryRow, "event"),
    Index("pepay_attempt_by_delivery", AttemptRow, "delivery, seq"),
    Index("pepay_replay_by_endpoint", ReplayRow, "endpoint, id"),
    Index("pepay_replay_running", ReplayRow, "endpoint", unique=True, where="state = 'running'"),
    Index("pepay_mail_due", MailRow, "next_at, id", where="state = 'pending'"),
    Index("pepay_checkpoint_height", CheckpointRow, "chain, height", unique=True),
    Index("pepay_coverage_range", CoverageRow, "chain, first_block", unique=True),
    Index("pepay_cold_balance_place", ColdBalanceRow, "chain, address, reference, asset", unique=True),
    Index("pepay_rate_history", RateRow, "base, quote, agreed_at"),
    Index("pepay_idempotency_key", IdempotencyRow, "scope, key", unique=True),
    Index("pepay_idempotency_age", IdempotencyRow, "claimed_at"),
    Index("pepay_member_once", MemberRow, "merchant, user_id", unique=True),
    Index("pepay_member_by_user", MemberRow, "user_id"),
    Index("pepay_session_by_user", SessionRow, "user_id, id"),
    Index("pepay_session_age", SessionRow, "expires_at"),
    Index("pepay_passkey_by_user", PasskeyRow, "user_id, id"),
    Index("pepay_recovery_code_once", RecoveryCodeRow, "user_id, digest", unique=True),
    Index("pepay_invitation_by_merchant", InvitationRow, "merchant, id"),
    Index("pepay_letter_by_user", LetterRow, "user_id"),
    Index("pepay_try_age", TryRow, "tried_at"),
    Index("pepay_audit_by_merchant", AuditRow, "merchant, seq"),
)
