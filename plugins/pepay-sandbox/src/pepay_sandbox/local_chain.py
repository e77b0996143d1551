"""A chain of one's own, on loopback: anvil where it is installed, else py-evm in this process. Both speak the same JSON-RPC."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from pepay_core.api import ConfigError, NotReady
from pepay_sandbox.jsonrpc import RpcClient, quantity

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

log = logging.getLogger(__name__)

CHAIN_ID: Final = 31337
NodeKind = Literal["auto", "anvil", "py-evm"]
_RECEIPT_SECONDS: Final = 30
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class LocalChain:
    """A running chain: its endpoint, and what makes money appear there."""

    rpc: str
    chain_id: int
    node: str
    client: RpcClient

    @property
    def id(self) -> str:
        """The CAIP-2 name."""
        return f"eip155:{self.chain_id}"

    @property
    def ws(self) -> str | None:
        """Where it answers WebSockets: anvil at the same port, py-evm nowhere."""
        return self.rpc.replace("http://", "ws://") if self.node == "anvil" else None

    async def fund(self, address: str, wei: int) -> None:
        """Set the balance of an address."""
        await self.client.call("anvil_setBalance", address, quantity(wei))

    async def mine(self, blocks: int = 1) -> None:
        """Mine blocks now."""
        await self.client.call("anvil_mine", quantity(blocks))

    async def receipt(self, transaction: str) -> dict[str, Any]:
        """Wait until a transaction is mined and return its receipt; raises TimeoutError."""
        async with asyncio.timeout(_RECEIPT_SECONDS):
            while (found := await self.client.call("eth_getTransactionReceipt", transaction)) is None:  # noqa: ASYNC110  it is mined elsewhere
                await asyncio.sleep(_POLL_SECONDS)
            return found


@asynccontextmanager
async def local_chain(
    session: aiohttp.ClientSession, *, node: NodeKind = "auto", chain_id: int = CHAIN_ID, block_seconds: float = 1, port: int = 0
) -> AsyncIterator[LocalChain]:
    """Run a chain for as long as the context lasts.

    ``block_seconds`` is how often a block is mined, 0 for one with each transaction. ``node`` is ``anvil``, ``py-evm``, or
    ``auto`` for the first of them that starts. Raises ConfigError when anvil is asked for and not installed, NotReady when
    it does not start, OSError when the port is taken.
    """
    async with AsyncExitStack() as stack:
        kind, url = await _started(stack, node, chain_id=chain_id, block_seconds=block_seconds, port=port)
        client = RpcClient(session, url)
        if int(await client.call("eth_chainId"), 16) != chain_id:
            raise NotReady(f"{url} does not serve chain {chain_id}")
        yield LocalChain(url, chain_id, kind, client)


async def _started(stack: AsyncExitStack, node: NodeKind, **options: Any) -> tuple[str, str]:
    """Start a node, and return which it is and its URL."""
    from pepay_sandbox.anvil import anvil_server, find_anvil
    from pepay_sandbox.evm_server import evm_server

    binary = None if node == "py-evm" else find_anvil()
    if binary is not None:
        try:
            return "anvil", await stack.enter_async_context(anvil_server(binary, **options))
        except NotReady as exc:
            # One that is too old, or made for another system, is in nobody's way.
            if node == "anvil":
                raise
            log.warning("%s; the chain is py-evm's instead", exc)
    elif node == "anvil":
        raise ConfigError("anvil is not installed", hint="name its binary in PEPAY_ANVIL, put it in PATH, or use py-evm")
    return "py-evm", await stack.enter_async_context(evm_server(**options))
