"""CoinGecko's ``/simple/price``: many coins in many currencies by one request, each with the time of its price."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

from pepay_core.api import Rate, RateProvider, RatesUnavailable, read_price

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pepay_coingecko.settings import CoinGeckoSettings
    from pepay_core.api import Clock, Http, Pair

_PAID_HOST: Final = "pro-api.coingecko.com"
_SKEW: Final = timedelta(seconds=60)


class CoinGecko(RateProvider):
    """Knows every coin, because a pair's base is CoinGecko's own id."""

    name = "coingecko"

    def __init__(self, settings: CoinGeckoSettings, http: Http, clock: Clock) -> None:
        self._url = settings.base_url.rstrip("/")
        self._key = settings.api_key
        self._http = http
        self._clock = clock

    async def rates(self, pairs: Collection[Pair]) -> Mapping[Pair, Rate]:
        """Return the prices; one whose time is not a time is left out, since nobody could say how old it is."""
        if not pairs:
            return {}
        coins = await self._prices(pairs)
        rates: dict[Pair, Rate] = {}
        for pair in pairs:
            coin = coins.get(pair.base)
            if not isinstance(coin, dict):
                continue
            price, at = read_price(coin.get(pair.quote.lower())), self._time(coin)
            if price is not None and at is not None:
                rates[pair] = Rate(price, at)
        return rates

    async def _prices(self, pairs: Collection[Pair]) -> dict[str, object]:
        query = urlencode(
            {
                "ids": ",".join(sorted({pair.base for pair in pairs})),
                "vs_currencies": ",".join(sorted({pair.quote.lower() for pair in pairs})),
                "include_last_updated_at": "true",
                "precision": "full",
            }
        )
        answer = await self._http.get(f"{self._url}/simple/price?{query}", headers=self._headers())
        if answer.status != 200:
            raise RatesUnavailable(f"CoinGecko answered with HTTP {answer.status}")
        coins = answer.json()
        if not isinstance(coins, dict):
            raise RatesUnavailable("CoinGecko's answer has not the form it should have")
        return coins

    def _headers(self) -> dict[str, str]:
        key = self._key.get_secret_value()
        if not key:
            return {}
        return {"x-cg-pro-api-key" if urlsplit(self._url).hostname == _PAID_HOST else "x-cg-demo-api-key": key}

    def _time(self, coin: dict[str, object]) -> datetime | None:
        """Return the time of a coin's prices, or None when it is none: a clock that runs far ahead would make old prices look new.

        Where no time is told at all, as by a mirror, the price is of the moment it was asked.
        """
        now = self._clock.now()
        if "last_updated_at" not in coin:
            return now
        seconds = coin["last_updated_at"]
        if type(seconds) is not int or not 0 < seconds <= (now + _SKEW).timestamp():
            return None
        return min(datetime.fromtimestamp(seconds, UTC), now)
