"""Merchants, the keys by which their shops speak for them, and their public receiving material."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.invoices import LatePolicy, Tolerance
from pepay_core.domain.refunds import SelfService

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pepay_core.domain.assets import AssetId, ChainId
    from pepay_core.domain.chains import Finality
    from pepay_core.domain.ids import KeyId, MerchantId, WalletId

SCOPES: Final = (
    "invoices:read",
    "invoices:write",
    "webhooks:read",
    "webhooks:write",
    "wallets:read",
    "wallets:write",
    "merchant:read",
    "merchant:write",
    "keys:read",
    "keys:write",
    "reports:read",
    "refunds:read",
    "refunds:write",
    "members:read",
    "members:write",
    "audit:read",
)
"""What may be allowed; ``:write`` includes ``:read`` of the same."""

KEY_SCOPES: Final = tuple(scope for scope in SCOPES if not scope.startswith("members:"))
"""What a key may be allowed to do: everything, except to say who is who."""


@dataclass(frozen=True, slots=True)
class Merchant:
    """A tenant and its preferences. ``tokens`` are the accepted assets in order; None stands for every one that is known."""

    id: MerchantId
    name: str
    created_at: datetime
    currency: str = "USD"
    tokens: tuple[AssetId, ...] | None = None
    settlement_asset: AssetId | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)
    late_policy: LatePolicy = LatePolicy.ACCEPT
    finality: Mapping[ChainId, Finality] = field(default_factory=dict["ChainId", "Finality"])
    branding: Mapping[str, Any] = field(default_factory=dict[str, Any])
    embed_origins: tuple[str, ...] = ()
    self_service: SelfService = field(default_factory=SelfService)
    suspended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret: of that only a keyed digest is kept. ``made_by`` is who made it: another key, a user, or the command line."""

    id: KeyId
    merchant: MerchantId
    livemode: bool
    name: str
    scopes: tuple[str, ...]
    digest: bytes = field(repr=False)
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    allowed_ips: tuple[str, ...] = ()
    writes_per_minute: int | None = None
    not_before: datetime | None = None
    made_by: str | None = None

    def may(self, scope: str) -> bool:
        """Tell whether the key has a scope, or the writing one that includes it."""
        return scope in self.scopes or (scope.endswith(":read") and f"{scope.removesuffix(':read')}:write" in self.scopes)


@dataclass(frozen=True, slots=True)
class Wallet:
    """Public receiving material of a merchant on a family of chains; ``value`` is the canonical text that the driver returned."""

    id: WalletId
    merchant: MerchantId
    livemode: bool
    family: str
    kind: str
    value: str
    label: str | None
    created_at: datetime
    archived_at: datetime | None = None
    next_index: int = 0
