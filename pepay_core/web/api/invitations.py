"""Invitations, and what links in letters are for: registering, a new password, a new address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pepay_core.domain import ids
from pepay_core.domain.errors import Conflict, InvalidInput, NotFound, SignInFailed
from pepay_core.web.access import DOOR, USER
from pepay_core.web.api.people_objects import Invitation
from pepay_core.web.api.session import OwnSession, Password, opened_view
from pepay_core.web.asgi.facts import facts
from pepay_core.web.operations import operation
from pepay_core.web.schemas import Nothing, Sent

if TYPE_CHECKING:
    from pepay_core.web.operations import Call

_TAG: Final = "Invitations"
_INVITATION: Final = {"invitation": ids.INVITATION}

Email = Annotated[str, Meta(min_length=1, max_length=320)]
Token = Annotated[str, Meta(min_length=1, max_length=100, description="What the link has as `token`.")]
NewPassword = Annotated[str, Meta(min_length=12, max_length=1_024)]


class Invite(Sent):
    """Who shall be a member, and as what: at most what one is oneself."""

    email: Email
    role: Literal["owner", "admin", "developer", "accountant", "viewer"]


class AcceptInvitation(Sent):
    """The link's token, and what the new account shall have."""

    token: Token
    password: NewPassword
    name: Annotated[str, Meta(max_length=100)] = ""


class JoinByInvitation(Sent):
    """The link's token."""

    token: Token


class AskForReset(Sent):
    """The address of whoever forgot their password."""

    email: Email


class ResetPassword(Sent):
    """The link's token, and the new password."""

    token: Token
    password: NewPassword


class ChangeEmail(Sent):
    """The new address, and the password."""

    email: Email
    password: Password


class Acknowledged(msgspec.Struct):
    """It was heard; nothing more is told."""

    object: Literal["acknowledgement"]
    done: bool


class WithdrawnInvitation(msgspec.Struct):
    """An invitation that is good no more."""

    object: Literal["invitation"]
    id: str
    withdrawn: bool


_DONE: Final = {"object": "acknowledgement", "done": True}


@operation("GET", "/api/v1/invitations", tag=_TAG, access="members:read", gives=Invitation, many=True)
async def list_invitations(call: Call[Nothing, None]) -> list[dict[str, Any]]:
    """List the open invitations of the merchant."""
    return await call.runtime.people.invitations.list(call.caller)


@operation(
    "POST", "/api/v1/invitations", tag=_TAG, access="members:write", fresh=True, status=201, body=Invite, gives=Invitation, refuses=(Conflict,)
)
async def invite_member(call: Call[Nothing, Invite]) -> dict[str, Any]:
    """Invite somebody to be a member; the `link` is there where nothing sends mail."""
    return await call.runtime.people.invitations.invite(call.caller, call.body.email, call.body.role)


@operation("DELETE", "/api/v1/invitations/{invitation}", tag=_TAG, access="members:write", fresh=True, ids=_INVITATION, gives=WithdrawnInvitation)
async def withdraw_invitation(call: Call[Nothing, None]) -> dict[str, Any]:
    """Take an invitation back."""
    await call.runtime.people.invitations.withdraw(call.caller, call.path["invitation"])
    return {"object": "invitation", "id": call.path["invitation"], "withdrawn": True}


@operation(
    "POST",
    "/api/v1/invitations/accept",
    tag=_TAG,
    access=DOOR,
    status=201,
    body=AcceptInvitation,
    gives=OwnSession,
    refuses=(NotFound, Conflict, InvalidInput),
)
async def accept_invitation(call: Call[Nothing, AcceptInvitation]) -> dict[str, Any]:
    """Register by an invitation, and be signed in."""
    sent, request = call.body, call.request
    address, agent = facts(request.scope).address or None, request.headers.get("user-agent")
    opened = await call.runtime.people.invitations.accept(sent.token, sent.password, name=sent.name, address=address, agent=agent)
    return await opened_view(call, opened)


@operation("POST", "/api/v1/invitations/join", tag=_TAG, access=USER, body=JoinByInvitation, gives=Acknowledged, refuses=(NotFound, Conflict))
async def join_by_invitation(call: Call[Nothing, JoinByInvitation]) -> dict[str, Any]:
    """Become what one is invited to be, as the user that one is already."""
    await call.runtime.people.invitations.accept_as(call.signed_in, call.body.token)
    return _DONE


@operation("POST", "/api/v1/password-reset", tag=_TAG, access=DOOR, status=202, body=AskForReset, gives=Acknowledged)
async def ask_for_password_reset(call: Call[Nothing, AskForReset]) -> dict[str, Any]:
    """Have a link for a new password sent; whether the address is known is not told."""
    await call.runtime.people.password_resets.ask(call.body.email, address=facts(call.request.scope).address or None)
    return _DONE


@operation("POST", "/api/v1/password-reset/confirm", tag=_TAG, access=DOOR, body=ResetPassword, gives=Acknowledged, refuses=(NotFound, InvalidInput))
async def reset_password(call: Call[Nothing, ResetPassword]) -> dict[str, Any]:
    """Set a new password by the link: every session ends, and a second factor stays as it is."""
    await call.runtime.people.password_resets.reset(call.body.token, call.body.password)
    return _DONE


@operation(
    "POST",
    "/api/v1/user/email",
    tag="User",
    access=USER,
    status=202,
    body=ChangeEmail,
    gives=Acknowledged,
    opens=True,
    refuses=(SignInFailed, Conflict),
)
async def ask_for_email_change(call: Call[Nothing, ChangeEmail]) -> dict[str, Any]:
    """Have a link sent to a new address, by which it becomes one's own."""
    await call.runtime.people.email_changes.ask(call.signed_in, call.body.password, call.body.email)
    return _DONE


OPERATIONS: Final = (
    list_invitations,
    invite_member,
    withdraw_invitation,
    accept_invitation,
    join_by_invitation,
    ask_for_password_reset,
    reset_password,
    ask_for_email_change,
)
