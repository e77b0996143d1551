"""Mail addresses: personal data, so they are sealed at rest and found by a keyed digest."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import InvalidInput
from pepay_core.domain.mails import check_mail_address

if TYPE_CHECKING:
    from pepay_core.secrets import Vault

PURPOSE: Final = "user-email"
"""What addresses are sealed for, under the id of their row."""


def canonical(text: str, field: str = "email") -> str:
    """Return an address that somebody typed as mail is sent to it; raises InvalidInput for one that no mail would reach."""
    return check_mail_address(text.strip(), field=field)


class Emails:
    """Seals addresses into their rows, and finds them again without opening any."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._key = vault.derive("user-email")

    def digest(self, address: str) -> str:
        """Return what an address is found by, however its letters are written."""
        with contextlib.suppress(InvalidInput):  # nobody has such an address, and whoever asks is told no more than that
            address = canonical(address)
        return hmac.digest(self._key, address.strip().casefold().encode("utf-8", "surrogatepass"), hashlib.sha256).hex()

    def seal(self, row: str, address: str) -> bytes:
        """Return an address sealed for one row."""
        return self._vault.seal(PURPOSE, row, address.encode())

    def open(self, row: str, sealed: bytes) -> str:
        """Return the address that was sealed for a row."""
        return self._vault.open(PURPOSE, row, sealed).decode()
