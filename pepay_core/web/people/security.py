"""One's own account: the password, the second factor, and where one is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import segno
from litestar import Request, Response, get, post

from pepay_core.domain.errors import Refused, Unavailable
from pepay_core.services.people.sessions import SignedIn
from pepay_core.web.access import USER
from pepay_core.web.asgi.facts import facts
from pepay_core.web.forms import form
from pepay_core.web.people.answers import HOME, lead, show
from pepay_core.web.sessions import keep_session, runtime_of
from pepay_core.web.timing import within_deadline

if TYPE_CHECKING:
    from pepay_core.services.people.sessions import Opened

_OPT: Final = {"access": USER, "page": True}
# The first sign that is found decides: most browsers call themselves by the names of others too.
_PROGRAMS: Final = (("Firefox/", "Firefox"), ("Edg", "Edge"), ("OPR/", "Opera"), ("Chrome/", "Chrome"), ("CriOS/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_DONE: Final = {
    "name": "Your name is changed.",
    "password": "Your password is changed, and every other session has ended.",
    "codes-removed": "One-time codes are off.",
    "passkey-removed": "The passkey is removed.",
    "session": "The session has ended.",
    "others": "Every other session has ended.",
}


@get("/app", opt=_OPT)
async def home(request: Request[Any, Any, Any]) -> Response[str]:
    """Lead to the first page."""
    return lead(request, HOME)


@get(HOME, opt=_OPT)
async def security_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show how one signs in, and where one is signed in."""
    return await _page(request, done=_DONE.get(request.query_params.get("done", "")))


@post(f"{HOME}/name", opt=_OPT, status_code=200)
async def rename(request: Request[Any, Any, Any]) -> Response[str]:
    """Change one's name."""
    sent = await form(request)
    try:
        await runtime_of(request).people.accounts.rename(_present(request).user.id, sent.get("name", ""))
    except (Refused, Unavailable) as exc:
        return await _page(request, refusal=exc)
    return _done(request, "name")


@post(f"{HOME}/password", opt=_OPT, status_code=200)
async def change_password(request: Request[Any, Any, Any]) -> Response[str]:
    """Change one's password."""
    sent, signing_in = await form(request), runtime_of(request).people.signing_in
    try:
        async with within_deadline():
            opened = await signing_in.change_password(_present(request), sent.get("password", ""), sent.get("new_password", ""))
    except (Refused, Unavailable) as exc:
        return await _page(request, refusal=exc)
    keep_session(request, opened)
    return _done(request, "password")


@post(f"{HOME}/codes", opt=_OPT, status_code=200)
async def begin_codes(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the secret for an app."""
    sent = await form(request)
    try:
        async with within_deadline():
            begun = await runtime_of(request).people.second_factors.begin_codes(_present(request), sent.get("password", ""))
    except (Refused, Unavailable) as exc:
        return await _page(request, refusal=exc)
    return _codes(request, begun["secret"], begun["link"])


@post(f"{HOME}/codes/confirm", opt=_OPT, status_code=200)
async def confirm_codes(request: Request[Any, Any, Any]) -> Response[str]:
    """Let one-time codes count, and show the recovery codes."""
    sent = await form(request)
    try:
        async with within_deadline():
            opened, codes = await runtime_of(request).people.second_factors.confirm_codes(_present(request), sent.get("code", ""))
    except (Refused, Unavailable) as exc:
        # Its owner's own page sent the secret back, so that it can be shown again; the server shows it to nobody twice.
        return _codes(request, sent.get("secret", "")[:200], sent.get("link", "")[:500], exc)
    return _renewed(request, opened, codes)


@post(f"{HOME}/codes/remove", opt=_OPT, status_code=200)
async def remove_codes(request: Request[Any, Any, Any]) -> Response[str]:
    """Take one-time codes away."""
    sent = await form(request)
    try:
        async with within_deadline():
            opened = await runtime_of(request).people.second_factors.remove_codes(
                _present(request), sent.get("password", ""), code=sent.get("code", "")
            )
    except (Refused, Unavailable) as exc:
        return await _page(request, refusal=exc)
    keep_session(request, opened)
    return _done(request, "codes-removed")


@post(f"{HOME}/passkey/remove", opt=_OPT, status_code=200)
async def remove_passkey(request: Request[Any, Any, Any]) -> Response[str]:
    """Take a passkey away."""
    sent, factors = await form(request), runtime_of(request).people.second_factors
    try:
        async with within_deadline():
            opened = await factors.remove_passkey(_present(request), sent.get("passkey", ""), sent.get("password", ""), code=sent.get("code", ""))
    except (Refused, Unavailable) as exc:
        return await _page(request, refusal=exc)
    keep_session(request, opened)
    return _done(request, "passkey-removed")


@post(f"{HOME}/recovery-codes", opt=_OPT, status_code=200)
async def recovery_codes(request: Request[Any, Any, Any]) -> Response[str]:
    """Show ten new recovery codes."""
    sent = await form(request)
    try:
        async with within_deadline():
            codes = await runtime_of(request).people.second_factors.new_recovery_codes(_present(request), sent.get("password", ""))
    except (Refused, Unavailable) as exc:
        return await _page(request, refusal=exc)
    return show(request, "recovery.html", codes=codes)


@post(f"{HOME}/sessions/end", opt=_OPT, status_code=200)
async def end_session(request: Request[Any, Any, Any]) -> Response[str]:
    """End one session, or all others."""
    sent, sessions = await form(request), runtime_of(request).people.sessions
    try:
        if sent.get("session"):
            await sessions.revoke(_present(request), sent["session"])
            return _done(request, "session")
        await sessions.revoke_others(_present(request))
    except (Refused, Unavailable) as exc:
        return await _page(request, refusal=exc)
    return _done(request, "others")


async def _page(request: Request[Any, Any, Any], *, refusal: Refused | Unavailable | None = None, done: str | None = None) -> Response[str]:
    people, present = runtime_of(request).people, _present(request)
    return show(
        request,
        "security.html",
        refusal=refusal,
        done=done,
        email=people.accounts.email_of(present.user),
        factors=await people.second_factors.state(present),
        sessions=[{**each, "browser": browser_name(each["agent"] or "")} for each in await people.sessions.list(present)],
    )


def browser_name(agent: str) -> str:
    """Return what a browser calls itself in the words of its users; the first part of anything else."""
    program = next((name for sign, name in _PROGRAMS if sign in agent), None)
    system = next((name for sign, name in _SYSTEMS if sign in agent), None)
    if program is None:
        return agent.partition(" ")[0][:40] or "Unknown browser"
    return f"{program} on {system}" if system else program


def _codes(request: Request[Any, Any, Any], secret: str, link: str, refusal: Refused | Unavailable | None = None) -> Response[str]:
    drawing = segno.make_qr(link, error="m").svg_data_uri(scale=5, border=3, light="#fff") if link.startswith("otpauth://totp/") else None
    return show(request, "codes.html", refusal=refusal, secret=secret, link=link, drawing=drawing)


def _renewed(request: Request[Any, Any, Any], opened: Opened, codes: list[str]) -> Response[str]:
    keep_session(request, opened)
    facts(request.scope).signed_in = SignedIn(opened.session, opened.user)
    return show(request, "recovery.html", codes=codes)


def _done(request: Request[Any, Any, Any], what: str) -> Response[str]:
    return lead(request, f"{HOME}?done={what}")


def _present(request: Request[Any, Any, Any]) -> SignedIn:
    found = facts(request.scope).signed_in
    assert found is not None
    return found


HANDLERS: Final = (
    home,
    security_page,
    rename,
    change_password,
    begin_codes,
    confirm_codes,
    remove_codes,
    remove_passkey,
    recovery_codes,
    end_session,
)
