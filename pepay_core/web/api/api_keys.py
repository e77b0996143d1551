"""API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pepay_core.domain import ids
from pepay_core.services.keeping_keys import MAX_NAME, MAX_NETWORKS, MAX_RATE, KeyRequest
from pepay_core.web.operations import operation
from pepay_core.web.schemas import Nothing, Paging, Seconds, Sent

if TYPE_CHECKING:
    from pepay_core.services.paging import Slice
    from pepay_core.web.operations import Call

_READ: Final = "keys:read"
_WRITE: Final = "keys:write"
_KEY: Final = {"key": ids.KEY}

Scope = Literal[
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
    "audit:read",
]
Network = Annotated[str, Meta(min_length=1, max_length=60, examples=["203.0.113.0/24"])]


class CreateKey(Sent):
    """What a key shall be able to do, for how long (seconds), and from where."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=20)]
    expires_in: Annotated[int, Meta(ge=60, le=10 * 366 * 86_400)] | None = None
    allowed_ips: Annotated[list[Network], Meta(max_length=MAX_NETWORKS)] = msgspec.field(default_factory=list)
    writes_per_minute: Annotated[int, Meta(ge=1, le=MAX_RATE)] | None = None


class ApiKey(msgspec.Struct):
    """A key without its secret."""

    object: Literal["api_key"]
    id: str
    livemode: bool
    name: str
    scopes: list[str]
    allowed_ips: list[str]
    writes_per_minute: int | None
    created_at: Seconds
    expires_at: Seconds | None
    revoked_at: Seconds | None
    last_used_at: Seconds | None


class NewApiKey(ApiKey):
    """A key with its text, which is shown this once."""

    key: str


@operation("POST", "/api/v1/api-keys", tag="API keys", access=_WRITE, status=201, body=CreateKey, gives=NewApiKey)
async def create_api_key(call: Call[Nothing, CreateKey]) -> dict[str, Any]:
    """Make a key of the same environment, whose scopes are no wider than those of the key that makes it."""
    sent = call.body
    request = KeyRequest(sent.name, tuple(sent.scopes), sent.expires_in, tuple(sent.allowed_ips), sent.writes_per_minute)
    return await call.runtime.keys.create(call.caller, request)


@operation("GET", "/api/v1/api-keys", tag="API keys", access=_READ, query=Paging, gives=ApiKey, many=True)
async def list_api_keys(call: Call[Paging, None]) -> Slice[dict[str, Any]]:
    """List keys, newest first, revoked ones included."""
    return await call.runtime.keys.page(call.caller, call.query.page())


@operation("DELETE", "/api/v1/api-keys/{key}", tag="API keys", access=_WRITE, ids=_KEY, gives=ApiKey)
async def revoke_api_key(call: Call[Nothing, None]) -> dict[str, Any]:
    """Revoke a key, at once and for good."""
    return await call.runtime.keys.revoke(call.caller, call.path["key"])


OPERATIONS: Final = (create_api_key, list_api_keys, revoke_api_key)
