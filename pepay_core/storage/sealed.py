"""Which columns hold secrets or what is personal, declared once: what is here is sealed, re-sealed when the master key is replaced, and in no dump.

A column of this list holds sealed records and nothing else; its row id is what is sealed into them, so that they open nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pepay_core.services import endpoints, idempotency, mailing, recording
from pepay_core.services.people import accounts, addressing, one_time_codes
from pepay_core.storage.tables import (
    AttemptRow,
    AuditHeadRow,
    AuditRow,
    EndpointRow,
    EventRow,
    IdempotencyRow,
    InvitationRow,
    InvoiceRow,
    LetterRow,
    MailRow,
    UserRow,
    WalletRow,
)

if TYPE_CHECKING:
    from piccolo.table import Table

ANSWER: Final = "receiver-answer"
CUSTOMER: Final = "customer"
EVENT: Final = "event-body"
TARGET: Final = "endpoint-url"
WALLET: Final = "wallet"


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of sealed records. ``row`` are the columns whose texts, with spaces between, are the row id of a record.

    ``once_in`` is the column that held it in clear before it was sealed: another one, which is emptied, or the same.
    """

    table: type[Table]
    column: str
    purpose: str
    row: tuple[str, ...]
    once_in: str | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.table._meta.tablename}.{self.column}"  # noqa: SLF001 - how Piccolo names it


SEALED: Final = (
    SealedColumn(EndpointRow, "secret", endpoints.PURPOSE, ("id",)),
    SealedColumn(EndpointRow, "previous_secret", endpoints.PREVIOUS, ("id",)),
    SealedColumn(EndpointRow, "target", TARGET, ("id",), once_in="url"),
    SealedColumn(InvoiceRow, "customer", CUSTOMER, ("id",), once_in="customer_email"),
    SealedColumn(WalletRow, "material", WALLET, ("id",), once_in="value"),
    SealedColumn(EventRow, "body", EVENT, ("id",), once_in="body"),
    SealedColumn(AttemptRow, "answer", ANSWER, ("delivery", "number"), once_in="excerpt"),
    SealedColumn(IdempotencyRow, "body", idempotency.PURPOSE, ("scope", "key")),
    SealedColumn(MailRow, "recipient", mailing.TO, ("id",)),
    SealedColumn(MailRow, "contents", mailing.VALUES, ("id",)),
    SealedColumn(UserRow, "email", addressing.PURPOSE, ("id",)),
    SealedColumn(UserRow, "password", accounts.PURPOSE, ("id",)),
    SealedColumn(UserRow, "totp", one_time_codes.PURPOSE, ("id",)),
    SealedColumn(InvitationRow, "email", addressing.PURPOSE, ("id",)),
    SealedColumn(LetterRow, "email", addressing.PURPOSE, ("digest",)),
    SealedColumn(AuditRow, "details", recording.DETAILS, ("id",)),
    SealedColumn(AuditHeadRow, "sealed", recording.HEAD, ("name",)),
)
"""All of them. The keyring is not among them: it is what a replacement begins and ends with."""
