"""The engine of each test: see ``tests/support/engines.py``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from blackbox import Market
from engines import Engine, configured, opened

from pepay_core.testing.anvil import anvil
from pepay_core.testing.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pepay_core.testing.anvil import Anvil

__all__ = ["anvil"]


@pytest.fixture
def market():
    market = Market()
    yield market
    market.close()


@pytest.fixture
def settings(tmp_path: Path, anvil: Anvil, market: Market, database_url: str):
    """Return settings for the test's node, database and market, with two tokens deployed."""
    return configured(tmp_path, database_url, market, anvil)


@pytest.fixture
def clock(anvil: Anvil) -> FakeClock:
    """Return a clock that begins a minute after the node's newest block."""
    newest = int(anvil.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    return FakeClock(datetime.fromtimestamp(newest, UTC) + timedelta(minutes=1))


@pytest.fixture
async def pepay(settings, anvil: Anvil, clock: FakeClock) -> AsyncIterator[Engine]:
    """Return an engine with a merchant and a wallet, whose watcher has begun."""
    async with opened(settings, anvil, clock) as running:
        yield running
