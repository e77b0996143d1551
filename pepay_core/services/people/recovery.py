"""Recovery codes: for whoever has lost their phone. Each signs in once, beside the password."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pepay_core.domain.ids import UserId
    from pepay_core.secrets import Vault
    from pepay_core.services.ports import Transaction

HOW_MANY: Final = 10
_BYTES: Final = 10
LENGTH: Final = _BYTES * 8 // 5
"""Characters of base 32 for 80 bits."""


class Recovery:
    """Makes codes, and uses them up; of a code only a keyed digest is stored."""

    def __init__(self, vault: Vault) -> None:
        self._key = vault.derive("recovery-codes")

    async def issue(self, tx: Transaction, user: UserId) -> list[str]:
        """Return ten new codes in place of whatever was left of the old ones; they are not stored, and shown once."""
        codes = [base64.b32encode(secrets.token_bytes(_BYTES)).decode().lower() for _ in range(HOW_MANY)]
        await tx.recovery_codes.replace(user, [self._digest(user, code) for code in codes])
        return ["-".join(code[start : start + 4] for start in range(0, LENGTH, 4)) for code in codes]

    async def use(self, tx: Transaction, user: UserId, code: str) -> bool:
        """Use a code up; False when it is none of the user's, or was used already."""
        return await tx.recovery_codes.use(user, self._digest(user, code))

    def _digest(self, user: UserId, code: str) -> str:
        return hmac.digest(self._key, f"{user} {code}".encode("utf-8", "surrogatepass"), hashlib.sha256).hex()
