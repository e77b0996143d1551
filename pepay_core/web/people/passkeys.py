"""Passkeys on the page of one's account. What the device has made comes with the form: the page's script has put it there."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request, Response, post

from pepay_core.web.access import USER
from pepay_core.web.people.account import attempted, done, renewed, with_codes
from pepay_core.web.people.answers import HOME, passkey_of, present
from pepay_core.web.sessions import runtime_of

_OPT: Final = {"access": USER, "page": True}


@post(f"{HOME}/passkey", opt=_OPT, status_code=200)
async def add_passkey(request: Request[Any, Any, Any]) -> Response[str]:
    """Add the passkey that the device has made."""
    passkeys, signed_in = runtime_of(request).people.passkeys, present(request)
    return await attempted(
        request,
        lambda sent: passkeys.finish(signed_in, passkey_of(sent) or {}, sent.get("name", "")),
        lambda made: with_codes(request, *made),
    )


@post(f"{HOME}/passkey/rename", opt=_OPT, status_code=200)
async def rename_passkey(request: Request[Any, Any, Any]) -> Response[str]:
    """Call a passkey something else."""
    passkeys, signed_in = runtime_of(request).people.passkeys, present(request)
    return await attempted(
        request,
        lambda sent: passkeys.rename(signed_in, sent.get("id", ""), sent.get("name", "")),
        lambda _: done(request, "passkey-renamed"),
    )


@post(f"{HOME}/passkey/remove", opt=_OPT, status_code=200)
async def remove_passkey(request: Request[Any, Any, Any]) -> Response[str]:
    """Take a passkey away."""
    passkeys, signed_in = runtime_of(request).people.passkeys, present(request)
    return await attempted(
        request,
        lambda sent: passkeys.remove(signed_in, sent.get("id", ""), sent.get("password", ""), code=sent.get("code"), passkey=passkey_of(sent)),
        lambda opened: renewed(request, opened, "passkey-removed"),
    )


HANDLERS: Final = (add_passkey, rename_passkey, remove_passkey)
