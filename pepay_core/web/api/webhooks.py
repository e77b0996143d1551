"""Webhook endpoints and what was delivered to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pepay_core.domain import ids
from pepay_core.domain.errors import Conflict, EgressRefused, InvalidInput, Unavailable
from pepay_core.domain.ids import DeliveryId, EndpointId
from pepay_core.services.endpoints import MAILTO, MAX_DESCRIPTION, MAX_FILTERS, MAX_OVERLAP, MAX_URL
from pepay_core.web.operations import operation
from pepay_core.web.schemas import Nothing, Paging, Seconds, Sent

if TYPE_CHECKING:
    from pepay_core.services.paging import Slice
    from pepay_core.web.operations import Call

_READ: Final = "webhooks:read"
_WRITE: Final = "webhooks:write"
_ENDPOINT: Final = {"webhook": ids.ENDPOINT}
_DAY: Final = 86_400

Url = Annotated[str, Meta(min_length=1, max_length=MAX_URL, examples=["https://shop.example.com/pepay"])]
Filter = Annotated[str, Meta(min_length=1, max_length=80, description="A type, the first part of one with .*, or *.", examples=["invoice.*"])]
Filters = Annotated[list[Filter], Meta(min_length=1, max_length=MAX_FILTERS)]
Description = Annotated[str, Meta(max_length=MAX_DESCRIPTION)]


class CreateWebhook(Sent):
    """Where to be told, and of what. ``environment`` is the key's own, by either of its names; naming another one is an error."""

    url: Url
    enabled_events: Filters = msgspec.field(default_factory=lambda: ["*"])
    description: Description | None = None
    environment: Literal["test", "live", "devnet", "mainnet"] | None = None


class ChangeWebhook(Sent):
    """What shall be different."""

    url: Url | None = None
    enabled_events: Filters | None = None
    description: Description | UnsetType | None = UNSET
    disabled: bool | None = None


class RotateSecret(Sent):
    """For how many seconds the old secret signs too."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=int(MAX_OVERLAP.total_seconds()))] = _DAY


class Webhook(msgspec.Struct):
    """Where events are sent."""

    object: Literal["webhook_endpoint"]
    id: str
    livemode: bool
    url: str
    enabled_events: list[str]
    description: str | None
    disabled: bool
    disabled_at: Seconds | None
    disabled_reason: str | None
    failing_since: Seconds | None
    previous_until: Annotated[int, Meta(description="Until when the secret before this one signs too.")] | None
    created_at: Seconds


class WebhookWithSecret(Webhook):
    """An endpoint with its secret, which is shown this once."""

    secret: Annotated[str, Meta(description="Signs every delivery; keep it.")]


class Attempt(msgspec.Struct):
    """One try."""

    at: Seconds
    status: int | None
    error: str | None
    excerpt: str
    duration_ms: int


class Delivery(msgspec.Struct):
    """The telling of one event to one endpoint."""

    object: Literal["delivery"]
    id: str
    livemode: bool
    event: str
    event_type: str
    endpoint: str
    state: Literal["pending", "delivered", "failed"]
    attempt_count: int
    next_attempt_at: Seconds | None
    delivered_at: Seconds | None
    last_status: int | None
    last_error: str | None
    created_at: Seconds
    attempts: list[Attempt]


class DeletedWebhook(msgspec.Struct):
    """What is gone."""

    object: Literal["webhook_endpoint"]
    id: str
    deleted: bool


class EventData(msgspec.Struct):
    """What an event is about, as it was then."""

    object: dict[str, Any]
    previous_attributes: dict[str, Any]


class Event(msgspec.Struct):
    """A fact: the same envelope as in webhooks."""

    id: str
    object: Literal["event"]
    api_version: str
    type: str
    created: Seconds
    livemode: bool
    merchant: str
    data: EventData
    example: (
        Annotated[Literal[True], Meta(description="Nothing of the kind has happened: made by `pepay trigger`, with test keys only.")] | UnsetType
    ) = UNSET


class EventFilter(Paging):
    """Which events."""

    type: Annotated[str, Meta(max_length=300, description="Types, separated by commas.", examples=["invoice.paid"])] | UnsetType = UNSET


@operation(
    "POST",
    "/api/v1/webhooks",
    tag="Webhooks",
    access=_WRITE,
    fresh=True,
    status=201,
    body=CreateWebhook,
    gives=WebhookWithSecret,
    refuses=(EgressRefused, Conflict, Unavailable),
)
async def create_webhook(call: Call[Nothing, CreateWebhook]) -> dict[str, Any]:
    """Register an endpoint; its signing secret is shown this once."""
    sent = call.body
    if sent.environment is not None and (sent.environment in {"live", "mainnet"}) is not call.caller.livemode:
        raise InvalidInput(f"this is a {'live' if call.caller.livemode else 'test'} key; use one of the other environment", field="environment")
    scheme = MAILTO if sent.url.lower().startswith(f"{MAILTO}:") else "webhook"
    return await call.runtime.endpoints.create(call.caller, sent.url, sent.enabled_events, sent.description, scheme=scheme)


@operation("GET", "/api/v1/webhooks", tag="Webhooks", access=_READ, query=Paging, gives=Webhook, many=True)
async def list_webhooks(call: Call[Paging, None]) -> Slice[dict[str, Any]]:
    """List endpoints."""
    return await call.runtime.endpoints.page(call.caller, call.query.page())


@operation("GET", "/api/v1/webhooks/{webhook}", tag="Webhooks", access=_READ, ids=_ENDPOINT, gives=Webhook)
async def get_webhook(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get an endpoint."""
    return await call.runtime.endpoints.get(call.caller, EndpointId(call.path["webhook"]))


@operation(
    "PATCH",
    "/api/v1/webhooks/{webhook}",
    tag="Webhooks",
    access=_WRITE,
    fresh=True,
    ids=_ENDPOINT,
    body=ChangeWebhook,
    gives=Webhook,
    refuses=(EgressRefused, Unavailable),
)
async def change_webhook(call: Call[Nothing, ChangeWebhook]) -> dict[str, Any]:
    """Change an endpoint, disable it, or enable it again."""
    sent = call.body
    return await call.runtime.endpoints.update(
        call.caller,
        EndpointId(call.path["webhook"]),
        url=sent.url,
        events=sent.enabled_events,
        description=... if sent.description is UNSET else sent.description,
        disabled=sent.disabled,
    )


@operation("DELETE", "/api/v1/webhooks/{webhook}", tag="Webhooks", access=_WRITE, ids=_ENDPOINT, gives=DeletedWebhook)
async def delete_webhook(call: Call[Nothing, None]) -> dict[str, Any]:
    """Remove an endpoint."""
    endpoint = EndpointId(call.path["webhook"])
    await call.runtime.endpoints.delete(call.caller, endpoint)
    return {"object": "webhook_endpoint", "id": endpoint, "deleted": True}


@operation(
    "POST",
    "/api/v1/webhooks/{webhook}/rotate-secret",
    tag="Webhooks",
    access=_WRITE,
    fresh=True,
    ids=_ENDPOINT,
    body=RotateSecret,
    gives=WebhookWithSecret,
)
async def rotate_webhook_secret(call: Call[Nothing, RotateSecret]) -> dict[str, Any]:
    """Replace an endpoint's secret; for a while both sign."""
    return await call.runtime.endpoints.rotate(call.caller, EndpointId(call.path["webhook"]), call.body.overlap_seconds)


@operation("POST", "/api/v1/webhooks/{webhook}/test", tag="Webhooks", access=_WRITE, ids=_ENDPOINT, gives=Event, refuses=(Conflict,))
async def test_webhook(call: Call[Nothing, None]) -> dict[str, Any]:
    """Send a test.ping to an endpoint."""
    return await call.runtime.endpoints.test(call.caller, EndpointId(call.path["webhook"]))


@operation("GET", "/api/v1/webhooks/{webhook}/deliveries", tag="Webhooks", access=_READ, ids=_ENDPOINT, query=Paging, gives=Delivery, many=True)
async def list_deliveries(call: Call[Paging, None]) -> Slice[dict[str, Any]]:
    """List what was, and is to be, delivered to an endpoint, newest first."""
    return await call.runtime.endpoints.deliveries(call.caller, EndpointId(call.path["webhook"]), call.query.page())


@operation(
    "POST",
    "/api/v1/webhooks/deliveries/{delivery}/redeliver",
    tag="Webhooks",
    access=_WRITE,
    ids={"delivery": ids.DELIVERY},
    gives=Delivery,
    refuses=(Conflict,),
)
async def redeliver(call: Call[Nothing, None]) -> dict[str, Any]:
    """Deliver an event again, now."""
    return await call.runtime.endpoints.redeliver(call.caller, DeliveryId(call.path["delivery"]))


@operation("GET", "/api/v1/events", tag="Events", access=_READ, query=EventFilter, gives=Event, many=True)
async def list_events(call: Call[EventFilter, None]) -> Slice[dict[str, Any]]:
    """List events, oldest first. Whoever reads on from the last one misses nothing."""
    kinds = tuple(filter(None, (call.query.type or "").split(",")))
    return await call.runtime.feed.page(call.caller, call.query.page(), kinds)


@operation("GET", "/api/v1/events/{event}", tag="Events", access=_READ, ids={"event": ids.EVENT}, gives=Event)
async def get_event(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get an event."""
    return await call.runtime.feed.get(call.caller, ids.EventId(call.path["event"]))


OPERATIONS: Final = (
    create_webhook,
    list_webhooks,
    get_webhook,
    change_webhook,
    delete_webhook,
    rotate_webhook_secret,
    test_webhook,
    list_deliveries,
    redeliver,
    list_events,
    get_event,
)
