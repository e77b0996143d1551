"""Consents to give a shop a key."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pepay_core.domain.connecting import Grant
from pepay_core.storage.codecs import from_json, to_json
from pepay_core.storage.repositories.rows import Repository
from pepay_core.storage.tables import GrantRow

if TYPE_CHECKING:
    from datetime import datetime


class GrantRepository(Repository):
    """Consents."""

    async def add(self, grant: Grant) -> None:
        row = {name: getattr(grant, name) for name in Grant.__slots__ if name not in {"user", "scopes"}}
        await self._insert(GrantRow, {**row, "user_id": grant.user, "scopes": to_json(grant.scopes)})

    async def take(self, digest: str) -> Grant | None:
        rows = await self._raw("DELETE FROM pepay_grant WHERE digest = {} RETURNING *", digest)
        return _grant(rows[0]) if rows else None

    async def sweep(self, now: datetime) -> None:
        await self._raw("DELETE FROM pepay_grant WHERE expires_at <= {} RETURNING digest", now)


def _grant(row: dict[str, Any]) -> Grant:
    fields = {name: value for name, value in row.items() if name != "user_id"}
    return Grant(**{**fields, "user": row["user_id"], "scopes": tuple(from_json(row["scopes"])), "livemode": bool(row["livemode"])})
