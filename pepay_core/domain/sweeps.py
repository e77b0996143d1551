"""Sweeps: money that went on from an issued destination to the merchant's own account, and what is left of what came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.domain.assets import AssetId
    from pepay_core.domain.chains import Departure
    from pepay_core.domain.ids import InvoiceId, MerchantId, WalletId


@dataclass(frozen=True, slots=True)
class Sweep:
    """A departure from a destination that was issued here; not ``active`` once its block has left the chain."""

    departure: Departure
    invoice: InvoiceId
    merchant: MerchantId
    livemode: bool
    wallet: WalletId
    seen_at: datetime
    active: bool = True


@dataclass(frozen=True, slots=True)
class Balance:
    """What came to a wallet's destinations in one asset, final payments only, and what went on from them, in base units."""

    asset: AssetId
    received: int
    swept: int

    @property
    def waiting(self) -> int:
        """What lies there still. Never negative: what nobody was credited for, or not yet, can be swept too."""
        return max(self.received - self.swept, 0)
