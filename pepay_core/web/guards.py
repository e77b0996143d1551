"""The one gate: everything needs a key or a session, except what says of itself that anybody may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pepay_core.domain.errors import Forbidden, NotFound, RateLimited, Refused, Unauthenticated
from pepay_core.domain.ids import INVOICE, is_id
from pepay_core.web.access import ANYBODY, BUYER, BUYER_PAGE, DOOR, PLUGIN, SESSIONS_ONLY
from pepay_core.web.asgi.facts import facts
from pepay_core.web.browsers import SAFE
from pepay_core.web.charging import charge, charge_buyer, charge_door
from pepay_core.web.sessions import admit_session, browsers_of, insist_on_own, still_has_session

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler

    from pepay_core.runtime import Runtime
    from pepay_core.services.callers import Caller

__all__ = ["BUYER", "BUYER_PAGE", "PLUGIN", "gate", "still_admitted"]


async def gate(connection: ASGIConnection[Any, Any, Any, Any], route: BaseRouteHandler) -> None:
    """Let a request in, or raise what keeps it out: Unauthenticated, Forbidden, NotFound, RateLimited, or the way to the sign-in.

    A route says in ``opt["access"]`` whom it lets in (see :mod:`pepay_core.web.access`); one that says nothing is open to no one but
    the holder of a key or a session. ``opt["fresh"]`` asks users for a sign-in that is minutes old, ``opt["page"]`` leads people to one.
    """
    access, page = route.opt.get("access"), bool(route.opt.get("page", False))
    if access in {ANYBODY, PLUGIN}:
        pass
    elif access in {BUYER, BUYER_PAGE}:
        await _admit_buyer(connection, Unauthenticated if access == BUYER else NotFound)
    elif access == DOOR:
        await _admit_at_the_door(connection, page=page)
    elif (text := _key_of(connection)) is not None:
        await _admit_key(connection, text, access)
    else:
        await admit_session(connection, access, page=page, fresh=bool(route.opt.get("fresh", False)))
    facts(connection.scope).admitted = True


async def still_admitted(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Raise what the gate would raise if the key or session of a long answer came again; nothing is charged for it."""
    text = _key_of(connection)
    if text is None:
        await still_has_session(connection)
    else:
        await _authenticated(connection, text)


async def _admit_key(connection: ASGIConnection[Any, Any, Any, Any], text: str, access: str | None) -> None:
    caller = await _authenticated(connection, text)
    await charge(connection, caller.name, caller.writes_per_minute)
    if access in SESSIONS_ONLY:
        raise Forbidden("this is for people who sign in; no API key opens it")
    if access is not None:
        caller.need(access)


async def _admit_at_the_door(connection: ASGIConnection[Any, Any, Any, Any], *, page: bool) -> None:
    """Let anybody in who comes from one of our own pages, or is no browser."""
    browsers = browsers_of(connection)
    if page:
        await insist_on_own(connection, browsers.session_of(connection) or browsers.door_of(connection), page=True)
    else:
        browsers.insist_on_own_page(connection)
    if connection.scope.get("method", "GET") not in SAFE:
        await charge_door(connection)


async def _authenticated(connection: ASGIConnection[Any, Any, Any, Any], text: str) -> Caller:
    runtime = cast("Runtime", connection.app.state.runtime)
    known = facts(connection.scope)
    caller = await runtime.authenticating.authenticate(text, known.address)
    known.caller = caller
    return caller


def _key_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    key = connection.headers.get("x-api-key")
    if key is not None:
        return key
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


async def _admit_buyer(connection: ASGIConnection[Any, Any, Any, Any], refusal: type[Refused]) -> None:
    """Charge the buyer's address, or the key of a merchant's server that asks in the buyer's place, and check the token."""
    known = facts(connection.scope)
    text = _key_of(connection)
    if text is not None:
        try:
            caller = await _authenticated(connection, text)
            await charge(connection, caller.name, caller.writes_per_minute)
        except RateLimited:
            raise
        except Refused:
            known.caller = None
    if known.caller is None:
        await charge_buyer(connection)
    runtime = cast("Runtime", connection.app.state.runtime)
    invoice = str(connection.path_params["invoice"])
    token = connection.query_params.get("token") or connection.headers.get("x-pepay-token") or ""
    if not is_id(INVOICE, invoice) or not runtime.tokens.verify(invoice, token):
        raise refusal("the token is missing, or is not this invoice's")
