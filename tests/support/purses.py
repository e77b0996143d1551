"""Wallets in a buyer's browser that have the money for each way to pay in a town."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pepay_core.testing.wallets import EthereumWallet, SolanaWallet

if TYPE_CHECKING:
    from town import Town

UNDERWAY = "[data-state=submitted], [data-state=detected], [data-state=confirming]"
"""The page once a wallet has sent; how soon the payment is seen is the network's business."""

METHODS = ("ETH", "USDC", "SOL", "USDC-SOL")


def wallet_for(town: Town, method: str, **options: Any) -> EthereumWallet | SolanaWallet:
    """Return a wallet that has the money for a method."""
    if "SOL" in method:
        return SolanaWallet(key=town.buyer, rpc=town.cluster.url, **options)
    return EthereumWallet(account=town.node.accounts[0], rpc=town.node.url, **options)
