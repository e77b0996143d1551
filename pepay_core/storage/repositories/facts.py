"""What an installation knows of itself."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from typing import Final

from pepay_core.storage.repositories.rows import Repository
from pepay_core.storage.tables import FactRow

_PUT: Final = "INSERT INTO pepay_fact (name, value) VALUES ({}, {}) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


class FactRepository(Repository):
    """Facts by name."""

    async def get(self, name: str) -> str | None:
        rows = await self._select(FactRow, FactRow.name == name)
        return str(rows[0]["value"]) if rows else None

    async def put(self, name: str, value: str) -> None:
        await self._raw(_PUT, name, value)
