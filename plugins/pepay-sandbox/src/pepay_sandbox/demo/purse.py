"""The test wallets of the demo as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pepay_core.api import InvalidInput, chain_of

if TYPE_CHECKING:
    from collections.abc import Mapping


class Payer(Protocol):
    """Who has test money."""

    async def pay(self, asset: str, address: str, units: int, *, reference: str | None = None) -> str:
        """Send base units of an asset, named by CAIP-19, and return the transaction; raises RpcError when the node declines."""
        ...


class Purse:
    """Pays from the wallet that has money on the asset's chain."""

    def __init__(self, wallets: Mapping[str, Payer]) -> None:
        self._wallets = wallets

    async def pay(self, asset: str, address: str, units: int, *, reference: str | None = None) -> str:
        """Send base units of an asset, and return the transaction."""
        wallet = self._wallets.get(chain_of(asset))
        if wallet is None:
            raise InvalidInput(f"the test wallet has money on {', '.join(self._wallets)} only, not on {chain_of(asset)}")
        return await wallet.pay(asset, address, units, reference=reference)
