"""Whether a shop gets an API key of its own: who asks for what, in words, and a yes or a no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from litestar import Request, Response, get, post

from pepay_core.domain.connecting import GRAVE, WORDS, ConnectRequest, read_request
from pepay_core.domain.errors import InvalidInput, Refused, Unavailable
from pepay_core.domain.lifetimes import PRESETS
from pepay_core.web.access import USER
from pepay_core.web.forms import form
from pepay_core.web.people.answers import lead, present, show
from pepay_core.web.policies import PLAIN
from pepay_core.web.sessions import runtime_of

if TYPE_CHECKING:
    from collections.abc import Mapping


PATH: Final = "/connect/authorize"
_OPT: Final = {"access": USER, "page": True}
_ASKED: Final = ("application_name", "scopes", "redirect", "state", "code_challenge", "code_challenge_method", "environment", "expires_in")
_TIMES: Final = {"1h": "an hour", "1d": "a day", "7d": "a week", "30d": "30 days", "90d": "90 days", "1y": "a year"}


@get(PATH, opt=_OPT)
async def consent_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Say who asks for what."""
    pairs = list(request.query_params.multi_items())
    given = dict(pairs)
    if len(given) != len(pairs):
        return _wrong(request, InvalidInput("the link names something twice"))
    try:
        asked = read_request(given)
    except InvalidInput as exc:
        return _wrong(request, exc)
    return await _page(request, asked, given)


@post(PATH, opt={**_OPT, "fresh": True}, status_code=200)
async def consent(request: Request[Any, Any, Any]) -> Response[str]:
    """Send the browser back to the shop, with a code that is worth a key to it."""
    sent = await form(request)
    given = {name: sent[name] for name in _ASKED if name in sent}
    if sent.get("environment") not in {"test", "live"}:
        return _wrong(request, InvalidInput("must be test or live", field="environment"))
    try:
        asked = read_request(given)
    except InvalidInput as exc:
        return _wrong(request, exc)
    runtime = runtime_of(request)
    try:
        livemode = sent["environment"] == "live"
        caller = await runtime.people.memberships.caller(present(request).user, sent.get("merchant") or None, livemode=livemode)
        back = await runtime.connecting.consent(caller, asked)
    except (Refused, Unavailable) as exc:
        return await _page(request, asked, given, refusal=exc)
    return lead(request, back)


async def _page(
    request: Request[Any, Any, Any], asked: ConnectRequest, given: Mapping[str, str], *, refusal: Refused | Unavailable | None = None
) -> Response[str]:
    runtime, signed_in = runtime_of(request), present(request)
    merchants = await runtime.people.memberships.of_user(signed_in.user)
    able = [each for each in merchants if "keys:write" in each["scopes"] and all(_gives(each["scopes"], scope) for scope in asked.scopes)]
    response = show(
        request,
        "connect.html",
        refusal=refusal,
        asked=asked,
        given={name: given[name] for name in _ASKED if name in given and name not in {"environment", "expires_in"}},
        words=[(WORDS[scope], scope in GRAVE) for scope in asked.scopes],
        merchants=able,
        no_role=bool(merchants) and not able,
        times=[(name, _TIMES[name], PRESETS[name] == asked.lifetime) for name in PRESETS],
        is_fresh=signed_in.is_fresh(runtime.clock.now()),
        again=f"/login/again?{urlencode({'next': f'{PATH}?{urlencode(given)}'})}",
        no=asked.back(error="access_denied"),
    )
    # Browsers hold where a form's answer leads against this policy as well.
    response.set_header("Content-Security-Policy", PLAIN.replace("form-action 'self'", f"form-action 'self' {asked.origin}"))
    return response


def _wrong(request: Request[Any, Any, Any], exc: InvalidInput) -> Response[str]:
    """Say what the shop got wrong, and lead nowhere: what it says of where to go back to may be wrong as well."""
    text = f"{exc.field}: {exc.message}" if exc.field else exc.message
    return show(request, "connect_wrong.html", refusal=InvalidInput(text))


def _gives(scopes: list[str], scope: str) -> bool:
    return scope in scopes or (scope.endswith(":read") and f"{scope.removesuffix(':read')}:write" in scopes)


HANDLERS: Final = (consent_page, consent)
