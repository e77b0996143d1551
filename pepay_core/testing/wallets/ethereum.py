"""A browser wallet on Ethereum, whose account a node of the test signs for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from pepay_core.testing.wallets.scripts import PageWallet, call, script


@dataclass(kw_only=True)
class EthereumWallet(PageWallet):
    """A provider of EIP-1193, announced by EIP-6963.

    ``rpc`` is a node that has ``account`` unlocked, as anvil has its own. ``chain`` is the node's, ``at`` the one that the wallet is on
    first, and ``chains`` those that it knows, ``chain`` and ``at`` if nothing is said. ``lacks`` are methods that it does not have.
    """

    name: str = "Test Ethereum"
    account: str
    rpc: str
    chain: int = 31337
    at: int | None = None
    chains: tuple[int, ...] | None = None
    lacks: tuple[str, ...] = ()
    rdns: str = "test.pepay.ethereum"

    @property
    def script(self) -> str:
        """The script that puts the wallet into a page."""
        at = self.chain if self.at is None else self.at
        options = {
            "name": self.name,
            "icon": self.icon,
            "uuid": str(uuid4()),
            "rdns": self.rdns,
            "account": self.account,
            "at": hex(at),
            "chains": [hex(each) for each in ((self.chain, at) if self.chains is None else self.chains)],
            "refuses": self.refuses,
            "lacks": self.lacks,
            "locked": self.locked,
            "topOnly": self.top_only,
            "bridge": self.bridge,
        }
        return script("ethereum", options)

    def perform(self, method: str, params: list[Any]) -> Any:
        """Ask the node; a batch of calls (EIP-5792) becomes one transaction, as it is for a single call."""
        if method == "wallet_sendCalls":
            (batch,) = params
            (one,) = batch["calls"]
            return {"id": call(self.rpc, "eth_sendTransaction", {"from": batch["from"], **one})}
        if method == "wallet_getCallsStatus":
            receipt = call(self.rpc, "eth_getTransactionReceipt", *params)
            return {"status": 200 if receipt else 100, "receipts": [receipt] if receipt else []}
        return call(self.rpc, method, *params)
