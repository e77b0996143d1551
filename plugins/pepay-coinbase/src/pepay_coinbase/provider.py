"""Coinbase's ``/exchange-rates``: what one coin is worth in every currency, one request per coin."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from pepay_core.api import Rate, RateProvider, RatesUnavailable, Unavailable, read_price

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pepay_coinbase.settings import CoinbaseSettings
    from pepay_core.api import Clock, Http, Pair

# Wrapped coins are redeemable for the coin itself, one for one, by a contract that nobody controls.
SYMBOLS: Final = {
    "avalanche-2": "AVAX",
    "binancecoin": "BNB",
    "bitcoin": "BTC",
    "dai": "DAI",
    "ethereum": "ETH",
    "euro-coin": "EURC",
    "paypal-usd": "PYUSD",
    "polygon-ecosystem-token": "POL",
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
"""Coinbase's symbols by CoinGecko id."""


class Coinbase(RateProvider):
    """Knows the coins of :data:`SYMBOLS` in every currency that Coinbase has. It says no time, so a price is of the moment it was asked."""

    name = "coinbase"

    def __init__(self, settings: CoinbaseSettings, http: Http, clock: Clock) -> None:
        self._url = settings.base_url.rstrip("/")
        self._http = http
        self._clock = clock

    async def rates(self, pairs: Collection[Pair]) -> Mapping[Pair, Rate]:
        """Return the prices; raises RatesUnavailable when not one coin could be asked."""
        symbols = sorted({SYMBOLS[pair.base] for pair in pairs if pair.base in SYMBOLS})
        at = self._clock.now()
        async with asyncio.TaskGroup() as group:
            asked = {symbol: group.create_task(self._worth(symbol)) for symbol in symbols}
        answers = {symbol: task.result() for symbol, task in asked.items()}
        failures = [answer for answer in answers.values() if isinstance(answer, Unavailable)]
        if failures and len(failures) == len(answers):
            raise failures[0]

        rates: dict[Pair, Rate] = {}
        for pair in pairs:
            worth = answers.get(SYMBOLS.get(pair.base, ""))
            if isinstance(worth, dict) and (price := read_price(worth.get(pair.quote.upper()))) is not None:
                rates[pair] = Rate(price, at)
        return rates

    async def _worth(self, symbol: str) -> dict[str, object] | Unavailable:
        """Return what one unit of a coin is worth, by currency, or what kept Coinbase from saying so: one coin must not cost the others."""
        try:
            answer = await self._http.get(f"{self._url}/exchange-rates?{urlencode({'currency': symbol})}")
            if answer.status != 200:
                return RatesUnavailable(f"Coinbase answered with HTTP {answer.status}")
            match answer.json():
                case {"data": {"currency": str(currency), "rates": dict(worth)}} if currency == symbol:
                    return worth
            return RatesUnavailable("Coinbase's answer has not the form it should have")
        except Unavailable as exc:
            return exc
