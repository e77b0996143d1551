"""The end of connecting a shop: its server fetches the key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta

from pepay_core.domain.errors import InvalidGrant, RateLimited
from pepay_core.web.access import DOOR
from pepay_core.web.api.api_keys import NewApiKey
from pepay_core.web.operations import operation
from pepay_core.web.schemas import Nothing, Sent

if TYPE_CHECKING:
    from pepay_core.web.operations import Call


class FetchKey(Sent):
    """The code that the shop was sent back with, and the secret whose SHA-256 it began with (RFC 7636)."""

    code: Annotated[str, Meta(max_length=100)]
    code_verifier: Annotated[str, Meta(min_length=43, max_length=128)]


class ConnectedKey(NewApiKey):
    """The shop's key, shown this once, and whose it is."""

    merchant: str


@operation("POST", "/connect/token", tag="API keys", access=DOOR, status=201, body=FetchKey, gives=ConnectedKey, refuses=(InvalidGrant, RateLimited))
async def fetch_connected_key(call: Call[Nothing, FetchKey]) -> dict[str, Any]:
    """Fetch the key that a merchant has agreed to.

    From the shop's server, within two minutes. A code works once: who tries it with another secret has used it up.
    """
    return await call.runtime.connecting.exchange(call.body.code, call.body.code_verifier)


OPERATIONS: Final = (fetch_connected_key,)
