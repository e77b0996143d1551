"""How fast a watcher catches up after downtime: blocks per second on a local node, with payments strewn in.

``PEPAY_BENCH_BLOCKS`` says how many blocks; 100,000 when it is not set.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from blackbox import Market
from engines import CHAIN, opened

from pepay_core.secrets import FileSecrets
from pepay_core.settings import load_settings
from pepay_core.testing import erc20
from pepay_core.testing.anvil import anvil
from pepay_core.testing.clock import FakeClock

__all__ = ["anvil"]

BLOCKS = int(os.environ.get("PEPAY_BENCH_BLOCKS", "100000"))
PAYMENTS = 50

pytestmark = pytest.mark.slow


@pytest.fixture
def market():
    market = Market()
    yield market
    market.close()


@pytest.fixture
async def pepay(tmp_path, anvil, market, database_url):
    anvil.mine()
    usdc, dai = anvil.deploy(erc20.coin("USDC", 6, 10**15)), anvil.deploy(erc20.coin("DAI", 18, 10**30))
    rates = "".join(f'[plugin.{name}]\nbase_url = "{market.url}/{name}"\n' for name in ("coingecko", "coinbase", "kraken"))
    config = tmp_path / "pepay.toml"
    config.write_text(f"""
[database]
url = "{database_url}"
{rates}
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
    newest = int(anvil.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    async with opened(settings, anvil, FakeClock(datetime.fromtimestamp(newest, UTC) + timedelta(minutes=1))) as engine:
        yield engine


async def test_a_watcher_catches_up_without_missing_anything(pepay, engine, capsys):
    await pepay.invoice(pay_with=pepay.usdc_asset)
    invoices = [await pepay.invoice(pay_with=pepay.usdc_asset, expires_in=2_592_000) for _ in range(PAYMENTS)]
    for invoice in invoices:
        pepay.node.rpc("anvil_mine", hex(BLOCKS // PAYMENTS))
        pepay.pay(invoice, "USDC")
    pepay.node.rpc("anvil_mine", "0x4")
    async with pepay.runtime.store.read() as tx:
        first = await tx.chains.newest_checkpoint(CHAIN)

    began, cpu = time.perf_counter(), time.process_time()
    await pepay.look()
    took, used = time.perf_counter() - began, time.process_time() - cpu

    blocks = pepay.node.height - first.height
    with capsys.disabled():
        sys.stdout.write(
            f"\n{engine}: {blocks} blocks with {PAYMENTS} payments in {took:.1f} s: {blocks / took:.0f} blocks/s; "
            f"{used:.1f} s of our own processor time, {blocks / used:.0f} blocks/s\n"
        )
    assert [(await pepay.get(each))["status"] for each in invoices] == ["paid"] * PAYMENTS
