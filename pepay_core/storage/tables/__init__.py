"""Every table of core, and its indexes. Rows never leave this package: repositories turn them into domain objects.

What is filtered by has a column of its own; what is only read back is JSON text, which keeps numbers as they were written.
Amounts of currencies are canonical decimal text, amounts of assets :class:`~pepay_core.storage.columns.BaseUnits`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pepay_core.storage.tables.auditing import AuditHeadRow, AuditRow
from pepay_core.storage.tables.chains import ChainStateRow, CheckpointRow, ColdBalanceRow, CoverageRow, RateRow
from pepay_core.storage.tables.connecting import GrantRow
from pepay_core.storage.tables.delivering import AttemptRow, DeliveryRow, EndpointRow, EventRow
from pepay_core.storage.tables.indexes import INDEXES, Index
from pepay_core.storage.tables.invoices import DestinationRow, InvoiceRow, PaymentRow, QuoteRow, SweepRow
from pepay_core.storage.tables.keeping import FactRow, IdempotencyRow, KeyringRow, LeaseRow
from pepay_core.storage.tables.ledger import EntryRow
from pepay_core.storage.tables.logos import LogoRow
from pepay_core.storage.tables.mails import MailRow
from pepay_core.storage.tables.merchants import KeyRow, MerchantRow, WalletRow
from pepay_core.storage.tables.people import (
    InvitationRow,
    LetterRow,
    MemberRow,
    PasskeyRow,
    RecoveryCodeRow,
    SessionRow,
    TryRow,
    UserRow,
)
from pepay_core.storage.tables.refunds import RefundRow
from pepay_core.storage.tables.replays import ReplayRow

if TYPE_CHECKING:
    from piccolo.table import Table

__all__ = [
    "INDEXES",
    "TABLES",
    "AttemptRow",
    "AuditHeadRow",
    "AuditRow",
    "ChainStateRow",
    "CheckpointRow",
    "ColdBalanceRow",
    "CoverageRow",
    "DeliveryRow",
    "DestinationRow",
    "EndpointRow",
    "EntryRow",
    "EventRow",
    "FactRow",
    "GrantRow",
    "IdempotencyRow",
    "Index",
    "InvitationRow",
    "InvoiceRow",
    "KeyRow",
    "KeyringRow",
    "LeaseRow",
    "LetterRow",
    "LogoRow",
    "MailRow",
    "MemberRow",
    "MerchantRow",
    "PasskeyRow",
    "PaymentRow",
    "QuoteRow",
    "RateRow",
    "RecoveryCodeRow",
    "RefundRow",
    "ReplayRow",
    "SessionRow",
    "SweepRow",
    "TryRow",
    "UserRow",
    "WalletRow",
]

TABLES: Final[tuple[type[Table], ...]] = (
    MerchantRow,
    LogoRow,
    KeyRow,
    WalletRow,
    InvoiceRow,
    DestinationRow,
    QuoteRow,
    PaymentRow,
    RefundRow,
    SweepRow,
    EntryRow,
    EventRow,
    EndpointRow,
    DeliveryRow,
    AttemptRow,
    ReplayRow,
    MailRow,
    CheckpointRow,
    CoverageRow,
    ChainStateRow,
    ColdBalanceRow,
    RateRow,
    IdempotencyRow,
    LeaseRow,
    FactRow,
    UserRow,
    MemberRow,
    SessionRow,
    PasskeyRow,
    RecoveryCodeRow,
    InvitationRow,
    LetterRow,
    TryRow,
    AuditRow,
    AuditHeadRow,
    GrantRow,
    KeyringRow,
)
