"""The signed-in user: their name and their password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta

from pepay_core.domain.errors import InvalidInput, SignInFailed
from pepay_core.web.access import USER
from pepay_core.web.api.people_objects import User
from pepay_core.web.api.session import OwnSession, Password, opened_view
from pepay_core.web.operations import operation
from pepay_core.web.schemas import Nothing, Sent

if TYPE_CHECKING:
    from pepay_core.web.operations import Call

_TAG: Final = "User"


class ChangeUser(Sent):
    """What shall be different."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]


class ChangePassword(Sent):
    """The password as it is, and as it shall be."""

    password: Password
    new_password: Annotated[str, Meta(min_length=12, max_length=1_024)]


@operation("GET", "/api/v1/user", tag=_TAG, access=USER, gives=User)
async def get_user(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get who is signed in."""
    return call.runtime.people.accounts.view(call.signed_in.user)


@operation("PATCH", "/api/v1/user", tag=_TAG, access=USER, body=ChangeUser, gives=User)
async def change_user(call: Call[Nothing, ChangeUser]) -> dict[str, Any]:
    """Change one's name."""
    accounts = call.runtime.people.accounts
    return accounts.view(await accounts.rename(call.signed_in.user.id, call.body.name))


@operation(
    "POST", "/api/v1/user/password", tag=_TAG, access=USER, body=ChangePassword, gives=OwnSession, opens=True, refuses=(SignInFailed, InvalidInput)
)
async def change_password(call: Call[Nothing, ChangePassword]) -> dict[str, Any]:
    """Change one's password: every session ends, and a new one begins in place of this one."""
    return await opened_view(call, await call.runtime.people.signing_in.change_password(call.signed_in, call.body.password, call.body.new_password))


OPERATIONS: Final = (get_user, change_user, change_password)
