"""What the admins of the platform do: users and merchants, kept out and let in again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from pepay_core.domain import ids
from pepay_core.domain.errors import Conflict
from pepay_core.services.people.accounts import as_user
from pepay_core.web.access import ADMIN
from pepay_core.web.api.people_objects import User
from pepay_core.web.operations import operation
from pepay_core.web.schemas import Nothing, Paging, Seconds

if TYPE_CHECKING:
    from pepay_core.services.paging import Slice
    from pepay_core.web.operations import Call

_TAG: Final = "Platform"
_USER: Final = {"user": ids.USER}
_MERCHANT: Final = {"merchant": ids.MERCHANT}


class Tenant(msgspec.Struct):
    """A merchant as the platform's admins see it."""

    object: Literal["tenant"]
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


OPERATIONS: Final = (list_users, suspend_user, resume_user, list_tenants, suspend_merchant, resume_merchant)
