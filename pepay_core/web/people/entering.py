"""Signing in and out: the password, the second factor, and both once more for what can do much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from litestar import Request, Response, get, post

from pepay_core.domain.errors import Refused, Unavailable
from pepay_core.web.access import DOOR, ENTERING, USER
from pepay_core.web.asgi.facts import facts
from pepay_core.web.forms import form
from pepay_core.web.people.answers import lead, next_of, show
from pepay_core.web.sessions import browsers_of, drop_session, find_session, keep_session, runtime_of
from pepay_core.web.timing import within_deadline

if TYPE_CHECKING:
    from pepay_core.services.people.sessions import SignedIn

_DOOR: Final = {"access": DOOR, "page": True}
_ENTERING: Final = {"access": ENTERING, "page": True}
_USER: Final = {"access": USER, "page": True}


@get("/login", opt=_DOOR)
async def login_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Ask who somebody is; whoever is signed in goes on."""
    signed_in, onwards = await find_session(request), next_of(request.query_params)
    if signed_in is not None:
        return lead(request, onwards if signed_in.is_full else _code(onwards))
    return show(request, "login.html", next=onwards, email="", done=_DONE.get(request.query_params.get("done", "")))


@post("/login", opt=_DOOR, status_code=200)
async def login(request: Request[Any, Any, Any]) -> Response[str]:
    """Open a session in place of the one that the browser had, and go on."""
    sent = await form(request)
    onwards = next_of(sent)
    try:
        async with within_deadline():
            opened = await runtime_of(request).people.signing_in.with_password(
                sent.get("email", ""),
                sent.get("password", ""),
                address=facts(request.scope).address or None,
                agent=request.headers.get("user-agent"),
                instead_of=browsers_of(request).session_of(request),
            )
    except (Refused, Unavailable) as exc:
        return show(request, "login.html", refusal=exc, next=onwards, email=sent.get("email", "")[:320])
    keep_session(request, opened)
    return lead(request, onwards if opened.session.level.value == "full" else _code(onwards))


@get("/login/code", opt=_ENTERING)
async def code_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Ask for the second factor."""
    onwards = next_of(request.query_params)
    return lead(request, onwards) if _present(request).is_full else show(request, "code.html", next=onwards)


@post("/login/code", opt=_ENTERING, status_code=200)
async def code(request: Request[Any, Any, Any]) -> Response[str]:
    """Finish signing in."""
    sent = await form(request)
    try:
        async with within_deadline():
            opened = await runtime_of(request).people.signing_in.with_second_factor(_present(request), code=sent.get("code", ""))
    except (Refused, Unavailable) as exc:
        return show(request, "code.html", refusal=exc, next=next_of(sent))
    keep_session(request, opened)
    return lead(request, next_of(sent))


@get("/login/again", opt=_USER)
async def again_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Ask once more, before something that can do much."""
    return await _again(request, next_of(request.query_params))


@post("/login/again", opt=_USER, status_code=200)
async def again(request: Request[Any, Any, Any]) -> Response[str]:
    """Make the session a fresh one."""
    sent = await form(request)
    try:
        async with within_deadline():
            opened = await runtime_of(request).people.signing_in.step_up(_present(request), sent.get("password", ""), code=sent.get("code"))
    except (Refused, Unavailable) as exc:
        return await _again(request, next_of(sent), exc)
    keep_session(request, opened)
    return lead(request, next_of(sent))


@post("/logout", opt=_ENTERING, status_code=200)
async def logout(request: Request[Any, Any, Any]) -> Response[str]:
    """End the session, also for requests that are still on their way."""
    await runtime_of(request).people.sessions.close(browsers_of(request).session_of(request) or "")
    drop_session(request)
    return lead(request, "/login?done=out")


async def _again(request: Request[Any, Any, Any], onwards: str, refusal: Refused | Unavailable | None = None) -> Response[str]:
    factors = await runtime_of(request).people.second_factors.state(_present(request))
    owes = factors["one_time_codes_since"] is not None or bool(factors["passkeys"])
    return show(request, "again.html", refusal=refusal, next=onwards, owes=owes)


def _present(request: Request[Any, Any, Any]) -> SignedIn:
    found = facts(request.scope).signed_in
    assert found is not None
    return found


def _code(onwards: str) -> str:
    return f"/login/code?next={quote(onwards, safe='/')}"


_DONE: Final = {"out": "You are signed out.", "password": "Your password is changed. Sign in with the new one.", "email": "Your address is changed."}

HANDLERS: Final = (login_page, login, code_page, code, again_page, again, logout)
