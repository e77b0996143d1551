"""Signing in and out: the password, the second factor, a passkey in place of both, and all of it once more for what can do much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from litestar import Request, Response, get, post

from pepay_core.domain.errors import Refused, Unavailable
from pepay_core.web.access import DOOR, ENTERING, USER
from pepay_core.web.asgi.facts import facts
from pepay_core.web.forms import form
from pepay_core.web.people.answers import lead, next_of, passkey_of, present, show
from pepay_core.web.sessions import browsers_of, drop_session, find_session, keep_session, runtime_of
from pepay_core.web.timing import within_deadline

if TYPE_CHECKING:
    from collections.abc import Mapping

_DOOR: Final = {"access": DOOR, "page": True}
_ENTERING: Final = {"access": ENTERING, "page": True}
_USER: Final = {"access": USER, "page": True}


@get("/login", opt=_DOOR)
async def login_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Ask who somebody is; whoever is signed in goes on."""
    signed_in, onwards = await find_session(request), next_of(request.query_params)
    if signed_in is not None:
        return lead(request, onwards if signed_in.is_full else _code(onwards))
    return _login(request, onwards, done=_DONE.get(request.query_params.get("done", "")))


@post("/login", opt=_DOOR, status_code=200)
async def login(request: Request[Any, Any, Any]) -> Response[str]:
    """Open a session in place of the one that the browser had, and go on."""
    sent = await form(request)
    onwards = next_of(sent)
    try:
        async with within_deadline():
            opened = await runtime_of(request).people.signing_in.with_password(
                sent.get("email", ""), sent.get("password", ""), **_from_where(request)
            )
    except (Refused, Unavailable) as exc:
        return _login(request, onwards, refusal=exc, email=sent.get("email", "")[:320])
    keep_session(request, opened)
    return lead(request, onwards if opened.session.level.value == "full" else _code(onwards))


@post("/login/passkey", opt=_DOOR, status_code=200)
async def login_by_passkey(request: Request[Any, Any, Any]) -> Response[str]:
    """Open a session for whoever's passkey has answered: nothing else is owed."""
    sent = await form(request)
    try:
        async with within_deadline():
            opened = await runtime_of(request).people.signing_in.with_passkey(passkey_of(sent) or {}, **_from_where(request))
    except (Refused, Unavailable) as exc:
        return _login(request, next_of(sent), refusal=exc)
    keep_session(request, opened)
    return lead(request, next_of(sent))


@get("/login/code", opt=_ENTERING)
async def code_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Ask for the second factor."""
    onwards = next_of(request.query_params)
    return lead(request, onwards) if present(request).is_full else await _second(request, "code.html", onwards)


@post("/login/code", opt=_ENTERING, status_code=200)
async def code(request: Request[Any, Any, Any]) -> Response[str]:
    """Finish signing in."""
    sent, signing_in = await form(request), runtime_of(request).people.signing_in
    try:
        async with within_deadline():
            opened = await signing_in.with_second_factor(present(request), code=sent.get("code"), passkey=passkey_of(sent))
    except (Refused, Unavailable) as exc:
        return await _second(request, "code.html", next_of(sent), exc)
    keep_session(request, opened)
    return lead(request, next_of(sent))


@get("/login/again", opt=_USER)
async def again_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Ask once more, before something that can do much."""
    return await _second(request, "again.html", next_of(request.query_params))


@post("/login/again", opt=_USER, status_code=200)
async def again(request: Request[Any, Any, Any]) -> Response[str]:
    """Make the session a fresh one."""
    sent, signing_in = await form(request), runtime_of(request).people.signing_in
    try:
        async with within_deadline():
            opened = await signing_in.step_up(present(request), sent.get("password"), code=sent.get("code"), passkey=passkey_of(sent))
    except (Refused, Unavailable) as exc:
        return await _second(request, "again.html", next_of(sent), exc)
    keep_session(request, opened)
    return lead(request, next_of(sent))


@post("/logout", opt=_ENTERING, status_code=200)
async def logout(request: Request[Any, Any, Any]) -> Response[str]:
    """End the session, also for requests that are still on their way."""
    await runtime_of(request).people.sessions.close(browsers_of(request).session_of(request) or "")
    drop_session(request)
    return lead(request, "/login?done=out")


def _login(
    request: Request[Any, Any, Any], onwards: str, *, refusal: Refused | Unavailable | None = None, done: str | None = None, email: str = ""
) -> Response[str]:
    return show(request, "login.html", refusal=refusal, done=done, passkeys=True, next=onwards, email=email)


async def _second(request: Request[Any, Any, Any], template: str, onwards: str, refusal: Refused | Unavailable | None = None) -> Response[str]:
    factors = await runtime_of(request).people.second_factors.state(present(request))
    return show(request, template, refusal=refusal, passkeys=bool(factors["passkeys"]), next=onwards, factors=factors)


def _from_where(request: Request[Any, Any, Any]) -> Mapping[str, str | None]:
    """Return what is noted of a new session, and the one that it takes the place of."""
    return {
        "address": facts(request.scope).address or None,
        "agent": request.headers.get("user-agent"),
        "instead_of": browsers_of(request).session_of(request),
    }


def _code(onwards: str) -> str:
    return f"/login/code?next={quote(onwards, safe='/')}"


_DONE: Final = {"out": "You are signed out.", "password": "Your password is changed. Sign in with the new one.", "email": "Your address is changed."}

HANDLERS: Final = (login_page, login, login_by_passkey, code_page, code, again_page, again, logout)
