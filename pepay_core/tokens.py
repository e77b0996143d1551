"""Client tokens: what a buyer holds to see one invoice and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pepay_core.secrets import Vault

_BYTES: Final = 24


class ClientTokens:
    """Makes and checks client tokens. None is stored: a token is a keyed hash of its invoice's id."""

    def __init__(self, vault: Vault) -> None:
        self._key = vault.derive("client-token")

    def issue(self, invoice_id: str) -> str:
        """Return the token of an invoice: 32 URL-safe characters, the same at every call."""
        digest = hmac.digest(self._key, invoice_id.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:_BYTES]).decode()

    def verify(self, invoice_id: str, token: str) -> bool:
        """Tell whether a token belongs to an invoice, in a time that does not tell how nearly."""
        return hmac.compare_digest(self.issue(invoice_id).encode(), token.encode("utf-8", "surrogatepass"))
