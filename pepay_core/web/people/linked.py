"""Where the links in letters lead: invitations, a new password, a new address. A link does nothing by being opened."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, get, post

from pepay_core.domain.errors import NotFound, Refused, Unavailable
from pepay_core.web.access import DOOR
from pepay_core.web.asgi.facts import facts
from pepay_core.web.forms import form
from pepay_core.web.people.answers import HOME, lead, show
from pepay_core.web.sessions import find_session, keep_session, runtime_of
from pepay_core.web.timing import within_deadline

INVITATION: Final = "/invitation"
RESET: Final = "/reset-password"
EMAIL: Final = "/confirm-email"
_OPT: Final = {"access": DOOR, "page": True}


@get(INVITATION, opt=_OPT)
async def invitation_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show what somebody is invited to."""
    return await _invitation(request, request.query_params.get("token", ""))


@post(INVITATION, opt=_OPT, status_code=200)
async def accept(request: Request[Any, Any, Any]) -> Response[str]:
    """Register, or become a member as whoever is signed in."""
    sent, invitations = await form(request), runtime_of(request).people.invitations
    token, signed_in = sent.get("token", ""), await find_session(request)
    try:
        async with within_deadline():
            if signed_in is not None and "password" not in sent:
                await invitations.accept_as(signed_in, token)
                return lead(request, HOME)
            opened = await invitations.accept(
                token,
                sent.get("password", ""),
                name=sent.get("name", ""),
                address=facts(request.scope).address or None,
                agent=request.headers.get("user-agent"),
            )
    except (Refused, Unavailable) as exc:
        return await _invitation(request, token, exc)
    keep_session(request, opened)
    return lead(request, HOME)


async def _invitation(request: Request[Any, Any, Any], token: str, refusal: Refused | Unavailable | None = None) -> Response[str]:
    try:
        found = await runtime_of(request).people.invitations.look(token)
    except NotFound as exc:
        return show(request, "gone.html", refusal=exc)
    signed_in = await find_session(request)
    email = runtime_of(request).people.accounts.email_of(signed_in.user) if signed_in and signed_in.is_full else None
    return show(request, "invitation.html", refusal=refusal, token=token, invitation=found, email=email)


@get(RESET, opt=_OPT)
async def reset_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Ask for an address, or for a new password where a link has brought somebody here."""
    token = request.query_params.get("token")
    try:
        if token is not None:
            await runtime_of(request).people.password_resets.look(token)
    except (Refused, Unavailable) as exc:
        return show(request, "gone.html", refusal=exc)
    return show(request, "reset.html", token=token)


@post(RESET, opt=_OPT, status_code=200)
async def reset(request: Request[Any, Any, Any]) -> Response[str]:
    """Have a link sent, or set the new password; whether an address is known is not told."""
    sent, resets = await form(request), runtime_of(request).people.password_resets
    token = sent.get("token")
    try:
        async with within_deadline():
            if token is None:
                await resets.ask(sent.get("email", ""), address=facts(request.scope).address or None)
                return show(request, "sent.html")
            await resets.reset(token, sent.get("password", ""))
    except NotFound as exc:
        return show(request, "gone.html", refusal=exc)
    except (Refused, Unavailable) as exc:
        return show(request, "reset.html", refusal=exc, token=token)
    return lead(request, "/login?done=password")


@get(EMAIL, opt=_OPT)
async def email_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Ask whether the address is to be changed."""
    token = request.query_params.get("token", "")
    try:
        await runtime_of(request).people.email_changes.look(token)
    except (Refused, Unavailable) as exc:
        return show(request, "gone.html", refusal=exc)
    return show(request, "email.html", token=token)


@post(EMAIL, opt=_OPT, status_code=200)
async def confirm_email(request: Request[Any, Any, Any]) -> Response[str]:
    """Change the address."""
    sent = await form(request)
    try:
        await runtime_of(request).people.email_changes.confirm(sent.get("token", ""))
    except (Refused, Unavailable) as exc:
        return show(request, "gone.html", refusal=exc)
    return lead(request, "/login?done=email")


HANDLERS: Final = (invitation_page, accept, reset_page, reset, email_page, confirm_email)
