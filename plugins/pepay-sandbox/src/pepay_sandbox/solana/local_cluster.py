"""A local cluster by one name: what runs, and the client for it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pepay_sandbox.jsonrpc import RpcClient
from pepay_sandbox.solana.server import solana_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

SLOT_MS: Final = 400
CONFIRM_SLOTS: Final = 1
FINAL_SLOTS: Final = 32


@dataclass(frozen=True, slots=True)
class LocalCluster:
    """A running cluster. Its clock is the machine's, and its faucet gives what is asked."""

    rpc: str
    ws: str
    genesis: str
    final_slots: int
    client: RpcClient

    @property
    def id(self) -> str:
        """The CAIP-2 name."""
        return f"solana:{self.genesis[:32]}"

    async def fund(self, address: str, lamports: int) -> str:
        """Give SOL to an address, and return the transaction's signature; raises RpcError where the faucet has not so much."""
        return await self.client.call("requestAirdrop", address, lamports)

    async def settle(self) -> None:
        """Begin as many slots as make final what has landed."""
        await self.client.call("sandbox_tick", self.final_slots)


@asynccontextmanager
async def local_cluster(
    session: aiohttp.ClientSession, *, port: int = 0, slot_ms: int = SLOT_MS, confirm_slots: int = CONFIRM_SLOTS, final_slots: int = FINAL_SLOTS
) -> AsyncIterator[LocalCluster]:
    """Run a cluster for as long as the context lasts, as :func:`solana_server` says. Raises OSError when a port is taken."""
    async with solana_server(port=port, slot_ms=slot_ms, confirm_slots=confirm_slots, final_slots=final_slots) as running:
        client = RpcClient(session, running.rpc)
        yield LocalCluster(running.rpc, running.ws, await client.call("getGenesisHash"), final_slots, client)
