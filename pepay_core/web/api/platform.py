"""What the admins of the platform do: users and merchants, kept out and let in again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from pepay_core.domain import ids
from pepay_core.domain.errors import Conflict
from pepay_core.domain.ids import MerchantId
from pepay_core.services.presenting import seconds
from pepay_core.web.access import ADMIN
from pepay_core.web.api.people_objects import User
from pepay_core.web.operations import operation
from pepay_core.web.schemas import Nothing, Paging, Seconds

if TYPE_CHECKING:
    from pepay_core.services.paging import Slice
    from pepay_core.services.ports import Transaction
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
    return accounts.view(await accounts.suspend(call.path["user"]))


@operation("POST", "/api/v1/users/{user}/resume", tag=_TAG, access=ADMIN, fresh=True, ids=_USER, gives=User)
async def resume_user(call: Call[Nothing, None]) -> dict[str, Any]:
    """Let a suspended user sign in again."""
    accounts = call.runtime.people.accounts
    return accounts.view(await accounts.resume(call.path["user"]))


@operation("GET", "/api/v1/tenants", tag=_TAG, access=ADMIN, gives=Tenant, many=True)
async def list_tenants(call: Call[Nothing, None]) -> list[dict[str, Any]]:
    """List every merchant of the platform."""
    async with call.runtime.store.read() as tx:
        return [_view(each) for each in await tx.merchants.all()]


@operation("POST", "/api/v1/tenants/{merchant}/suspend", tag=_TAG, access=ADMIN, fresh=True, ids=_MERCHANT, gives=Tenant)
async def suspend_merchant(call: Call[Nothing, None]) -> dict[str, Any]:
    """Close a merchant for now: what buyers owe is still watched and credited, and nothing new begins."""
    return await _suspended(call, suspended=True)


@operation("POST", "/api/v1/tenants/{merchant}/resume", tag=_TAG, access=ADMIN, fresh=True, ids=_MERCHANT, gives=Tenant)
async def resume_merchant(call: Call[Nothing, None]) -> dict[str, Any]:
    """Let a suspended merchant go on."""
    return await _suspended(call, suspended=False)


async def _suspended(call: Call[Nothing, None], *, suspended: bool) -> dict[str, Any]:
    merchant = MerchantId(call.path["merchant"])

    async def work(tx: Transaction) -> dict[str, Any]:
        await tx.merchants.get(merchant)
        await tx.merchants.suspend(merchant, call.runtime.clock.now() if suspended else None)
        return _view(await tx.merchants.get(merchant))

    return await call.runtime.store.run(work)


def _view(merchant: Any) -> dict[str, Any]:
    return {
        "object": "tenant",
        "id": merchant.id,
        "name": merchant.name,
        "created_at": seconds(merchant.created_at),
        "suspended_at": seconds(merchant.suspended_at),
    }


OPERATIONS: Final = (list_users, suspend_user, resume_user, list_tenants, suspend_merchant, resume_merchant)
