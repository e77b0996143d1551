"""The members of a merchant, and the merchants of a user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pepay_core.domain import ids
from pepay_core.domain.errors import Conflict
from pepay_core.domain.roles import Role
from pepay_core.services.founding import new_merchant
from pepay_core.services.idempotency import answer
from pepay_core.services.people.accounts import as_user
from pepay_core.services.people.memberships import membership
from pepay_core.web.access import USER
from pepay_core.web.api.people_objects import Member, Membership
from pepay_core.web.operations import operation
from pepay_core.web.schemas import Nothing, Sent

if TYPE_CHECKING:
    from pepay_core.services.ports import Transaction
    from pepay_core.web.operations import Call

_TAG: Final = "Members"
_READ: Final = "members:read"
_WRITE: Final = "members:write"
_USER: Final = {"user": ids.USER}


class CreateMerchant(Sent):
    """A merchant of which the user becomes the owner."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]


class ChangeMember(Sent):
    """The role that a member shall have."""

    role: Literal["owner", "admin", "developer", "accountant", "viewer"]


class FormerMember(msgspec.Struct):
    """A user who is no member any more."""

    object: Literal["member"]
    user: str
    removed: bool


@operation("GET", "/api/v1/merchants", tag=_TAG, access=USER, gives=Membership, many=True)
async def list_merchants(call: Call[Nothing, None]) -> list[dict[str, Any]]:
    """List the merchants that one is a member of."""
    return await call.runtime.people.memberships.of_user(call.signed_in.user)


@operation("POST", "/api/v1/merchants", tag=_TAG, access=USER, status=201, body=CreateMerchant, gives=Membership)
async def create_merchant(call: Call[Nothing, CreateMerchant]) -> dict[str, Any]:
    """Make a merchant, and be its owner."""
    runtime, user = call.runtime, call.signed_in.user
    merchant = new_merchant(runtime.ids, runtime.clock, call.body.name)

    async def work(tx: Transaction) -> dict[str, Any]:
        await tx.merchants.add(merchant)
        member = await runtime.people.memberships.add(tx, merchant.id, user.id, Role.OWNER, by=as_user(user))
        return membership(member, merchant.name)

    return await answer(runtime.store, work)


@operation(
    "DELETE",
    "/api/v1/merchants/{merchant}/membership",
    tag=_TAG,
    access=USER,
    ids={"merchant": ids.MERCHANT},
    gives=FormerMember,
    refuses=(Conflict,),
)
async def leave_merchant(call: Call[Nothing, None]) -> dict[str, Any]:
    """Be a member no more; the last owner stays."""
    await call.runtime.people.memberships.leave(call.signed_in.user, call.path["merchant"])
    return {"object": "member", "user": call.signed_in.user.id, "removed": True}


@operation("GET", "/api/v1/members", tag=_TAG, access=_READ, gives=Member, many=True)
async def list_members(call: Call[Nothing, None]) -> list[dict[str, Any]]:
    """List who is a member, and as what."""
    return await call.runtime.people.memberships.list(call.caller)


@operation("PATCH", "/api/v1/members/{user}", tag=_TAG, access=_WRITE, fresh=True, ids=_USER, body=ChangeMember, gives=Member, refuses=(Conflict,))
async def change_member(call: Call[Nothing, ChangeMember]) -> dict[str, Any]:
    """Give a member another role, at most one's own; nobody changes their own."""
    return await call.runtime.people.memberships.set_role(call.caller, call.path["user"], call.body.role)


@operation("DELETE", "/api/v1/members/{user}", tag=_TAG, access=_WRITE, fresh=True, ids=_USER, gives=FormerMember, refuses=(Conflict,))
async def remove_member(call: Call[Nothing, None]) -> dict[str, Any]:
    """Remove a member: from their next request on they may do nothing here."""
    await call.runtime.people.memberships.remove(call.caller, call.path["user"])
    return {"object": "member", "user": call.path["user"], "removed": True}


OPERATIONS: Final = (list_merchants, create_merchant, leave_merchant, list_members, change_member, remove_member)
