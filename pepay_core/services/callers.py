"""On whose behalf a service acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pepay_core.domain.errors import Forbidden
from pepay_core.domain.ids import KEY, USER, is_id

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.domain.ids import MerchantId


@dataclass(frozen=True, slots=True)
class Caller:
    """A merchant's environment, and what may be done there. ``name`` is what decisions and logs show: a key's id, or ``buyer``."""

    merchant: MerchantId
    livemode: bool
    name: str
    scopes: frozenset[str] = frozenset()
    writes_per_minute: int | None = None
    expires_at: datetime | None = None
    allowed_ips: tuple[str, ...] = ()

    @property
    def is_key(self) -> bool:
        """Whether this is an API key, which can hand on no more than it has."""
        return is_id(KEY, self.name)

    def may(self, scope: str) -> bool:
        """Tell whether the caller has a scope, or the writing one that includes it."""
        return scope in self.scopes or (scope.endswith(":read") and f"{scope.removesuffix(':read')}:write" in self.scopes)

    def need(self, scope: str) -> None:
        """Raise Forbidden unless the caller has a scope, or the writing one that includes it."""
        if self.may(scope):
            return
        raise Forbidden(f"{'your role' if is_id(USER, self.name) else 'this key'} lacks the scope {scope}")
