"""Who belongs to a merchant, as what, and who is invited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from litestar import Request, Response, get, post

from pepay_core.domain.errors import Forbidden, Refused, Unavailable
from pepay_core.domain.roles import ROLES, Role, is_above
from pepay_core.web.access import USER
from pepay_core.web.forms import form
from pepay_core.web.people.answers import lead, present, show
from pepay_core.web.sessions import runtime_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pepay_core.services.callers import Caller

PATH: Final = "/app/team"
_OPT: Final = {"access": USER, "page": True}
_FRESH: Final = {**_OPT, "fresh": True}
_DONE: Final = {
    "role": "The role is changed, and holds from the next request on.",
    "removed": "The member is removed.",
    "invited": "The invitation is on its way.",
    "withdrawn": "The invitation is withdrawn.",
}
_MEANS: Final = {
    Role.OWNER: "everything",
    Role.ADMIN: "everything but owners",
    Role.DEVELOPER: "invoices, webhooks, keys",
    Role.ACCOUNTANT: "reports and refunds",
    Role.VIEWER: "only looks",
}


@get(PATH, opt=_OPT)
async def team_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the members of a merchant."""
    return await _page(request, request.query_params.get("merchant"), done=_DONE.get(request.query_params.get("done", "")))


@post(f"{PATH}/role", opt=_FRESH, status_code=200)
async def change_role(request: Request[Any, Any, Any]) -> Response[str]:
    """Give a member another role."""
    return await _change(request, "role", lambda caller, sent: _memberships(request).set_role(caller, sent.get("user", ""), sent.get("role", "")))


@post(f"{PATH}/remove", opt=_FRESH, status_code=200)
async def remove(request: Request[Any, Any, Any]) -> Response[str]:
    """Remove a member."""
    return await _change(request, "removed", lambda caller, sent: _memberships(request).remove(caller, sent.get("user", "")))


@post(f"{PATH}/invite", opt=_FRESH, status_code=200)
async def invite(request: Request[Any, Any, Any]) -> Response[str]:
    """Invite somebody; the link is shown where nothing sends mail."""
    sent = await form(request)
    merchant = sent.get("merchant")
    try:
        caller = await _caller(request, merchant)
        invited = await runtime_of(request).people.invitations.invite(caller, sent.get("email", ""), sent.get("role", ""))
    except (Refused, Unavailable) as exc:
        return await _page(request, merchant, refusal=exc)
    if invited["link"]:
        return await _page(request, merchant, invited=invited)
    return lead(request, f"{PATH}?merchant={quote(caller.merchant)}&done=invited")


@post(f"{PATH}/withdraw", opt=_FRESH, status_code=200)
async def withdraw(request: Request[Any, Any, Any]) -> Response[str]:
    """Take an invitation back."""
    invitations = runtime_of(request).people.invitations
    return await _change(request, "withdrawn", lambda caller, sent: invitations.withdraw(caller, sent.get("invitation", "")))


async def _change(request: Request[Any, Any, Any], done: str, change: Callable[[Caller, Mapping[str, str]], Awaitable[object]]) -> Response[str]:
    sent = await form(request)
    try:
        caller = await _caller(request, sent.get("merchant"))
        await change(caller, sent)
    except (Refused, Unavailable) as exc:
        return await _page(request, sent.get("merchant"), refusal=exc)
    return lead(request, f"{PATH}?merchant={quote(caller.merchant)}&done={done}")


async def _page(
    request: Request[Any, Any, Any],
    merchant: str | None,
    *,
    refusal: Refused | Unavailable | None = None,
    done: str | None = None,
    invited: Mapping[str, Any] | None = None,
) -> Response[str]:
    people, signed_in = runtime_of(request).people, present(request)
    merchants = await people.memberships.of_user(signed_in.user)
    chosen = next((each for each in merchants if each["merchant"] == merchant), merchants[0] if merchants and not merchant else None)
    members: list[dict[str, Any]] = []
    invitations: list[dict[str, Any]] = []
    sees, may_change, roles = False, False, list[Role]()
    if chosen is None and merchant:
        refusal = refusal or Forbidden("you are no member of this merchant")
    elif chosen is not None:
        mine = Role(chosen["role"])
        sees, may_change = "members:read" in ROLES[mine], "members:write" in ROLES[mine]
        roles = [each for each in Role if not is_above(each, mine)]
        try:
            caller = await _caller(request, chosen["merchant"])
            if sees:
                members, invitations = await people.memberships.list(caller), await people.invitations.list(caller)
        except Refused as exc:
            refusal = refusal or exc
    return show(
        request,
        "team.html",
        refusal=refusal,
        done=done,
        merchants=merchants,
        chosen=chosen,
        members=members,
        invitations=invitations,
        invited=invited,
        sees=sees,
        may_change=may_change,
        is_fresh=signed_in.is_fresh(runtime_of(request).clock.now()),
        roles=[(each.value, _MEANS[each]) for each in roles],
    )


async def _caller(request: Request[Any, Any, Any], merchant: str | None) -> Caller:
    return await _memberships(request).caller(present(request).user, merchant, livemode=False)


def _memberships(request: Request[Any, Any, Any]) -> Any:
    return runtime_of(request).people.memberships


HANDLERS: Final = (team_page, change_role, remove, invite, withdraw)
