"""Chains and assets by their CAIP names, and what is known of each asset.

Chain ids follow CAIP-2 (``eip155:42161``), asset ids CAIP-19 (``eip155:42161/erc20:0x…``).
Both are compared exactly: Solana references are base58 and case-sensitive. EVM token references are written in
lower case, because the chain plugins make them so; :func:`canonical_asset` does the same to what users type.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NewType

from pepay_core.domain.errors import InvalidInput

ChainId = NewType("ChainId", str)
AssetId = NewType("AssetId", str)
Address = NewType("Address", str)

_CHAIN: Final = re.compile(r"[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}")
_ASSET: Final = re.compile(rf"({_CHAIN.pattern})/([-a-z0-9]{{3,8}}):([-.%a-zA-Z0-9]{{1,128}})")

# What the rate sources call the coins that promise one unit of a currency, with the currency that they promise.
STABLECOINS: Final = {
    "usd-coin": "USD",
    "tether": "USD",
    "dai": "USD",
    "paypal-usd": "USD",
    "usds": "USD",
    "first-digital-usd": "USD",
    "ripple-usd": "USD",
    "euro-coin": "EUR",
}

# The step to which an amount asked of a buyer is rounded up, in units of the coin. Short enough to type on an exchange.
_STEPS: Final = {"ETH": Decimal("0.00001"), "SOL": Decimal("0.0001"), "BNB": Decimal("0.0001"), "AVAX": Decimal("0.001")}
_STABLE_STEP: Final = Decimal("0.01")
_OTHER_STEP: Final = Decimal("0.000001")


def chain_id(text: str) -> ChainId:
    """Return the text as a chain id, or raise InvalidInput: CAIP-2, ``namespace:reference``."""
    if not _CHAIN.fullmatch(text):
        raise InvalidInput(f"{text[:80]!r} is not a CAIP-2 chain id such as eip155:1")
    return ChainId(text)


def asset_id(text: str) -> AssetId:
    """Return the text as an asset id, or raise InvalidInput: CAIP-19, ``chain/namespace:reference``."""
    if not _ASSET.fullmatch(text):
        raise InvalidInput(f"{text[:160]!r} is not a CAIP-19 asset id such as eip155:1/slip44:60")
    return AssetId(text)


def canonical_asset(text: str) -> AssetId:
    """Return what a user typed in the one spelling that is stored: EVM references in lower case."""
    asset = asset_id(text)
    return AssetId(asset.lower()) if asset.startswith("eip155:") else asset


def chain_of(asset: str) -> ChainId:
    """Return the chain on which an asset lives."""
    return ChainId(asset.partition("/")[0])


def family_of(chain: str) -> str:
    """Return the CAIP-2 namespace, which is the family that shares wallets: ``eip155``, ``solana``."""
    return chain.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Token:
    """One asset that can be paid with: a chain's native coin, or a token pinned by its contract.

    ``decimals`` turns base units into units; ``rate_id`` is the CoinGecko coin id by which every rate provider finds it.
    An ``optional`` one is seen when it arrives, and accepted only by merchants that list it.
    """

    id: AssetId
    symbol: str
    decimals: int
    rate_id: str
    name: str = ""
    optional: bool = False

    @property
    def chain(self) -> ChainId:
        """The chain on which it lives."""
        return chain_of(self.id)

    @property
    def stable(self) -> str | None:
        """The currency whose value it promises to keep, or None."""
        return STABLECOINS.get(self.rate_id)

    @property
    def step(self) -> Decimal:
        """What an amount asked of a buyer is rounded up to, in units; never finer than one base unit."""
        step = _STABLE_STEP if self.stable else _STEPS.get(self.symbol, _OTHER_STEP)
        return max(step, Decimal(1).scaleb(-self.decimals))
