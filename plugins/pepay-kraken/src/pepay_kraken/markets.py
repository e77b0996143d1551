"""What Kraken calls its markets, which is not what it is asked for: a question for ``ETHUSD`` is answered for ``XETHZUSD``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pepay_core.api import Pair

# Wrapped coins are redeemable for the coin itself, one for one, by a contract that nobody controls.
SYMBOLS: Final = {
    "avalanche-2": "AVAX",
    "binancecoin": "BNB",
    "bitcoin": "XBT",
    "dai": "DAI",
    "ethereum": "ETH",
    "euro-coin": "EURC",
    "paypal-usd": "PYUSD",
    "polygon-ecosystem-token": "POL",
    "ripple-usd": "RLUSD",
    "solana": "SOL",
    "tether": "USDT",
    "usd-coin": "USDC",
    "usds": "USDS",
    "wbnb": "BNB",
    "weth": "ETH",
    "wrapped-avax": "AVAX",
    "wrapped-bitcoin": "WBTC",
    "wrapped-solana": "SOL",
}
"""Kraken's symbols by CoinGecko id."""

CURRENCIES: Final = frozenset({"AUD", "CAD", "CHF", "EUR", "GBP", "JPY", "USD"})
"""The currencies in which Kraken prices coins."""


def market(pair: Pair) -> str | None:
    """Return the name by which a pair's market is asked for, or None when Kraken has none."""
    symbol, currency = SYMBOLS.get(pair.base), pair.quote.upper()
    return f"{symbol}{currency}" if symbol and currency in CURRENCIES else None


def names(asked: str) -> tuple[str, ...]:
    """Return every name under which Kraken may answer: old coins carry an ``X``, old currencies a ``Z``."""
    coin, currency = asked[:-3], asked[-3:]
    return (asked, f"X{coin}Z{currency}", f"{coin}Z{currency}", f"X{coin}{currency}")
