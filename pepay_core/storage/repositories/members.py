"""Members of merchants, and those who are invited."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pepay_core.domain.errors import Conflict
from pepay_core.domain.people import Invitation, Member
from pepay_core.domain.roles import Role
from pepay_core.storage.repositories.rows import Repository, missing
from pepay_core.storage.tables import InvitationRow, MemberRow

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.domain.ids import InvitationId, MerchantId, UserId


class MemberRepository(Repository):
    """Who is what to which merchant."""

    async def add(self, member: Member) -> None:
        row = {"merchant": member.merchant, "user_id": member.user, "role": member.role.value, "created_at": member.created_at}
        if not await self._insert_new(MemberRow, row):
            raise Conflict("this user is a member already")

    async def get(self, merchant: MerchantId, user: UserId, *, lock: bool = False) -> Member:
        rows = await self._select(MemberRow, MemberRow.merchant == merchant, MemberRow.user_id == user, lock=lock)
        if not rows:
            raise missing("member", user)
        return _member(rows[0])

    async def find(self, merchant: MerchantId, user: UserId) -> Member | None:
        rows = await self._select(MemberRow, MemberRow.merchant == merchant, MemberRow.user_id == user)
        return _member(rows[0]) if rows else None

    async def of(self, merchant: MerchantId) -> list[Member]:
        return [_member(row) for row in await self._select(MemberRow, MemberRow.merchant == merchant, order=[MemberRow.seq])]

    async def of_user(self, user: UserId) -> list[Member]:
        return [_member(row) for row in await self._select(MemberRow, MemberRow.user_id == user, order=[MemberRow.seq])]

    async def owners(self, merchant: MerchantId) -> list[Member]:
        where = [MemberRow.merchant == merchant, MemberRow.role == Role.OWNER.value]
        return [_member(row) for row in await self._select(MemberRow, *where, order=[MemberRow.seq], lock=True)]

    async def set_role(self, merchant: MerchantId, user: UserId, role: Role) -> None:
        if not await self._update(MemberRow, {"role": role.value}, MemberRow.merchant == merchant, MemberRow.user_id == user):
            raise missing("member", user)

    async def remove(self, merchant: MerchantId, user: UserId) -> None:
        if not await self._raw("DELETE FROM pepay_member WHERE merchant = {} AND user_id = {} RETURNING seq", merchant, user):
            raise missing("member", user)


class InvitationRepository(Repository):
    """Rights to register."""

    async def add(self, invitation: Invitation) -> None:
        await self._insert(InvitationRow, _invitation_row(invitation))

    async def by_digest(self, digest: str) -> Invitation | None:
        rows = await self._select(InvitationRow, InvitationRow.digest == digest)
        return _invitation(rows[0]) if rows else None

    async def take(self, digest: str) -> Invitation | None:
        rows = await self._select(InvitationRow, InvitationRow.digest == digest, lock=True)
        if not rows or not await self._raw("DELETE FROM pepay_invitation WHERE digest = {} RETURNING id", digest):
            return None
        return _invitation(rows[0])

    async def of(self, merchant: MerchantId) -> list[Invitation]:
        return [_invitation(row) for row in await self._select(InvitationRow, InvitationRow.merchant == merchant, order=[InvitationRow.id])]

    async def of_platform(self) -> list[Invitation]:
        return [_invitation(row) for row in await self._select(InvitationRow, InvitationRow.merchant.is_null(), order=[InvitationRow.id])]

    async def remove(self, merchant: MerchantId | None, invitation: InvitationId) -> bool:
        if merchant is None:
            return bool(await self._raw("DELETE FROM pepay_invitation WHERE id = {} AND merchant IS NULL RETURNING id", invitation))
        return bool(await self._raw("DELETE FROM pepay_invitation WHERE id = {} AND merchant = {} RETURNING id", invitation, merchant))

    async def sweep(self, now: datetime) -> None:
        await self._raw("DELETE FROM pepay_invitation WHERE expires_at <= {}", now)


def _member(row: dict[str, Any]) -> Member:
    return Member(row["merchant"], row["user_id"], Role(row["role"]), row["created_at"])


def _invitation_row(invitation: Invitation) -> dict[str, Any]:
    return {
        "id": invitation.id,
        "digest": invitation.digest,
        "email": invitation.email,
        "email_digest": invitation.email_digest,
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
        "invited_by": invitation.invited_by,
        "merchant": invitation.merchant,
        "role": None if invitation.role is None else invitation.role.value,
        "is_admin": invitation.is_admin,
    }


def _invitation(row: dict[str, Any]) -> Invitation:
    return Invitation(**{**row, "role": None if row["role"] is None else Role(row["role"])})
