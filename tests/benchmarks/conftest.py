"""The engine on a node of its own that forgets old states, as most nodes do, and so mines fast."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from blackbox import Market
from engines import CHAIN, opened

from pepay_core.secrets import FileSecrets
from pepay_core.settings import load_settings
from pepay_core.testing import erc20
from pepay_core.testing.anvil import Anvil
from pepay_core.testing.clock import FakeClock


@pytest.fixture
def forgetful():
    """Return a node that keeps the states of its newest blocks only."""
    with Anvil(history=False) as node:
        yield node


@pytest.fixture
def market():
    market = Market()
    yield market
    market.close()


@pytest.fixture
async def pepay(tmp_path, forgetful, market, database_url):
    forgetful.mine()
    usdc = forgetful.deploy(erc20.coin("USDC", 6, 10**15))
    dai = forgetful.deploy(erc20.coin("DAI", 18, 10**30))
    rates = "".join(f'[plugin.{name}]\nbase_url = "{market.url}/{name}"\n' for name in ("coingecko", "coinbase", "kraken"))
    config = tmp_path / "pepay.toml"
    config.write_text(f"""
[database]
url = "{database_url}"
{rates}
[plugin.evm.networks.dev]
name = "Dev"
chain = "{CHAIN}"
rpc = ["{forgetful.url}"]
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
    newest = int(forgetful.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    async with opened(settings, forgetful, FakeClock(datetime.fromtimestamp(newest, UTC) + timedelta(minutes=1))) as engine:
        yield engine
