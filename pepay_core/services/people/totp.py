"""One-time codes by time (RFC 6238): SHA-1, 30 seconds, six digits, as every authenticator app takes them."""

from __future__ import annotations

import base64
import hmac
import secrets
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from datetime import datetime

SECONDS: Final = 30
DIGITS: Final = 6
_SECRET_BYTES: Final = 20
_DRIFT: Final = 1


def new_secret() -> bytes:
    """Return a new secret of 160 bits."""
    return secrets.token_bytes(_SECRET_BYTES)


def step_at(moment: datetime) -> int:
    """Return the time step that a moment is in."""
    return int(moment.timestamp()) // SECONDS


def code_of(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """Return the code of a time step."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def step_of(secret: bytes, code: str, moment: datetime) -> int | None:
    """Return the step whose code this is, the present one or one beside it; None where it is none of theirs."""
    present, found = step_at(moment), None
    for step in range(present - _DRIFT, present + _DRIFT + 1):
        if hmac.compare_digest(code_of(secret, step).encode(), code.encode("utf-8", "surrogatepass")):
            found = step
    return found


def shown(secret: bytes) -> str:
    """Return a secret as people type it into an app."""
    return base64.b32encode(secret).decode()


def link(secret: bytes, email: str, issuer: str = "PePay") -> str:
    """Return a secret as apps read it from a QR code."""
    return f"otpauth://totp/{quote(issuer)}:{quote(email)}?secret={shown(secret)}&issuer={quote(issuer)}"
