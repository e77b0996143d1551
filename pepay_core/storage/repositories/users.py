"""Users, and what they sign in with beside a password."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pepay_core.domain.errors import Conflict
from pepay_core.domain.people import Passkey, User
from pepay_core.storage.repositories.rows import Repository, missing
from pepay_core.storage.tables import PasskeyRow, RecoveryCodeRow, UserRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pepay_core.domain.ids import PasskeyId, UserId
    from pepay_core.services.paging import Page, Slice

_TAKEN = "there is a user with this address already"


class UserRepository(Repository):
    """Those who sign in."""

    async def add(self, user: User) -> None:
        if not await self._insert_new(UserRow, _user_row(user)):
            raise Conflict(_TAKEN)

    async def get(self, user: UserId, *, lock: bool = False) -> User:
        return _user(await self._get(UserRow, "user", user, lock=lock))

    async def find(self, user: UserId) -> User | None:
        row = await self._find(UserRow, user)
        return _user(row) if row else None

    async def by_email(self, digest: str, *, lock: bool = False) -> User | None:
        rows = await self._select(UserRow, UserRow.email_digest == digest, lock=lock)
        return _user(rows[0]) if rows else None

    async def page(self, page: Page) -> Slice[User]:
        return await self._page(UserRow, UserRow.id, page, _user)

    async def save(self, user: User) -> None:
        taken = await self._raw("SELECT id FROM pepay_user WHERE email_digest = {} AND id <> {}", user.email_digest, user.id)
        if taken:
            raise Conflict(_TAKEN)
        if not await self._update(UserRow, _user_row(user), UserRow.id == user.id):
            raise missing("user", user.id)

    async def admins(self) -> list[User]:
        found = await self._select(UserRow, UserRow.is_admin.eq(True), UserRow.suspended_at.is_null(), order=[UserRow.id], lock=True)
        return [_user(row) for row in found]

    async def rehash(self, user: UserId, old: bytes, new: bytes) -> None:
        await self._update(UserRow, {"password": new}, UserRow.id == user, UserRow.password == old)

    async def use_step(self, user: UserId, step: int) -> bool:
        return await self._update(UserRow, {"totp_step": step}, UserRow.id == user, UserRow.totp_step < step)


class PasskeyRepository(Repository):
    """Public halves of users' key pairs."""

    async def add(self, passkey: Passkey) -> None:
        if not await self._insert_new(PasskeyRow, _passkey_row(passkey)):
            raise Conflict("this passkey is registered already")

    async def of(self, user: UserId) -> list[Passkey]:
        return [_passkey(row) for row in await self._select(PasskeyRow, PasskeyRow.user_id == user, order=[PasskeyRow.id])]

    async def owner(self, credential: bytes) -> UserId | None:
        rows = await self._select(PasskeyRow, PasskeyRow.credential == credential)
        return rows[0]["user_id"] if rows else None

    async def rename(self, user: UserId, passkey: PasskeyId, name: str) -> bool:
        return await self._update(PasskeyRow, {"name": name}, PasskeyRow.user_id == user, PasskeyRow.id == passkey)

    async def used(self, passkey: Passkey, signatures: int, at: datetime) -> bool:
        return await self._update(
            PasskeyRow, {"signatures": signatures, "last_used_at": at}, PasskeyRow.id == passkey.id, PasskeyRow.signatures == passkey.signatures
        )

    async def remove(self, user: UserId, passkey: PasskeyId) -> bool:
        return bool(await self._raw("DELETE FROM pepay_passkey WHERE user_id = {} AND id = {} RETURNING id", user, passkey))

    async def remove_all(self, user: UserId) -> None:
        await self._raw("DELETE FROM pepay_passkey WHERE user_id = {}", user)


class RecoveryCodeRepository(Repository):
    """Codes that sign in once each."""

    async def replace(self, user: UserId, digests: Sequence[str]) -> None:
        await self._raw("DELETE FROM pepay_recovery_code WHERE user_id = {}", user)
        if digests:
            await self._insert(RecoveryCodeRow, *({"user_id": user, "digest": digest} for digest in digests))

    async def use(self, user: UserId, digest: str) -> bool:
        return bool(await self._raw("DELETE FROM pepay_recovery_code WHERE user_id = {} AND digest = {} RETURNING seq", user, digest))

    async def left(self, user: UserId) -> int:
        return (await self._raw("SELECT COUNT(*) AS number FROM pepay_recovery_code WHERE user_id = {}", user))[0]["number"]


def _user_row(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "email_digest": user.email_digest,
        "password": user.password,
        "created_at": user.created_at,
        "is_admin": user.is_admin,
        "epoch": user.epoch,
        "suspended_at": user.suspended_at,
        "totp": user.totp,
        "totp_since": user.totp_since,
        "totp_step": user.totp_step,
    }


def _user(row: dict[str, Any]) -> User:
    return User(**row)


def _passkey_row(passkey: Passkey) -> dict[str, Any]:
    return {
        "id": passkey.id,
        "user_id": passkey.user,
        "name": passkey.name,
        "credential": passkey.credential,
        "public_key": passkey.public_key,
        "signatures": passkey.signatures,
        "created_at": passkey.created_at,
        "last_used_at": passkey.last_used_at,
    }


def _passkey(row: dict[str, Any]) -> Passkey:
    return Passkey(**{name: value for name, value in row.items() if name != "user_id"}, user=row["user_id"])
