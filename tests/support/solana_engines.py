"""The engine in one process on a local Solana cluster and a real database, with time and forks in the test's hands."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from engines import Books

from pepay_core.domain.merchants import SCOPES
from pepay_core.runtime import Runtime
from pepay_core.services.callers import Caller
from pepay_core.services.founding import found

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from solders.keypair import Keypair

    from pepay_core.testing.clock import FakeClock
    from pepay_sandbox.solana.testing import Cluster


class SolanaEngine(Books):
    """A runtime whose loops the test turns by hand, with a wallet that is paid by reference, and a buyer."""

    def __init__(self, runtime: Runtime, clock: FakeClock, cluster: Cluster, caller: Caller, mint: str, wallet: str, buyer: Keypair) -> None:
        self.runtime, self.clock, self.cluster, self.caller = runtime, clock, cluster, caller
        self.mint, self.wallet, self.buyer = mint, wallet, buyer

    @property
    def sol(self) -> str:
        return f"{self.cluster.chain}/slip44:501"

    @property
    def usdc(self) -> str:
        return f"{self.cluster.chain}/token:{self.mint}"

    async def look(self) -> None:
        """Let the watcher make its passes."""
        keeper = self.runtime.keepers[self.cluster.chain]
        while await keeper._step() == 0:
            pass

    def pay(self, invoice: dict[str, Any], symbol: str, units: int | None = None) -> str:
        """Pay an option by its reference, the quoted amount unless told otherwise, and let the cluster confirm it."""
        option = self.option(invoice, symbol)
        sent = int(option["quote"]["amount_base_units"]) if units is None else units
        to, references = option["destination"], [option["reference"]]
        if symbol == "SOL":
            signature = self.cluster.transfer(self.buyer, to, sent, references=references)
        else:
            signature = self.cluster.transfer_tokens(self.buyer, to, self.mint, sent, references=references)
        self.cluster.tick()
        return signature


@asynccontextmanager
async def opened(
    settings, cluster: Cluster, clock: FakeClock, mint: str, buyer: Keypair, wallet: str, caller: Caller | None = None
) -> AsyncIterator[SolanaEngine]:
    """Open a runtime without its loops; the merchant and the wallet are made where none is given."""
    async with Runtime.open(settings, workers=False, clock=clock, environ={}) as runtime:
        if caller is None:
            made = await found(runtime.store, runtime.keys, runtime.ids, clock, "Test shop")
            caller = Caller(made.merchant.id, False, "test", frozenset(SCOPES))
            await runtime.receiving.create(caller, "solana", "address", wallet)
        else:
            await runtime.lacking.look()
        engine = SolanaEngine(runtime, clock, cluster, caller, mint, wallet, buyer)
        await engine.look()
        yield engine
