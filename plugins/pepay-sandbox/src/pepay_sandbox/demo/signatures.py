"""Checking that a webhook comes from PePay, in both schemes: what a receiver does, with nothing but the standard library."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

TOLERANCE_SECONDS: Final = 300


def standard_is_valid(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Tell whether ``webhook-signature`` signs this body: the Standard Webhooks specification, 1.0."""
    identity, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not _recent(timestamp, 1, now):
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, f"{identity}.{timestamp}.".encode() + body, hashlib.sha256))
    given = [each.partition(",") for each in headers.get("webhook-signature", "").split()]
    return any(version == "v1" and hmac.compare_digest(signature.encode(), expected) for version, _, signature in given)


def pepay_is_valid(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Tell whether ``X-Pepay-Signature`` signs this body."""
    timestamp = headers.get("X-Pepay-Timestamp", "")
    if not _recent(timestamp, 1000, now):
        return False
    expected = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(headers.get("X-Pepay-Signature", "").encode(), expected.encode())


def _recent(timestamp: str, per_second: int, now: float) -> bool:
    if not (timestamp.isascii() and timestamp.isdigit()):
        return False
    return abs(int(timestamp) / per_second - now) <= TOLERANCE_SECONDS
