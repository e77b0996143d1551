"""Letters to people: an invitation, a link to a new password, a notice that something needs them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import InvalidInput

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.domain.ids import MailId

MAX_ADDRESS: Final = 254
"""Characters (RFC 5321 §4.5.3.1.3, without the angle brackets)."""

# What every mail server takes as it is: no quotes, no comments, nothing that another reader could take for a header or a second address.
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN: Final = re.compile(r"(?=.{1,253}\Z)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_MAX_LOCAL: Final = 64


class MailState(StrEnum):
    """How a mail stands."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    """Given up: the server refused it for good, or it was no longer worth sending."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A letter that waits, or waited, to be sent. To whom and with which values is sealed, and forgotten once it was sent."""

    id: MailId
    kind: str
    language: str
    to: bytes = field(repr=False)
    values: bytes = field(repr=False)
    created_at: datetime
    until: datetime
    """When it is no longer worth sending, as a link that has expired."""
    next_at: datetime | None
    state: MailState = MailState.PENDING
    attempts: int = 0
    sent_at: datetime | None = None
    last_error: str | None = None


def check_mail_address(text: str, *, field: str = "email") -> str:
    """Return a mail address as it is sent to, its domain in lower case; raises InvalidInput for what no server takes as it is."""
    local, at, domain = text.rpartition("@")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            domain = ""
    if not at or len(local) > _MAX_LOCAL or len(text) > MAX_ADDRESS or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise InvalidInput("is not a mail address such as name@example.com", field=field)
    return f"{local}@{domain.lower()}"
