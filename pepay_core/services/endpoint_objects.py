"""Endpoints and deliveries as the API and events show them, without their secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pepay_core.domain.endpoints import DeliveryState
from pepay_core.services.presenting import seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pepay_core.domain.endpoints import Attempt, Endpoint, EventDelivery


def endpoint_object(endpoint: Endpoint) -> dict[str, Any]:
    """Return an endpoint; its secret is added by those who may show it."""
    return {
        "object": "webhook_endpoint",
        "id": endpoint.id,
        "livemode": endpoint.livemode,
        "url": endpoint.url,
        "enabled_events": list(endpoint.events),
        "description": endpoint.description,
        "disabled": endpoint.disabled_at is not None,
        "disabled_at": seconds(endpoint.disabled_at),
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": seconds(endpoint.failing_since),
        "previous_until": seconds(endpoint.previous_until),
        "created_at": seconds(endpoint.created_at),
    }


def delivery_object(delivery: EventDelivery, attempts: Sequence[Attempt], *, livemode: bool) -> dict[str, Any]:
    """Return a delivery with everything that was tried."""
    return {
        "object": "delivery",
        "id": delivery.id,
        "livemode": livemode,
        "event": delivery.event,
        "event_type": delivery.event_type,
        "endpoint": delivery.endpoint,
        "state": str(delivery.state),
        "attempt_count": delivery.attempts,
        "next_attempt_at": seconds(delivery.next_at) if delivery.state is DeliveryState.PENDING else None,
        "delivered_at": seconds(delivery.delivered_at),
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
        "created_at": seconds(delivery.created_at),
        "attempts": [
            {"at": seconds(each.at), "status": each.status, "error": each.error, "excerpt": each.excerpt, "duration_ms": each.duration_ms}
            for each in sorted(attempts, key=lambda each: each.number)
        ],
    }
