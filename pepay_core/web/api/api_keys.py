"""API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pepay_core.domain import ids
from pepay_core.domain.lifetimes import LONGEST, SHORTEST, read_lifetime
from pepay_core.services.keeping_keys import MAX_NAME, MAX_NETWORKS, MAX_OVERLAP, MAX_RATE, USUAL_OVERLAP, KeyRequest
from pepay_core.web.operations import operation
from pepay_core.web.schemas import Nothing, Paging, Seconds, Sent, Time, moment

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
Lifetime = Literal["1h", "1d", "7d", "30d", "90d", "1y", "never"]
Network = Annotated[str, Meta(min_length=1, max_length=60, examples=["203.0.113.0/24"])]


class CreateKey(Sent):
    """What a key shall be able to do, from when, for how long (seconds, or one of the usual times; ninety days when not said), and from where."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=20)]
    expires_in: Annotated[int, Meta(ge=SHORTEST, le=LONGEST)] | Lifetime | None = None
    not_before: Time | int | None = None
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
    made_by: Annotated[str | None, Meta(description="Another key, a user, or the command line.")]
    created_at: Seconds
    not_before: Seconds | None
    expires_at: Seconds | None
    revoked_at: Seconds | None
    last_used_at: Seconds | None


class NewApiKey(ApiKey):
    """A key with its text, which is shown this once."""

    key: str


class RotateKey(Sent):
    """For how many seconds the old key goes on; 0 ends it at once."""

    overlap: Annotated[int, Meta(ge=0, le=MAX_OVERLAP)] = USUAL_OVERLAP


class RotatedApiKey(NewApiKey):
    """The new key, with its text, and until when the old one goes on."""

    replaces: str
    replaced_expires_at: Seconds


@operation("POST", "/api/v1/api-keys", tag="API keys", access=_WRITE, fresh=True, status=201, body=CreateKey, gives=NewApiKey)
async def create_api_key(call: Call[Nothing, CreateKey]) -> dict[str, Any]:
    """Make a key of the same environment.

    It expires after ninety days unless something else is asked for. A key that makes another gives it no more than it has itself:
    neither scopes, nor time, nor addresses, nor requests per minute.
    """
    sent = call.body
    lifetime = ... if sent.expires_in is None else read_lifetime(sent.expires_in) if isinstance(sent.expires_in, str) else sent.expires_in
    begins = None if sent.not_before is None else moment(str(sent.not_before), "not_before")
    request = KeyRequest(sent.name, tuple(sent.scopes), lifetime, tuple(sent.allowed_ips), sent.writes_per_minute, begins)
    return await call.runtime.keys.create(call.caller, request)


@operation("GET", "/api/v1/api-keys", tag="API keys", access=_READ, query=Paging, gives=ApiKey, many=True)
async def list_api_keys(call: Call[Paging, None]) -> Slice[dict[str, Any]]:
    """List keys, newest first, revoked ones included."""
    return await call.runtime.keys.page(call.caller, call.query.page())


@operation("DELETE", "/api/v1/api-keys/{key}", tag="API keys", access=_WRITE, ids=_KEY, gives=ApiKey)
async def revoke_api_key(call: Call[Nothing, None]) -> dict[str, Any]:
    """Revoke a key, at once and for good."""
    return await call.runtime.keys.revoke(call.caller, call.path["key"])


@operation(
    "POST", "/api/v1/api-keys/{key}/rotate", tag="API keys", access=_WRITE, fresh=True, ids=_KEY, status=201, body=RotateKey, gives=RotatedApiKey
)
async def rotate_api_key(call: Call[Nothing, RotateKey]) -> dict[str, Any]:
    """Replace a key by a new one that may do the same; for a while both are good."""
    return await call.runtime.keys.rotate(call.caller, call.path["key"], call.body.overlap)


OPERATIONS: Final = (create_api_key, list_api_keys, revoke_api_key, rotate_api_key)
