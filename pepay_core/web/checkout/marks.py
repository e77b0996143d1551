"""Which drawing stands for a token and for a network, and what else can be said of one; what has no drawing gets its first letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.assets import chain_of, family_of
from pepay_core.web.templating import STATIC

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKENS: Final = frozenset(each.stem for each in (STATIC / "marks").glob("*.svg") if not each.stem.startswith("on-"))
_NETWORKS: Final = {
    "eip155:1": "ethereum",
    "eip155:10": "optimism",
    "eip155:56": "bnb-smart-chain",
    "eip155:137": "polygon",
    "eip155:8453": "base",
    "eip155:42161": "arbitrum",
    "eip155:43114": "avalanche",
}


def token_mark(symbol: str) -> str | None:
    """Return the static file of a token's mark."""
    return f"marks/{symbol.lower()}.svg" if symbol.lower() in _TOKENS else None


def network_mark(asset: str) -> str | None:
    """Return the static file of the mark of the network on which an asset lives."""
    chain = chain_of(asset)
    name = "solana" if family_of(chain) == "solana" else _NETWORKS.get(chain)
    return f"marks/on-{name}.svg" if name else None


def from_exchanges(option: Mapping[str, Any]) -> bool:
    """Tell whether an exchange can pay an option: on a network that exchanges know, to an address that is this invoice's alone.

    On Solana it cannot be promised: where invoices share an address, an exchange cannot write the reference that tells them apart.
    """
    return option["chain"] in _NETWORKS
