"""Both signatures of a webhook, over the bytes that are sent. Times are integers, so that there is one way to write them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import Final

PREFIX: Final = "whsec_"
_ID: Final = re.compile(r"[A-Za-z0-9_-]+")


def standard_signature(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """Return ``v1,`` and the base64 signature of the Standard Webhooks specification; ``timestamp`` is in seconds.

    Raises ValueError for an id with other characters than letters, digits, ``_`` and ``-``, which could be read in two ways.
    """
    if not _ID.fullmatch(id):
        raise ValueError("a webhook id has letters, digits, _ and - only")
    digest = hmac.digest(_key(secret), b"%s.%d.%s" % (id.encode(), timestamp, body), hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def pepay_signature(secret: str, timestamp_ms: int, body: bytes) -> str:
    """Return the hexadecimal signature of ``X-Pepay-Signature``, whose key is the whole secret as text; the time is in milliseconds."""
    _key(secret)
    return hmac.digest(secret.encode(), b"%d.%s" % (timestamp_ms, body), hashlib.sha256).hex()


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True) if secret.startswith(PREFIX) else b""
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError(f"a signing secret is {PREFIX} followed by base64")
    return key
