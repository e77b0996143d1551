"""Events: facts, written in the transaction that caused them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.domain.ids import EventId, MerchantId

API_DATE: Final = "2026-11-01"
"""The version of the event envelope."""

INVOICE_CREATED: Final = "invoice.created"
INVOICE_REVERTED: Final = "invoice.reverted"
INVOICE_REOPENED: Final = "invoice.reopened"
INVOICE_RESOLVED: Final = "invoice.resolved"
INVOICE_PARTIAL_PAYMENT: Final = "invoice.partial_payment"
REFUND_CREATED: Final = "refund.created"
REFUND_COMPLETED: Final = "refund.completed"
REFUND_FAILED: Final = "refund.failed"
PAYMENT_DETECTED: Final = "payment.detected"
PAYMENT_CONFIRMED: Final = "payment.confirmed"
PAYMENT_REVERTED: Final = "payment.reverted"
PAYMENT_UNMATCHED: Final = "payment.unmatched"
CHAIN_DEGRADED: Final = "chain.degraded"
CHAIN_RECOVERED: Final = "chain.recovered"
WEBHOOK_DISABLED: Final = "webhook.disabled"
TEST_PING: Final = "test.ping"

TYPES: Final = (
    INVOICE_CREATED,
    "invoice.processing",
    "invoice.paid",
    "invoice.underpaid",
    "invoice.overpaid",
    "invoice.expired",
    "invoice.canceled",
    INVOICE_REVERTED,
    INVOICE_REOPENED,
    INVOICE_RESOLVED,
    INVOICE_PARTIAL_PAYMENT,
    PAYMENT_DETECTED,
    PAYMENT_CONFIRMED,
    PAYMENT_REVERTED,
    PAYMENT_UNMATCHED,
    "conversion.completed",
    "conversion.failed",
    REFUND_CREATED,
    REFUND_COMPLETED,
    REFUND_FAILED,
    CHAIN_DEGRADED,
    CHAIN_RECOVERED,
    WEBHOOK_DISABLED,
    TEST_PING,
)
"""Every event type there is."""

LITERAL_ONLY: Final = frozenset({INVOICE_PARTIAL_PAYMENT})
"""Sent only to endpoints that list the type by its own name."""


@dataclass(frozen=True, slots=True)
class Event:
    """A fact about one object, with the object as it was then. ``body`` is the envelope as it is stored, sent and signed."""

    id: EventId
    type: str
    merchant: MerchantId
    livemode: bool
    created: datetime
    subject: str
    body: bytes


def envelope(
    event_id: EventId, kind: str, merchant: MerchantId, *, livemode: bool, created: datetime, obj: dict[str, Any], previous: dict[str, Any]
) -> dict[str, Any]:
    """Return the envelope that webhooks, the events list and the stream share."""
    return {
        "id": event_id,
        "object": "event",
        "api_version": API_DATE,
        "type": kind,
        "created": int(created.timestamp()),
        "livemode": livemode,
        "merchant": merchant,
        "data": {"object": obj, "previous_attributes": previous},
    }


def is_filter(text: str) -> bool:
    """Tell whether a text is ``*``, a known type, or the first part of one followed by ``.*``."""
    return text == "*" or text in TYPES or (text.endswith(".*") and any(kind.startswith(text[:-1]) for kind in TYPES))


def matches(filters: tuple[str, ...], kind: str) -> bool:
    """Tell whether an endpoint with these filters is told of a type."""
    if kind in filters:
        return True
    if kind in LITERAL_ONLY:
        return False
    return "*" in filters or any(each.endswith(".*") and kind.startswith(each[:-1]) for each in filters)
