"""The demo, put together: what starts, in which order, and that all of it ends."""

from __future__ import annotations

import asyncio
import errno
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from pepay_sandbox.demo.api import Api
from pepay_sandbox.demo.catcher import Catcher
from pepay_sandbox.demo.purse import Purse
from pepay_sandbox.demo.server import Home, init, serving
from pepay_sandbox.demo.shop import HOOK, Choice, Shop
from pepay_sandbox.demo.solana import PLUGIN as SOLANA
from pepay_sandbox.demo.solana import RATES as SOLANA_RATES
from pepay_sandbox.demo.solana import solana_side
from pepay_sandbox.demo.xpub import new_xpub
from pepay_sandbox.local_chain import local_chain
from pepay_sandbox.loopback import HOST, free_port, serve
from pepay_sandbox.wallet import TestWallet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pepay_sandbox.demo.solana import SolanaSide
    from pepay_sandbox.local_chain import LocalChain, NodeKind
    from pepay_sandbox.token import TestToken

MERCHANT: Final = "Demo shop"
NETWORK: Final = "Sandbox"
CONFIRMATIONS: Final = 2
USUAL_PORT: Final = 8000
_PLUGINS: Final = ("evm", "sandbox", "webhook-hmac")
_RATES: Final = {"ethereum": "3000", "usd-coin": "1"}


@dataclass(frozen=True, slots=True)
class Demo:
    """Everything that runs."""

    home: Home
    gateway: str
    shop: str
    chain: LocalChain
    usdc: TestToken
    solana: SolanaSide | None
    choices: tuple[Choice, ...]
    purse: Purse
    catcher: Catcher
    api: Api
    process: asyncio.subprocess.Process

    @property
    def usdc_asset(self) -> str:
        """The test USDC by its CAIP-19 name."""
        return f"{self.chain.id}/erc20:{self.usdc.address}"


@asynccontextmanager
async def running_demo(*, port: int | None = None, folder: Path | None = None, node: NodeKind = "auto") -> AsyncIterator[Demo]:
    """Start everything, and end it with the block. Without ``folder`` nothing stays on the disk.

    Raises ConfigError, NotReady, OSError when the port is taken, or what the API refuses with.
    """
    async with AsyncExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pepay-demo-")))
        else:
            folder.mkdir(parents=True, exist_ok=True)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        making = asyncio.create_task(init(folder, MERCHANT), name="pepay init")
        stack.push_async_callback(_dropped, making)

        chain = await stack.enter_async_context(local_chain(session, node=node, block_seconds=1))
        wallet = await TestWallet.open(chain)
        usdc = await wallet.deploy_token()
        solana = await stack.enter_async_context(solana_side(session))
        home = await making

        gateway_port = free_port(USUAL_PORT if port is None else port)
        if port and gateway_port != port:
            raise OSError(errno.EADDRINUSE, f"port {port} is already in use")
        gateway = f"http://{HOST}:{gateway_port}"
        catcher = Catcher(time.time)
        choices = _choices(chain, usdc) + (solana.choices() if solana else ())
        purse = Purse({chain.id: wallet} | ({solana.cluster.id: solana.wallet} if solana else {}))
        shop = Shop(catcher, purse, choices)
        shop_url = await stack.enter_async_context(serve(shop.app(), port=free_port(gateway_port + 1)))
        process = await stack.enter_async_context(serving(session, home, _settings(gateway_port, gateway, chain, usdc, solana), gateway))

        api = Api(session, gateway, home.key)
        catcher.trust(await seed(api, f"{shop_url}{HOOK}", solana.merchant if solana else None))
        shop.open(api, gateway)
        yield Demo(home, gateway, shop_url, chain, usdc, solana, choices, purse, catcher, api, process)


async def seed(api: Api, hook: str, on_solana: str | None) -> str:
    """Give the merchant a wallet, one on Solana too where there is an address, and a webhook endpoint; return the endpoint's secret."""
    await api.post("/wallets", {"chain_family": "eip155", "kind": "xpub", "value": new_xpub(), "label": "Demo"})
    if on_solana:
        await api.post("/wallets", {"chain_family": "solana", "kind": "address", "value": on_solana, "label": "Demo"})
    endpoint = await api.post("/webhooks", {"url": hook, "enabled_events": ["*"], "description": "The demo shop"})
    return endpoint["secret"]


def _choices(chain: LocalChain, usdc: TestToken) -> tuple[Choice, ...]:
    return (
        Choice(f"{chain.id}/erc20:{usdc.address}", usdc.symbol, "a dollar is a dollar", "usdc", usdc.decimals),
        Choice(f"{chain.id}/slip44:60", "ETH", f"at ${_RATES['ethereum']}, fixed", "eth", 18),
    )


def _settings(port: int, gateway: str, chain: LocalChain, usdc: TestToken, solana: SolanaSide | None) -> dict[str, Any]:
    network = {
        "name": NETWORK,
        "chain": chain.id,
        "rpc": [chain.rpc],
        "testnet": True,
        "native": {"symbol": "ETH", "decimals": 18, "rate_id": "ethereum"},
        "confirmations": CONFIRMATIONS,
        "tokens": [usdc.body()],
    }
    plugins = [*_PLUGINS, SOLANA] if solana else _PLUGINS
    settings = {
        "server.host": HOST,
        "server.port": port,
        "server.base_url": gateway,
        "plugins.enabled": plugins,
        "plugins.required": plugins,
        "rates.providers": ["fixed"],
        "rates.quorum": 1,
        "webhooks.allow_private": True,
        "log.level": "warning",
        "evm.networks": {"sandbox": network},
        "sandbox.rates": _RATES | (SOLANA_RATES if solana else {}),
        "sandbox.simulator": {chain.id: {"rpc": chain.rpc}} | (solana.simulated() if solana else {}),
    }
    return settings | {"solana.clusters": solana.settings()} if solana else settings


async def _dropped(task: asyncio.Task[Any]) -> None:
    """Cancel a task that nobody waits for any more, and let it clean up."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # told already by whoever waited for it
