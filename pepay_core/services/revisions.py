"""When an open page shows something else: a short text that changes with everything that it shows."""

from __future__ import annotations

from collections import UserDict
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pepay_core.domain.assets import ChainId, chain_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.heads import Heads


@dataclass(frozen=True, slots=True)
class Network:
    """What a page knows of a network: its name, its coin, how often it makes a block, how high it is, and whether it can be read now."""

    name: str
    native: str
    block_seconds: float
    tip: int | None = None
    troubled: bool = False


class Networks(UserDict[str, Network]):
    """Networks by their CAIP-2 ids."""

    def pace(self, chain: str) -> float | None:
        """Return the seconds between blocks, or None for a network that is not known."""
        known = self.get(chain)
        return known.block_seconds if known else None

    def troubled(self, chain: str) -> bool:
        """Tell whether a network that is known cannot be read now."""
        known = self.get(chain)
        return known is not None and known.troubled

    def name(self, asset: str) -> str:
        """Return the name of the network on which an asset lives."""
        known = self.get(chain_of(asset))
        return known.name if known else chain_of(asset)

    @classmethod
    def of(cls, catalogue: Catalogue, heads: Heads) -> Networks:
        """Return the networks as they fare now."""
        made: dict[str, Network] = {}
        for chain in catalogue.chains.values():
            # Before its first contact a chain is not in trouble: it starts.
            troubled = heads.get(chain.id) is not None and not heads.usable(chain.id)
            made[chain.id] = Network(chain.name, chain.native, chain.block_seconds, heads.height(chain.id), troubled)
        return cls(made)


@dataclass(frozen=True, slots=True)
class Watched:
    """As much of an invoice as is needed to tell, without reading it again, whether its page would look different."""

    version: int
    expires_at: int
    valid_until: tuple[int, ...]
    chains: tuple[str, ...]
    confirming: tuple[tuple[str, int, int], ...]
    """Chain, height and needed confirmations of each payment that is not final."""

    @classmethod
    def of(cls, invoice: Mapping[str, Any]) -> Watched:
        """Take it from an invoice as the API shows it."""
        quoted = [each for each in invoice["payment_options"] if each["quote"]]
        return cls(
            version=invoice["version"],
            expires_at=invoice["expires_at"],
            valid_until=tuple(sorted(each["quote"]["valid_until"] for each in quoted)),
            chains=tuple(sorted({each["chain"] for each in quoted})),
            confirming=tuple(
                (chain_of(each["asset"]), each["block"], each["confirmations_required"] or 0)
                for each in invoice["payments"]
                if each["status"] == "confirming"
            ),
        )

    def revision(self, networks: Mapping[str, Network], now: int) -> str:
        """Return the revision: versions, confirmations as far as they are shown, prices and deadlines that have passed, networks in trouble."""
        depths = [_depth(networks.get(chain), height, needed) for chain, height, needed in self.confirming]
        passed = [now >= self.expires_at, *(now >= each for each in self.valid_until)]
        troubled = [(known := networks.get(ChainId(chain))) is not None and known.troubled for chain in self.chains]
        return sha256(repr((self.version, depths, passed, troubled)).encode()).hexdigest()[:16]


def _depth(network: Network | None, height: int, needed: int) -> int:
    if network is None or network.tip is None:
        return 0
    return max(min(network.tip - height + 1, needed), 0)


def revision(invoice: Mapping[str, Any], networks: Mapping[str, Network], now: int) -> str:
    """Return the revision of an invoice as its buyer's page shows it."""
    return Watched.of(invoice).revision(networks, now)
