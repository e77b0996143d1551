"""Whom a session lets in: a signed-in user, and on whose behalf they act."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

from litestar import Request

from pepay_core.domain.errors import Forbidden, InvalidInput, Unauthenticated
from pepay_core.domain.ids import MERCHANT, is_id
from pepay_core.web.access import ADMIN, ENTERING, is_scope
from pepay_core.web.asgi.facts import facts
from pepay_core.web.browsers import FIELD, HEADER, SAFE
from pepay_core.web.charging import charge
from pepay_core.web.forms import form, is_form
from pepay_core.web.problems import ForgedRequest, SecondFactorRequired, SignInAgain

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection

    from pepay_core.runtime import Runtime
    from pepay_core.services.callers import Caller
    from pepay_core.services.people.sessions import Opened, SignedIn
    from pepay_core.web.browsers import Browsers

MERCHANT_HEADER: Final = "x-pepay-merchant"
ENVIRONMENT_HEADER: Final = "x-pepay-environment"
_ENVIRONMENTS: Final = {"live": True, "test": False, None: False}


class GoElsewhere(Exception):
    """Somebody who reads pages is led to another one first."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


def browsers_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Browsers:
    """Return how this installation knows browsers again."""
    return cast("Browsers", connection.app.state.browsers)


def runtime_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Runtime:
    """Return the running PePay."""
    return cast("Runtime", connection.app.state.runtime)


async def admit_session(connection: ASGIConnection[Any, Any, Any, Any], access: str | None, *, page: bool = False, fresh: bool = False) -> None:
    """Let a request with a session in.

    Raises Unauthenticated, ForgedRequest, RateLimited, Forbidden, NotFound, SecondFactorRequired or SignInAgain; pages lead to the sign-in.
    """
    token = browsers_of(connection).session_of(connection)
    if token is not None:
        # Before anything is looked up or charged: what another page sends costs its victim nothing.
        await insist_on_own(connection, token, page=page)
    signed_in = await find_session(connection)
    if signed_in is None:
        raise _first(connection, page, Unauthenticated("send an API key as x-api-key, or as Authorization: Bearer, or sign in"))
    await charge(connection, signed_in.user.id)
    await _judge(connection, signed_in, access, page=page, fresh=fresh)


async def still_has_session(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Raise what would keep the session out if it came again."""
    signed_in = await find_session(connection)
    if signed_in is None:
        raise Unauthenticated("the session has ended")
    await _judge(connection, signed_in, connection.route_handler.opt.get("access"), page=False, fresh=False)


async def find_session(connection: ASGIConnection[Any, Any, Any, Any]) -> SignedIn | None:
    """Return whose session a browser brings, or None."""
    token = browsers_of(connection).session_of(connection)
    found = None if token is None else await runtime_of(connection).people.sessions.find(token)
    facts(connection.scope).signed_in = found
    return found


async def insist_on_own(connection: ASGIConnection[Any, Any, Any, Any], token: str | None, *, page: bool) -> None:
    """Raise ForgedRequest unless the request is one of our own pages'; ``token`` is of the session or of the door."""
    browsers = browsers_of(connection)
    if connection.scope["type"] == "websocket":
        if "origin" not in connection.headers:
            raise ForgedRequest("a browser names the origin of a page that opens a socket")
        browsers.insist_on_own_page(connection)
        return
    browsers.insist_on_own_page(connection, navigation=page)
    if connection.scope.get("method", "GET") in SAFE:
        return
    given = connection.headers.get(HEADER)
    if given is None and isinstance(connection, Request) and is_form(connection):
        given = (await form(connection)).get(FIELD)
    browsers.insist_on_csrf(token, given)


async def _judge(connection: ASGIConnection[Any, Any, Any, Any], signed_in: SignedIn, access: str | None, *, page: bool, fresh: bool) -> None:
    if not signed_in.is_full and access != ENTERING:
        raise _first(connection, page, SecondFactorRequired("the second factor is still owed: send it to /api/v1/session/second-factor"))
    if access == ADMIN and not signed_in.user.is_admin:
        raise Forbidden("this is for the admins of the platform")
    if access is None or is_scope(access):
        caller = await _caller(connection, signed_in)
        facts(connection.scope).caller = caller
        if access is not None:
            caller.need(access)
    if fresh and not signed_in.is_fresh(runtime_of(connection).clock.now()):
        if page:
            raise GoElsewhere(f"/login/again?next={quote(here(connection))}")
        raise SignInAgain("sign in once more for this: POST /api/v1/session/again")


async def _caller(connection: ASGIConnection[Any, Any, Any, Any], signed_in: SignedIn) -> Caller:
    """Return the member as which a user calls, of the merchant and in the environment that the headers name."""
    merchant = connection.headers.get(MERCHANT_HEADER)
    if merchant is not None and not is_id(MERCHANT, merchant):
        raise InvalidInput("is not the id of a merchant", field=MERCHANT_HEADER)
    environment = connection.headers.get(ENVIRONMENT_HEADER)
    if environment not in _ENVIRONMENTS:
        raise InvalidInput("must be live or test", field=ENVIRONMENT_HEADER)
    memberships = runtime_of(connection).people.memberships
    return await memberships.caller(signed_in.user, merchant, livemode=_ENVIRONMENTS[environment])


def _first(connection: ASGIConnection[Any, Any, Any, Any], page: bool, otherwise: Unauthenticated) -> Exception:
    return GoElsewhere(f"/login?next={quote(here(connection))}") if page else otherwise


def here(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Return where a browser may come back to: the page itself, never an address that only takes forms."""
    if connection.scope.get("method", "GET") not in SAFE:
        return "/app/security"
    query = connection.scope["query_string"].decode("latin-1")
    return connection.scope["path"] + (f"?{query}" if query else "")


def keep_session(connection: ASGIConnection[Any, Any, Any, Any], opened: Opened) -> None:
    """Give the browser a new session in place of whatever it had."""
    browsers, known = browsers_of(connection), facts(connection.scope)
    known.cookies = [browsers.keep(browsers.session, opened.token), browsers.drop(browsers.door)]


def drop_session(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Let the browser forget its session."""
    browsers = browsers_of(connection)
    facts(connection.scope).cookies = [browsers.drop(browsers.session)]
