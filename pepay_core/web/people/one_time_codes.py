"""One-time codes and recovery codes on the page of one's account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import segno
from litestar import Request, Response, post

from pepay_core.domain.errors import Refused, Unavailable
from pepay_core.web.access import USER
from pepay_core.web.forms import form
from pepay_core.web.people.account import attempted, renewed, with_codes
from pepay_core.web.people.answers import HOME, passkey_of, present, show
from pepay_core.web.sessions import runtime_of
from pepay_core.web.timing import within_deadline

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPT: Final = {"access": USER, "page": True}


@post(f"{HOME}/codes", opt=_OPT, status_code=200)
async def begin_codes(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the secret for an app."""
    codes, signed_in = runtime_of(request).people.one_time_codes, present(request)
    return await attempted(request, lambda sent: codes.begin(signed_in, sent.get("password", "")), lambda begun: _secret(request, begun))


@post(f"{HOME}/codes/confirm", opt=_OPT, status_code=200)
async def confirm_codes(request: Request[Any, Any, Any]) -> Response[str]:
    """Let one-time codes count, and show the recovery codes."""
    sent = await form(request)
    try:
        async with within_deadline():
            opened, codes = await runtime_of(request).people.one_time_codes.confirm(present(request), sent.get("code", ""))
    except (Refused, Unavailable) as exc:
        # Its owner's own page sent the secret back, so that it can be shown again; the server shows it to nobody twice.
        return _secret(request, {"secret": sent.get("secret", "")[:200], "link": sent.get("link", "")[:500]}, exc)
    return with_codes(request, opened, codes)


@post(f"{HOME}/codes/remove", opt=_OPT, status_code=200)
async def remove_codes(request: Request[Any, Any, Any]) -> Response[str]:
    """Take one-time codes away."""
    codes, signed_in = runtime_of(request).people.one_time_codes, present(request)
    return await attempted(
        request,
        lambda sent: codes.remove(signed_in, sent.get("password", ""), code=sent.get("code"), passkey=passkey_of(sent)),
        lambda opened: renewed(request, opened, "codes-removed"),
    )


@post(f"{HOME}/recovery-codes", opt=_OPT, status_code=200)
async def recovery_codes(request: Request[Any, Any, Any]) -> Response[str]:
    """Show ten new recovery codes."""
    factors, signed_in = runtime_of(request).people.second_factors, present(request)
    return await attempted(
        request,
        lambda sent: factors.new_recovery_codes(signed_in, sent.get("password", "")),
        lambda codes: show(request, "recovery.html", codes=codes),
    )


def _secret(request: Request[Any, Any, Any], begun: Mapping[str, str], refusal: Refused | Unavailable | None = None) -> Response[str]:
    secret, link = begun["secret"], begun["link"]
    drawing = segno.make_qr(link, error="m").svg_data_uri(scale=5, border=3, light="#fff") if link.startswith("otpauth://totp/") else None
    return show(request, "codes.html", refusal=refusal, secret=secret, link=link, drawing=drawing)


HANDLERS: Final = (begin_codes, confirm_codes, remove_codes, recovery_codes)
