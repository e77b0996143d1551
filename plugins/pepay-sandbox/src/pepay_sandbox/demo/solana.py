"""Solana in the demo: a local cluster beside the EVM chain, where the plugin for it is installed."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final

from pepay_sandbox.demo.shop import Choice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

    from pepay_sandbox.solana.local_cluster import LocalCluster
    from pepay_sandbox.solana.wallet import SolanaToken, SolanaWallet

PLUGIN: Final = "solana"
NETWORK: Final = "Solana Sandbox"
RATES: Final = {"solana": "150"}
# Two seconds until a payment is final: as long as the two blocks of the other chain.
_FINAL_SLOTS: Final = 5
_SOL_DECIMALS: Final = 9


@dataclass(frozen=True, slots=True)
class SolanaSide:
    """A cluster with a test USDC, a wallet that pays, and the address at which the shop receives."""

    cluster: LocalCluster
    wallet: SolanaWallet
    usdc: SolanaToken
    merchant: str
    faucet: str

    def simulated(self) -> dict[str, Any]:
        """Return the configuration by which the server simulates payments on the cluster."""
        return {self.cluster.id: {"rpc": self.cluster.rpc, "faucet": self.faucet}}

    @property
    def usdc_asset(self) -> str:
        """The test USDC by its CAIP-19 name."""
        return f"{self.cluster.id}/token:{self.usdc.mint}"

    def choices(self) -> tuple[Choice, ...]:
        """Return what the shop offers on it."""
        return (
            Choice(self.usdc_asset, self.usdc.symbol, "on Solana, a dollar is a dollar", "solana-usdc", self.usdc.decimals),
            Choice(f"{self.cluster.id}/slip44:501", "SOL", f"at ${RATES['solana']}, fixed", "sol", _SOL_DECIMALS),
        )

    def settings(self) -> dict[str, Any]:
        """Return the configuration of the cluster, under the name that the server calls it by."""
        return {
            "sandbox": {
                "name": NETWORK,
                "genesis": self.cluster.genesis,
                "rpc": [self.cluster.rpc],
                "ws": [self.cluster.ws],
                "testnet": True,
                "commitment": "finalized",
                "tokens": [self.usdc.body()],
            }
        }

    def body(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "chain": {"id": self.cluster.id, "rpc": self.cluster.rpc, "ws": self.cluster.ws, "genesis": self.cluster.genesis},
            "tokens": [self.usdc.body() | {"asset": self.usdc_asset}],
        }


@asynccontextmanager
async def solana_side(session: aiohttp.ClientSession) -> AsyncIterator[SolanaSide | None]:
    """Run a cluster where the plugin is installed; else yield None."""
    if not entry_points(group="pepay.plugins", name=PLUGIN):
        yield None
        return
    from pepay_sandbox.loopback import serve
    from pepay_sandbox.solana.faucet import faucet
    from pepay_sandbox.solana.local_cluster import local_cluster
    from pepay_sandbox.solana.wallet import SolanaWallet, new_address

    async with local_cluster(session, final_slots=_FINAL_SLOTS) as cluster:
        wallet = await SolanaWallet.open(cluster)
        usdc = await wallet.deploy_token()
        merchant = new_address()
        # Wallets send tokens to an account that is there, and do not make one.
        await wallet.open_account(usdc, merchant)
        await cluster.settle()
        async with serve(faucet(cluster, wallet, usdc)) as tap:
            yield SolanaSide(cluster, wallet, usdc, merchant, tap)
