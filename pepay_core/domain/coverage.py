"""What has been looked at: contiguous ranges of blocks per chain, and which destinations were being watched."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.domain.assets import ChainId
    from pepay_core.domain.chains import Destination
    from pepay_core.domain.ids import InvoiceId, MerchantId, WalletId


@dataclass(frozen=True, slots=True)
class Coverage:
    """Blocks ``first`` to ``last`` were looked at without a gap; nothing that arrived up to ``until`` is unknown."""

    chain: ChainId
    first: int
    last: int
    last_hash: str
    until: datetime


class ChainHealth(StrEnum):
    """How a chain's watcher fares."""

    STARTING = "starting"
    HEALTHY = "healthy"
    DEGRADED = "degraded"


@dataclass(frozen=True, slots=True)
class ChainState:
    """What the watcher last knew of a chain; ``reason`` says what is wrong while it is degraded."""

    chain: ChainId
    health: ChainHealth
    reason: str | None
    tip: int | None
    tip_time: datetime | None
    checked_at: datetime


@dataclass(frozen=True, slots=True)
class IssuedDestination:
    """A destination that was given to a buyer for an invoice; watched until ``watch_until``, or for as long as the invoice is open."""

    invoice: InvoiceId
    merchant: MerchantId
    livemode: bool
    family: str
    destination: Destination
    wallet: WalletId
    index: int
    issued_at: datetime
    watch_until: datetime
