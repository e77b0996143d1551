"""On whose behalf a service acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pepay_core.domain.errors import Forbidden

if TYPE_CHECKING:
    from pepay_core.domain.ids import MerchantId


@dataclass(frozen=True, slots=True)
class Caller:
    """A merchant's environment, and what may be done there. ``name`` is what decisions and logs show: a key's id, or ``buyer``."""

    merchant: MerchantId
    livemode: bool
    name: str
    scopes: frozenset[str] = frozenset()
    writes_per_minute: int | None = None

    def need(self, scope: str) -> None:
        """Raise Forbidden unless the caller has a scope, or the writing one that includes it."""
        if scope in self.scopes or (scope.endswith(":read") and f"{scope.removesuffix(':read')}:write" in self.scopes):
            return
        raise Forbidden(f"this key lacks the scope {scope}")
