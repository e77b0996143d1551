"""Mail addresses: personal data, so they are sealed at rest and found by a keyed digest."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import InvalidInput

if TYPE_CHECKING:
    from pepay_core.secrets import Vault

_SHAPE: Final = re.compile(r"[^@\s\x00-\x1f\x7f<>\"(),:;\\]{1,64}@[^@\s\x00-\x1f\x7f<>\"(),:;\\]{1,255}")
MAX_LENGTH: Final = 254

PURPOSE: Final = "user-email"
"""What addresses are sealed for, under the id of their row."""


def canonical(text: str, field: str = "email") -> str:
    """Return an address as it is written to, its domain in lower case; raises InvalidInput for what is none."""
    address = unicodedata.normalize("NFC", text.strip())
    if len(address) > MAX_LENGTH or not _SHAPE.fullmatch(address) or ".." in address or address.endswith("."):
        raise InvalidInput("is not a mail address", field=field)
    name, _, domain = address.rpartition("@")
    return f"{name}@{domain.lower()}"


class Emails:
    """Seals addresses into their rows, and finds them again without opening any."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._key = vault.derive("user-email")

    def digest(self, address: str) -> str:
        """Return what an address is found by, however its letters are written."""
        return hmac.digest(self._key, address.strip().casefold().encode("utf-8", "surrogatepass"), hashlib.sha256).hex()

    def seal(self, row: str, address: str) -> bytes:
        """Return an address sealed for one row."""
        return self._vault.seal(PURPOSE, row, address.encode())

    def open(self, row: str, sealed: bytes) -> str:
        """Return the address that was sealed for a row."""
        return self._vault.open(PURPOSE, row, sealed).decode()
