"""One's own account: the name, the password, and where one is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from litestar import Request, Response, get, post

from pepay_core.web.access import ANYBODY, USER
from pepay_core.web.people.account import account_page, attempted, done, renewed
from pepay_core.web.people.answers import HOME, lead, present
from pepay_core.web.sessions import runtime_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPT: Final = {"access": USER, "page": True}
_DONE: Final = {
    "name": "Your name is changed.",
    "password": "Your password is changed, and every other session has ended.",
    "codes-removed": "One-time codes are off.",
    "passkey-renamed": "The passkey has its new name.",
    "passkey-removed": "The passkey is removed.",
    "session": "The session has ended.",
    "others": "Every other session has ended.",
}


@get("/", opt={"access": ANYBODY}, sync_to_thread=False)
def front_door() -> Response[str]:
    """Lead whoever opens the bare address to where people sign in."""
    return Response("", status_code=303, media_type="text/html", headers={"Location": "/app"})


@get("/app", opt=_OPT)
async def home(request: Request[Any, Any, Any]) -> Response[str]:
    """Lead to the first page."""
    return lead(request, HOME)


@get(HOME, opt=_OPT)
async def security_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show how one signs in, and where one is signed in."""
    return await account_page(request, done=_DONE.get(request.query_params.get("done", "")))


@post(f"{HOME}/name", opt=_OPT, status_code=200)
async def rename(request: Request[Any, Any, Any]) -> Response[str]:
    """Change one's name."""
    accounts, user = runtime_of(request).people.accounts, present(request).user
    return await attempted(request, lambda sent: accounts.rename(user.id, sent.get("name", "")), lambda _: done(request, "name"))


@post(f"{HOME}/password", opt=_OPT, status_code=200)
async def change_password(request: Request[Any, Any, Any]) -> Response[str]:
    """Change one's password."""
    signing_in, signed_in = runtime_of(request).people.signing_in, present(request)
    return await attempted(
        request,
        lambda sent: signing_in.change_password(signed_in, sent.get("password", ""), sent.get("new_password", "")),
        lambda opened: renewed(request, opened, "password"),
    )


@post(f"{HOME}/sessions/end", opt=_OPT, status_code=200)
async def end_session(request: Request[Any, Any, Any]) -> Response[str]:
    """End one session, or all others."""
    sessions, signed_in = runtime_of(request).people.sessions, present(request)

    async def act(sent: Mapping[str, str]) -> str:
        if sent.get("session"):
            await sessions.revoke(signed_in, sent["session"])
            return "session"
        await sessions.revoke_others(signed_in)
        return "others"

    return await attempted(request, act, lambda ended: done(request, ended))


HANDLERS: Final = (front_door, home, security_page, rename, change_password, end_session)
