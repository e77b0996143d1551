"""What the admins of the platform do: users and merchants, kept out and let in again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pepay_core.domain import ids
from pepay_core.domain.errors import Conflict
from pepay_core.services.people.accounts import as_user
from pepay_core.web.access import ADMIN
from pepay_core.web.api.people_objects import Invitation, User
from pepay_core.web.operations import operation
from pepay_core.web.schemas import Nothing, Paging, Seconds, Sent

if TYPE_CHECKING:
    from pepay_core.services.paging import Slice
    from pepay_core.web.operations import Call

_TAG: Final = "Platform"
_USER: Final = {"user": ids.USER}
_MERCHANT: Final = {"merchant": ids.MERCHANT}


class Tenant(msgspec.Struct):
    """A merchant as the platform's admins see it."""

    object: Literal["merchant"]
    id: str
    name: str
    created_at: Seconds
    suspended_at: Seconds | None


@operation("GET", "/api/v1/users", tag=_TAG, access=ADMIN, query=Paging, gives=User, many=True)
async def list_users(call: Call[Paging, None]) -> Slice[dict[str, Any]]:
    """List everybody who may sign in, newest first."""
    return await call.runtime.people.accounts.page(call.query.page())


@operation("POST", "/api/v1/users/{user}/suspend", tag=_TAG, access=ADMIN, fresh=True, ids=_USER, gives=User, refuses=(Conflict,))
async def suspend_user(call: Call[Nothing, None]) -> dict[str, Any]:
    """Keep a user out: their sessions end at once."""
    accounts = call.runtime.people.accounts
    return accounts.view(await accounts.suspend(call.path["user"], by=as_user(call.signed_in.user)))


@operation("POST", "/api/v1/users/{user}/resume", tag=_TAG, access=ADMIN, fresh=True, ids=_USER, gives=User)
async def resume_user(call: Call[Nothing, None]) -> dict[str, Any]:
    """Let a suspended user sign in again."""
    accounts = call.runtime.people.accounts
    return accounts.view(await accounts.resume(call.path["user"], by=as_user(call.signed_in.user)))


class FoundMerchant(Sent):
    """A merchant, and the address of whoever shall be its first owner."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    owner: Annotated[str, Meta(min_length=3, max_length=320)]


class InviteUser(Sent):
    """Who shall have an account here, of no merchant yet."""

    email: Annotated[str, Meta(min_length=3, max_length=320)]
    is_admin: bool = False


class FoundedTenant(Tenant):
    """A new merchant, and the invitation of its owner."""

    invitation: Invitation


@operation("POST", "/api/v1/users", tag=_TAG, access=ADMIN, fresh=True, status=201, body=InviteUser, gives=Invitation, refuses=(Conflict,))
async def invite_user(call: Call[Nothing, InviteUser]) -> dict[str, Any]:
    """Invite somebody to this server; the `link` is there where nothing sends mail."""
    return await call.runtime.people.invitations.register(as_user(call.signed_in.user), call.body.email, is_admin=call.body.is_admin)


@operation("POST", "/api/v1/tenants", tag=_TAG, access=ADMIN, fresh=True, status=201, body=FoundMerchant, gives=FoundedTenant, refuses=(Conflict,))
async def found_merchant(call: Call[Nothing, FoundMerchant]) -> dict[str, Any]:
    """Make a merchant, and invite its first owner."""
    return await call.runtime.people.platform.found(as_user(call.signed_in.user), call.body.name, call.body.owner)


@operation("GET", "/api/v1/tenants", tag=_TAG, access=ADMIN, gives=Tenant, many=True)
async def list_tenants(call: Call[Nothing, None]) -> list[dict[str, Any]]:
    """List every merchant of the platform."""
    return await call.runtime.people.platform.merchants()


@operation("POST", "/api/v1/tenants/{merchant}/suspend", tag=_TAG, access=ADMIN, fresh=True, ids=_MERCHANT, gives=Tenant)
async def suspend_merchant(call: Call[Nothing, None]) -> dict[str, Any]:
    """Close a merchant for now: what buyers owe is still watched and credited, and nothing new begins."""
    return await call.runtime.people.platform.suspend(as_user(call.signed_in.user), call.path["merchant"])


@operation("POST", "/api/v1/tenants/{merchant}/resume", tag=_TAG, access=ADMIN, fresh=True, ids=_MERCHANT, gives=Tenant)
async def resume_merchant(call: Call[Nothing, None]) -> dict[str, Any]:
    """Let a suspended merchant go on."""
    return await call.runtime.people.platform.resume(as_user(call.signed_in.user), call.path["merchant"])


OPERATIONS: Final = (list_users, invite_user, suspend_user, resume_user, list_tenants, found_merchant, suspend_merchant, resume_merchant)
