"""The engine in one process on a real node and a real database, with time in the test's hands."""

from __future__ import annotations

import json
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blackbox import XPUB

from pepay_core.domain.merchants import SCOPES
from pepay_core.runtime import Runtime
from pepay_core.secrets import FileSecrets
from pepay_core.services.callers import Caller
from pepay_core.services.founding import found
from pepay_core.services.paging import Page
from pepay_core.services.requesting import InvoiceRequest
from pepay_core.settings import load_settings
from pepay_core.testing import erc20

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from blackbox import Market

    from pepay_core.settings import Settings
    from pepay_core.testing.anvil import Anvil
    from pepay_core.testing.clock import FakeClock

CHAIN = "eip155:31337"
ETH = f"{CHAIN}/slip44:60"


class Books:
    """What every engine can be asked about its invoices."""

    runtime: Runtime
    caller: Caller

    @staticmethod
    def option(invoice: dict[str, Any], symbol: str) -> dict[str, Any]:
        return next(each for each in invoice["payment_options"] if each["symbol"] == symbol)

    async def invoice(self, **fields: Any) -> dict[str, Any]:
        return await self.runtime.invoicing.create(self.caller, InvoiceRequest(**{"amount_usd": "49.99", **fields}))

    async def get(self, invoice: dict[str, Any]) -> dict[str, Any]:
        return await self.runtime.invoicing.get(self.caller, invoice["id"])

    async def events(self, invoice: dict[str, Any] | None = None) -> list[str]:
        """Return the types of the events so far, of one invoice where it is given."""
        page = await self.runtime.feed.page(self.caller, Page(limit=100), ())
        wanted = None if invoice is None else invoice["id"]
        return [each["type"] for each in page.items if wanted in {None, each["data"]["object"].get("id"), each["data"]["object"].get("invoice")}]

    async def balances(self, invoice: dict[str, Any]) -> dict[str, int]:
        """Return what the ledger holds for an invoice, by account."""
        async with self.runtime.store.read() as tx:
            assert await tx.ledger.imbalances() == []
            entries = await tx.ledger.of(invoice["id"])
        totals: dict[str, int] = {}
        for entry in entries:
            totals[str(entry.account)] = totals.get(str(entry.account), 0) + entry.units
        return totals


@dataclass
class Engine(Books):
    """A runtime whose loops the test turns by hand."""

    runtime: Runtime
    clock: FakeClock
    node: Anvil
    caller: Caller
    usdc: str
    dai: str

    @property
    def usdc_asset(self) -> str:
        return f"{CHAIN}/erc20:{self.usdc}"

    async def look(self) -> None:
        """Let the watcher make its passes."""
        keeper = self.runtime.keepers[CHAIN]
        while await keeper._step() == 0:
            pass

    async def look_once(self) -> None:
        """Let the watcher make one pass, whatever becomes of it."""
        await self.runtime.keepers[CHAIN]._step()

    async def close_due(self) -> None:
        """Let what is past its deadline be closed, and what had no price be priced."""
        await self.runtime.closing.close_due()
        await self.runtime.closing.price_pending()

    def mine(self, blocks: int = 1) -> None:
        """Mine at the time of the test's clock."""
        for _ in range(blocks):
            now = max(int(self.clock.now().timestamp()), int(self.node.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16) + 1)
            self.node.rpc("evm_setNextBlockTimestamp", hex(now))
            self.node.mine()

    def pay(self, invoice: dict[str, Any], symbol: str, units: int | None = None) -> str:
        """Send to an option's destination, the quoted amount unless told otherwise, and mine."""
        option = self.option(invoice, symbol)
        sent = int(option["quote"]["amount_base_units"]) if units is None else units
        to = option["destination"]
        contract = None if symbol == "ETH" else option["asset"].rpartition(":")[2]
        hash_ = self.node.send(to, sent) if contract is None else self.node.send(contract, data=erc20.transfer(to, sent))
        self.mine()
        return hash_


def configured(folder: Path, database_url: str, market: Market, anvil: Anvil, *, rpc: Sequence[str] = (), network: str = "") -> Settings:
    """Return settings for a node with two tokens deployed; ``rpc`` are endpoints before it, ``network`` further keys of the network."""
    anvil.mine()
    usdc = anvil.deploy(erc20.coin("USDC", 6, 10**15))
    dai = anvil.deploy(erc20.coin("DAI", 18, 2**256 - 1))
    config = folder / "pepay.toml"
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
rpc = {json.dumps(list(rpc) or [anvil.url])}
testnet = true
native = {{ symbol = "ETH", rate_id = "ethereum" }}
confirmations = 2
tokens = [
  {{ symbol = "USDC", address = "{usdc}", decimals = 6, rate_id = "usd-coin" }},
  {{ symbol = "DAI", address = "{dai}", decimals = 18, rate_id = "usd-coin" }},
]
{network}
""")
    settings = load_settings(config, {})
    FileSecrets(settings.key_path, {}).create()
    return settings


@asynccontextmanager
async def opened(settings, anvil: Anvil, clock: FakeClock, caller: Caller | None = None) -> AsyncIterator[Engine]:
    """Open a runtime without its loops; the merchant is made where none is given."""
    async with Runtime.open(settings, workers=False, clock=clock, environ={}) as runtime:
        if caller is None:
            made = await found(runtime.store, runtime.keys, runtime.ids, clock, "Test shop")
            caller = Caller(made.merchant.id, False, "test", frozenset(SCOPES))
            await runtime.receiving.create(caller, "eip155", "xpub", XPUB)
        usdc, dai, *_ = re.findall(r'address = "(0x[0-9a-fA-F]{40})"', settings.config_path.read_text())
        engine = Engine(runtime, clock, anvil, caller, usdc.lower(), dai.lower())
        await engine.look()
        yield engine
