"""Prefixed, sortable object ids, and the NewTypes that keep them apart."""

from __future__ import annotations

import re
from typing import Final, NewType

InvoiceId = NewType("InvoiceId", str)
PaymentId = NewType("PaymentId", str)
EventId = NewType("EventId", str)
EndpointId = NewType("EndpointId", str)
DeliveryId = NewType("DeliveryId", str)
KeyId = NewType("KeyId", str)
MerchantId = NewType("MerchantId", str)
WalletId = NewType("WalletId", str)
QuoteId = NewType("QuoteId", str)
RefundId = NewType("RefundId", str)
MailId = NewType("MailId", str)
UserId = NewType("UserId", str)
SessionId = NewType("SessionId", str)
InvitationId = NewType("InvitationId", str)
PasskeyId = NewType("PasskeyId", str)
ReplayId = NewType("ReplayId", str)

INVOICE: Final = "inv"
PAYMENT: Final = "pay"
EVENT: Final = "evt"
ENDPOINT: Final = "whk"
DELIVERY: Final = "dlv"
KEY: Final = "key"
MERCHANT: Final = "mer"
WALLET: Final = "wal"
QUOTE: Final = "quo"
REFUND: Final = "ref"
MAIL: Final = "msg"
USER: Final = "usr"
SESSION: Final = "ses"
INVITATION: Final = "ivt"
PASSKEY: Final = "psk"
REPLAY: Final = "rpl"
AUDIT: Final = "aud"

# Crockford's base 32 in lower case: no i, l, o, u, and the order of the characters is the order of the values.
ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_CHARS: Final = 10
_RANDOM_CHARS: Final = 16
_SHAPE: Final = re.compile(rf"([a-z]{{3}})_([{ALPHABET}]{{{_TIME_CHARS + _RANDOM_CHARS}}})")


def make_id(prefix: str, at_ms: int, randomness: int) -> str:
    """Return ``prefix_`` + 26 characters that sort by time: 48 bits of milliseconds, then 80 bits given by the caller."""
    value = (at_ms & (2**48 - 1)) << 80 | (randomness & (2**80 - 1))
    chars: list[str] = []
    for _ in range(_TIME_CHARS + _RANDOM_CHARS):
        chars.append(ALPHABET[value & 31])
        value >>= 5
    return f"{prefix}_{''.join(reversed(chars))}"


def is_id(prefix: str, text: str) -> bool:
    """Tell whether a text has the form of an id with this prefix."""
    match = _SHAPE.fullmatch(text)
    return match is not None and match[1] == prefix
