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

# What every mail server takes as it is: no quotes, no comments, nothing that another reader could take for a header or a second address, and
# nothing but ASCII before the "@", which many servers still refuse (RFC 6531). A domain in other letters has a spelling in ASCII.
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN: Final = re.compile(r"(?=.{1,253}\Z)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_MAX_LOCAL: Final = 64
_ANY_ADDRESS: Final = re.compile(r"""[^\s<>()"',;:@]+@[^\s<>()"',;@]+""")


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


def without_addresses(text: str) -> str:
    """Return what somebody says without the mail addresses in it: whose they are is nobody's business who reads it."""
    return _ANY_ADDRESS.sub("[address]", text)


def check_mail_address(text: str, *, field: str = "email") -> str:
    """Return a mail address as it is sent to, its domain in lower case; raises InvalidInput for what no server takes as it is.

    It is the one rule: who may sign in by an address can be written to, and the other way round. The one domain without a dot is
    ``localhost``, where the first admin of a server without a name has their mail.
    """
    local, _, domain = text.rpartition("@")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            domain = ""
    domain = domain.lower()
    address = f"{local}@{domain}"
    sound = len(local) <= _MAX_LOCAL and len(address) <= MAX_ADDRESS and _LOCAL.fullmatch(local)
    if not sound or not (domain == "localhost" or _DOMAIN.fullmatch(domain)):
        raise InvalidInput("is not a mail address such as name@example.com", field=field)
    return address
