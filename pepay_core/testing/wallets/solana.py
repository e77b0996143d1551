"""A browser wallet on Solana, whose key the test holds. Needs ``solders``."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from pepay_core.testing.wallets.scripts import NodeRefused, PageWallet, call, script


@dataclass(kw_only=True)
class SolanaWallet(PageWallet):
    """A wallet of the Wallet Standard that signs with ``key``, a ``solders`` keypair, and sends to ``rpc``."""

    name: str = "Test Solana"
    key: Any
    rpc: str
    chains: tuple[str, ...] = ("solana:localnet",)

    @property
    def script(self) -> str:
        """The script that puts the wallet into a page."""
        public = self.key.pubkey()
        options = {
            "name": self.name,
            "icon": self.icon,
            "account": str(public),
            "key": base64.b64encode(bytes(public)).decode(),
            "chains": self.chains,
            "refuses": self.refuses,
            "locked": self.locked,
            "topOnly": self.top_only,
            "bridge": self.bridge,
        }
        return script("solana", options)

    def perform(self, method: str, params: list[Any]) -> Any:
        """Sign and send, and return the signature in base64."""
        from solders.transaction import VersionedTransaction  # only those who test Solana have it

        if method == "standard:connect":
            return None
        if method != "solana:signAndSendTransaction":
            raise NodeRefused(4200, f"the wallet does not know {method}")
        unsigned = VersionedTransaction.from_bytes(base64.b64decode(params[0]))
        signed = VersionedTransaction(unsigned.message, [self.key])
        call(self.rpc, "sendTransaction", base64.b64encode(bytes(signed)).decode(), {"encoding": "base64", "preflightCommitment": "processed"})
        return base64.b64encode(bytes(signed.signatures[0])).decode()
