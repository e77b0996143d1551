"""The engine of each test: see ``tests/support/engines.py``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from blackbox import Market
from engines import CHAIN, Engine, opened

from pepay_core.secrets import FileSecrets
from pepay_core.settings import load_settings
from pepay_core.testing import erc20
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
    anvil.mine()
    usdc = anvil.deploy(erc20.coin("USDC", 6, 10**15))
    dai = anvil.deploy(erc20.coin("DAI", 18, 2**256 - 1))
    config = tmp_path / "pepay.toml"
    config.write_text(f"""
[database]
url = "{database_url}"
[plugin.coingecko]
base_url = "{market.url}/coingecko"
[plugin.coinbase]
base_url = "{market.url}/coinbase"
[plugin.kraken]
base_url = "{market.url}/kraken"
[plugin.evm.networks.dev]
name = "Dev"
chain = "{CHAIN}"
rpc = ["{anvil.url}"]
testnet = true
native = {{ symbol = "ETH", rate_id = "ethereum" }}
confirmations = 2
tokens = [
  {{ symbol = "USDC", address = "{usdc}", decimals = 6, rate_id = "usd-coin" }},
  {{ symbol = "DAI", address = "{dai}", decimals = 18, rate_id = "usd-coin" }},
]
""")
    settings = load_settings(config, {})
    FileSecrets(settings.key_path, {}).create()
    return settings


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
