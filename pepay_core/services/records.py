"""What crosses the port to storage and is nobody's domain: claims, remembered answers, history rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from pepay_core.domain.assets import AssetId, ChainId
    from pepay_core.domain.endpoints import Endpoint, EventDelivery
    from pepay_core.domain.events import Event
    from pepay_core.domain.rates import Evidence

    TransferKey: TypeAlias = tuple[ChainId, str, str, AssetId]


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A due delivery that this process has taken, with what it needs to be made."""

    delivery: EventDelivery
    event: Event
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """An answer that a repeated request gets again."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """A sealed record where it stands: ``key`` is its row's, ``purpose`` and ``row`` are what it was sealed for.

    ``sealed`` is None for what was stored in clear, which is then in ``clear``.
    """

    key: str | int
    purpose: str
    row: str
    sealed: bytes | None
    clear: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RateRecord:
    """A rate as it was agreed on at a time; ``value`` is None when there was none, and ``reason`` says why."""

    at: datetime
    value: Decimal | None
    reason: str | None
    evidence: tuple[Evidence, ...]
