"""A hundred thousand blocks of downtime with payments strewn in: none is missed, progress is shown, and how fast it goes is printed.

The node is the simulator's, because none that executes blocks makes so many in a bearable time; ``bench_catch_up.py`` asks a real one for fewer.
``PEPAY_BENCH_BLOCKS`` says how many blocks; 100,000 when it is not set.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from blackbox import Market
from engines import opened
from long_chain import CHAIN, DAI, SPACING, USDC, extend, long_chain

from pepay_core.secrets import FileSecrets
from pepay_core.settings import load_settings
from pepay_core.testing.clock import FakeClock

BLOCKS = int(os.environ.get("PEPAY_BENCH_BLOCKS", "100000"))
PAYMENTS = 200
BEGINNING = datetime(2026, 11, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.slow


@pytest.fixture
def node():
    with long_chain() as url:
        yield url


@pytest.fixture
def settings(tmp_path, node, database_url):
    market = Market()
    rates = "".join(f'[plugin.{name}]\nbase_url = "{market.url}/{name}"\n' for name in ("coingecko", "coinbase", "kraken"))
    config = tmp_path / "pepay.toml"
    config.write_text(f"""
[database]
url = "{database_url}"
{rates}
[plugin.evm.networks.dev]
name = "Long"
chain = "eip155:{CHAIN}"
rpc = ["{node}"]
testnet = true
idle = false
block_seconds = {SPACING}.0
native = {{ symbol = "ETH", rate_id = "ethereum" }}
confirmations = 2
tokens = [
  {{ symbol = "USDC", address = "{USDC}", decimals = 6, rate_id = "usd-coin", standard = true }},
  {{ symbol = "DAI", address = "{DAI}", decimals = 18, rate_id = "usd-coin" }},
]
""")
    settings = load_settings(config, {})
    FileSecrets(settings.key_path, {}).create()
    yield settings
    market.close()


async def test_nothing_is_missed_in_a_long_downtime(settings, node, engine, capsys):
    clock = FakeClock(BEGINNING)
    async with opened(settings, None, clock) as pepay:
        asset = f"eip155:{CHAIN}/erc20:{USDC}"
        invoices = [await pepay.invoice(pay_with=asset, expires_in=2_592_000) for _ in range(PAYMENTS)]
        options = [pepay.option(invoice, "USDC") for invoice in invoices]
        head = extend(node, BLOCKS, [(each["destination"], int(each["quote"]["amount_base_units"])) for each in options])
        clock.jump(timedelta(seconds=BLOCKS * SPACING))

        began, cpu = time.perf_counter(), time.process_time()
        shown = []
        keeper = pepay.runtime.keepers[f"eip155:{CHAIN}"]
        while await keeper._step() == 0:
            (chain,) = await pepay.runtime.offering.chains(pepay.caller)
            shown.append(chain["lag"])
        took, used = time.perf_counter() - began, time.process_time() - cpu

        with capsys.disabled():
            sys.stdout.write(
                f"\n{engine}: {BLOCKS} blocks with {PAYMENTS} payments in {took:.1f} s: {BLOCKS / took:.0f} blocks/s; "
                f"{used:.1f} s of our own processor time, {Decimal(used) * 1000 / BLOCKS:.2f} ms a block\n"
            )
        assert [(await pepay.get(each))["status"] for each in invoices] == ["paid"] * PAYMENTS
        (chain,) = await pepay.runtime.offering.chains(pepay.caller)
        assert (chain["tip"], chain["lag"]) == (head, 0)
        assert shown == sorted(shown, reverse=True), "what is left never grows"
