"""What all tests share: a database of their own, on each engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pepay_core.clock import SystemClock
from pepay_core.storage.migrating import migrate
from pepay_core.storage.opening import open_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pepay_core.storage.opening import DatabaseStore


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    return f"sqlite:///{tmp_path / 'pepay.db'}"


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[DatabaseStore]:
    """An open store on a migrated database."""
    await migrate(database_url)
    async with open_store(database_url, SystemClock()) as opened:
        yield opened
