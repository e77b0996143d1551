"""What all these pages have in common: the token of their forms, where they lead, and how a refusal is told."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Response

from pepay_core.domain.errors import RateLimited, Refused, SignInFailed, Unavailable
from pepay_core.web.asgi.facts import facts
from pepay_core.web.policies import scripted
from pepay_core.web.problems import problem_of
from pepay_core.web.sessions import browsers_of, runtime_of
from pepay_core.web.templating import render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar import Request

    from pepay_core.domain.people import User
    from pepay_core.services.people.sessions import SignedIn

HOME: Final = "/app/security"
_HTML: Final = "text/html"
# With no referrer at all, browsers say of a form that it is sent from nowhere ("Origin: null"), and it could not be told from a forged one.
_REFERRER: Final = {"Referrer-Policy": "same-origin"}
# An address of this server: neither another host's, nor anything that browsers read as one.
_OWN: Final = re.compile(r"/(?![/\\])[!-~]*", re.ASCII)


def show(
    request: Request[Any, Any, Any],
    template: str,
    *,
    refusal: Refused | Unavailable | None = None,
    done: str | None = None,
    passkeys: bool = False,
    **values: Any,
) -> Response[str]:
    """Return a page with the token that its forms send back, and a refusal or what was done at its top.

    One on which passkeys are used gets the script for them, where browsers have passkeys for this server; no other has a script.
    """
    passkeys_at = runtime_of(request).people.passkeys.origin if passkeys else None
    browsers, known = browsers_of(request), facts(request.scope)
    token = browsers.session_of(request) or browsers.door_of(request)
    fresh = next((each.value for each in known.cookies if each.key == browsers.session and each.value), None)
    if fresh:
        token = fresh
    elif token is None:
        token = browsers.new_door()
        known.cookies = [*known.cookies, browsers.keep(browsers.door, token)]
    problem = None if refusal is None else problem_of(refusal)
    html = render(
        f"people/{template}",
        csrf=browsers.csrf(token),
        refusal=None if refusal is None else told(refusal),
        done=done,
        user=_called(request, known.signed_in.user) if known.signed_in and known.signed_in.is_full else None,
        here=request.scope["path"],
        passkeys_at=passkeys_at,
        **values,
    )
    headers = {**_REFERRER, **(problem.headers if problem else {}), **({"Content-Security-Policy": scripted()} if passkeys_at else {})}
    return _with_cookies(request, Response(html, status_code=problem.status if problem else 200, media_type=_HTML, headers=headers))


def _called(request: Request[Any, Any, Any], user: User) -> User:
    return replace(user, name=runtime_of(request).people.accounts.name_of(user))


def lead(request: Request[Any, Any, Any], location: str) -> Response[str]:
    """Lead the browser to another page of this server."""
    return _with_cookies(request, Response("", status_code=303, media_type=_HTML, headers={"Location": location}))


def present(request: Request[Any, Any, Any]) -> SignedIn:
    """Return whose session a page was asked for with: for what the gate opens to sessions only."""
    found = facts(request.scope).signed_in
    assert found is not None
    return found


def passkey_of(sent: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the answer of a passkey that a page's script has put into a form, or None; raises SignInFailed for what is none."""
    if not sent.get("passkey"):
        return None
    try:
        return msgspec.json.decode(sent["passkey"], type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError):
        raise SignInFailed from None


def next_of(given: Mapping[str, str]) -> str:
    """Return where somebody was going, or where they begin; never an address of somebody else's."""
    wanted = given.get("next", "")
    return wanted if _OWN.fullmatch(wanted) else HOME


def told(refusal: Refused | Unavailable) -> str:
    """Return a refusal as a sentence for people."""
    if isinstance(refusal, Unavailable):
        return "Something this page needs does not answer right now. Try again in a moment."
    if isinstance(refusal, RateLimited):
        wait = refusal.retry_after
        return (
            f"That was tried too often. Wait {wait} seconds, and try again."
            if wait < 120
            else f"That was tried too often. Wait {-(-wait // 60)} minutes."
        )
    field = {"new_password": "The new password", "password": "The password", "name": "The name", "email": "The address"}.get(refusal.field or "")
    text = f"{field} {refusal.message}" if field else refusal.message
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _with_cookies(request: Request[Any, Any, Any], response: Response[str]) -> Response[str]:
    for cookie in facts(request.scope).cookies:
        response.set_cookie(cookie)
    return response
