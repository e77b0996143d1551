"""The one gate: everything needs a key, except what says of itself that anybody may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from pepay_core.domain.errors import NotFound, RateLimited, Refused, Unauthenticated
from pepay_core.domain.ids import INVOICE, is_id
from pepay_core.web.asgi.facts import facts
from pepay_core.web.limiting import BUYERS, READS, WRITES, address_key
from pepay_core.web.operations import ANYBODY

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler

    from pepay_core.runtime import Runtime
    from pepay_core.services.callers import Caller
    from pepay_core.web.limiting import Allowances, Standing

BUYER: Final = "buyer"
"""The marker of what the holder of an invoice's client token may do; the path names the invoice."""
BUYER_PAGE: Final = "buyer-page"
"""The same for pages: who has no token is told that there is no page."""
PLUGIN: Final = "plugin"
"""The marker of a plugin's route, which does its own authentication."""

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_READS_PER_WRITE: Final = 10


async def gate(connection: ASGIConnection[Any, Any, Any, Any], route: BaseRouteHandler) -> None:
    """Let a request in, or raise Unauthenticated, Forbidden, NotFound or RateLimited.

    A route says in ``opt["access"]`` which scope it needs, or that it is open; one that says nothing is open to no one
    but the holder of a key.
    """
    access = route.opt.get("access")
    if access in {ANYBODY, PLUGIN}:
        return
    if access in {BUYER, BUYER_PAGE}:
        await _admit_buyer(connection, Unauthenticated if access == BUYER else NotFound)
        return
    caller = await _authenticated(connection)
    await _charge_key(connection, caller)
    if access is not None:
        caller.need(access)


async def _authenticated(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller:
    text = _key_of(connection)
    if text is None:
        raise Unauthenticated("send an API key as x-api-key, or as Authorization: Bearer")
    runtime = cast("Runtime", connection.app.state.runtime)
    known = facts(connection.scope)
    caller = await runtime.authenticating.authenticate(text, known.address)
    known.caller = caller
    return caller


async def still_admitted(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Raise what the gate would raise if the key of a long answer came again; nothing is charged for it."""
    await _authenticated(connection)


def _key_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    key = connection.headers.get("x-api-key")
    if key is not None:
        return key
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


async def _admit_buyer(connection: ASGIConnection[Any, Any, Any, Any], refusal: type[Refused]) -> None:
    """Charge the buyer's address, or the key of a merchant's server that asks in the buyer's place, and check the token."""
    runtime = cast("Runtime", connection.app.state.runtime)
    known = facts(connection.scope)
    if _key_of(connection) is not None:
        try:
            await _charge_key(connection, await _authenticated(connection))
        except RateLimited:
            raise
        except Refused:
            known.caller = None
    if known.caller is None:
        limit = runtime.settings.limits.buyers_per_minute
        _settle(connection, await _allowances(connection).take(BUYERS, address_key(known.address), limit))
    invoice = str(connection.path_params["invoice"])
    token = connection.query_params.get("token") or connection.headers.get("x-pepay-token") or ""
    if not is_id(INVOICE, invoice) or not runtime.tokens.verify(invoice, token):
        raise refusal("the token is missing, or is not this invoice's")


async def _charge_key(connection: ASGIConnection[Any, Any, Any, Any], caller: Caller) -> None:
    limits = cast("Runtime", connection.app.state.runtime).settings.limits
    writes = caller.writes_per_minute or limits.writes_per_minute
    if connection.scope.get("method") in _SAFE:
        # Whoever may write much, may read what they wrote.
        zone, limit = READS, max(limits.reads_per_minute, writes * _READS_PER_WRITE)
    else:
        zone, limit = WRITES, writes
    _settle(connection, await _allowances(connection).take(zone, caller.name, limit))


def _settle(connection: ASGIConnection[Any, Any, Any, Any], standing: Standing) -> None:
    facts(connection.scope).standing = standing
    if standing.wait:
        raise RateLimited(f"at most {standing.limit} {standing.zone} a minute", retry_after=standing.wait)


def _allowances(connection: ASGIConnection[Any, Any, Any, Any]) -> Allowances:
    return cast("Allowances", connection.app.state.allowances)
