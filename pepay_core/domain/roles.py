"""What the members of a merchant may do: a table, and the three rules of who may change it for whom."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import Forbidden
from pepay_core.domain.merchants import SCOPES

if TYPE_CHECKING:
    from collections.abc import Mapping


class Role(StrEnum):
    """What a user is to a merchant, from the most powerful to the least."""

    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    ACCOUNTANT = "accountant"
    VIEWER = "viewer"


_VIEWER: Final = frozenset({"invoices:read", "refunds:read", "merchant:read"})
_ACCOUNTANT: Final = _VIEWER | {"reports:read", "wallets:read", "refunds:write"}
_DEVELOPER: Final = _VIEWER | {"invoices:write", "webhooks:read", "webhooks:write", "keys:read", "keys:write", "wallets:read", "reports:read"}

ROLES: Final[Mapping[Role, frozenset[str]]] = MappingProxyType(
    {
        Role.OWNER: frozenset(SCOPES),
        Role.ADMIN: frozenset(SCOPES),
        Role.DEVELOPER: _DEVELOPER,
        Role.ACCOUNTANT: _ACCOUNTANT,
        Role.VIEWER: _VIEWER,
    }
)
"""What each role may do. An admin may do what an owner may, except make, change or remove owners."""

_RANK: Final = MappingProxyType({role: rank for rank, role in enumerate(reversed(Role))})


def is_above(one: Role, other: Role) -> bool:
    """Tell whether a role is more powerful than another."""
    return _RANK[one] > _RANK[other]


def insist_may_give(giver: Role, role: Role) -> None:
    """Raise Forbidden when somebody would give a role above their own, or may give none at all."""
    if "members:write" not in ROLES[giver]:
        raise Forbidden(f"the role {giver} may not change who is a member")
    if is_above(role, giver):
        raise Forbidden(f"the role {giver} may not give the role {role}, which is above it", field="role")


def insist_may_change(giver: Role, present: Role, *, is_self: bool) -> None:
    """Raise Forbidden when somebody would change or remove a member whose role is above their own, or change their own."""
    if is_self:
        raise Forbidden("nobody changes their own role: ask another owner or admin")
    if "members:write" not in ROLES[giver]:
        raise Forbidden(f"the role {giver} may not change who is a member")
    if is_above(present, giver):
        raise Forbidden(f"the role {giver} may not change a member whose role is {present}, which is above it")
