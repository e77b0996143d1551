"""Webhook endpoints, and what became of each delivery to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.domain.ids import DeliveryId, EndpointId, EventId, MerchantId


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a merchant wants to be told of events. The secrets are sealed; ``previous_secret`` still signs until ``previous_until``."""

    id: EndpointId
    merchant: MerchantId
    livemode: bool
    scheme: str
    url: str
    events: tuple[str, ...]
    secret: bytes = field(repr=False)
    created_at: datetime
    description: str | None = None
    previous_secret: bytes | None = field(repr=False, default=None)
    previous_until: datetime | None = None
    failing_since: datetime | None = None
    disabled_at: datetime | None = None
    disabled_reason: str | None = None


class DeliveryState(StrEnum):
    """How a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up: the schedule is exhausted, or the endpoint was disabled."""


@dataclass(frozen=True, slots=True)
class EventDelivery:
    """The delivery of one event to one endpoint. ``next_at`` is when it is due; a claim moves it past the claimer's lease."""

    id: DeliveryId
    event: EventId
    event_type: str
    endpoint: EndpointId
    merchant: MerchantId
    state: DeliveryState
    attempts: int
    created_at: datetime
    next_at: datetime | None
    delivered_at: datetime | None = None
    last_status: int | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a delivery: what was answered, or what went wrong, and how long it took in milliseconds."""

    delivery: DeliveryId
    number: int
    at: datetime
    status: int | None
    error: str | None
    excerpt: str
    duration_ms: int
