"""What a delivery looks like as a mail."""

from __future__ import annotations

import json
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final

from pepay_core.api import InvalidInput, check_mail_address

if TYPE_CHECKING:
    from pepay_core.api import Delivery

SCHEME: Final = "mailto:"
_SHOWN: Final = ("id", "status", "amount", "currency", "amount_paid", "description", "reason")


def recipient(url: str) -> str:
    """Return the address that a ``mailto:`` URL names; raises InvalidInput for one that names several, or more than an address (RFC 6068)."""
    if not url.lower().startswith(SCHEME):
        raise InvalidInput("must be a mail address, written mailto:name@example.com", field="url")
    address = url[len(SCHEME) :]
    if "%" in address or "?" in address:
        raise InvalidInput("must be one mail address, without anything after it", field="url")
    return check_mail_address(address, field="url")


def message(delivery: Delivery, sender: Address) -> EmailMessage:
    """Return the mail of a delivery: the same at every attempt, so that one that arrives twice can be told by its id."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = Address(addr_spec=recipient(delivery.url))
    mail["Message-ID"] = f"<{delivery.id}@{sender.domain}>"
    mail["Date"] = format_datetime(delivery.at)
    # No out-of-office notes, please (RFC 3834 §5).
    mail["Auto-Submitted"] = "auto-generated"
    if delivery.letter is not None:
        mail["Subject"] = one_line(delivery.letter.subject)
        mail.set_content(delivery.letter.text)
    else:
        mail["Subject"] = one_line(f"{delivery.event_type}{'' if delivery.livemode else ' (test)'}")
        mail.set_content(_event(delivery))
    return mail


def one_line(text: str) -> str:
    """Return a header's text with nothing in it that could begin another header."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _event(delivery: Delivery) -> str:
    try:
        obj: Any = json.loads(delivery.body)["data"]["object"]
        lines = [f"{name}: {one_line(str(obj[name]))}" for name in _SHOWN if obj.get(name) is not None]
    except (ValueError, KeyError, TypeError, AttributeError):
        lines = []
    text = delivery.body.decode(errors="replace")
    return "\n".join([delivery.event_type, "", *lines, "", "A mail proves nothing: before you act on it, look the object up.", "", text, ""])
