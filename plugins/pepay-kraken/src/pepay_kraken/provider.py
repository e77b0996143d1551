"""Kraken's ``/Ticker``: the best bid and ask of many markets by one request."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from pepay_core.api import Rate, RateProvider, RatesUnavailable, read_price
from pepay_kraken.markets import market, names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pepay_core.api import Clock, Http, Pair
    from pepay_kraken.settings import KrakenSettings

_UNKNOWN_MARKET: Final = "EQuery:Unknown asset pair"
_ASK_AGAIN_AFTER: Final = 3600.0

# A market in which bid and ask lie further apart than this share has no price worth a name.
_WIDEST: Final = Decimal("0.05")


class Kraken(RateProvider):
    """Takes the middle of bid and ask, which is of now even where nobody has traded for hours; Kraken tells no time of it."""

    name = "kraken"

    def __init__(self, settings: KrakenSettings, http: Http, clock: Clock) -> None:
        self._url = settings.base_url.rstrip("/")
        self._http = http
        self._clock = clock
        self._unlisted: dict[str, float] = {}

    async def rates(self, pairs: Collection[Pair]) -> Mapping[Pair, Rate]:
        """Return the prices of the markets that Kraken has."""
        now = self._clock.monotonic()
        asked = {pair: name for pair in pairs if (name := market(pair)) and now >= self._unlisted.get(name, now)}
        if not asked:
            return {}
        at = self._clock.now()
        tickers = await self._tickers(sorted(set(asked.values())))
        rates: dict[Pair, Rate] = {}
        for pair, name in asked.items():
            price = next((_price(tickers[key]) for key in names(name) if key in tickers), None)
            if price is not None:
                rates[pair] = Rate(price, at)
        return rates

    async def _tickers(self, markets: list[str]) -> dict[str, object]:
        tickers = await self._ask({"pair": ",".join(markets)})
        if tickers is None:
            # One unknown market costs the answers of all. The list of everything tells which it is, so that it is left out for a while.
            tickers = await self._ask({})
            if tickers is None:
                raise RatesUnavailable("Kraken does not list its markets")
            until = self._clock.monotonic() + _ASK_AGAIN_AFTER
            self._unlisted.update({name: until for name in markets if not any(key in tickers for key in names(name))})
        return tickers

    async def _ask(self, query: dict[str, str]) -> dict[str, object] | None:
        """Return the tickers by Kraken's names, or None when it does not know one of the markets."""
        answer = await self._http.get(f"{self._url}/Ticker{'?' if query else ''}{urlencode(query)}")
        if answer.status != 200:
            raise RatesUnavailable(f"Kraken answered with HTTP {answer.status}")
        match answer.json():
            case {"error": [], "result": dict(tickers)}:
                return tickers
            case {"error": [str(error), *_]} if error == _UNKNOWN_MARKET:
                return None
            case {"error": [str(error), *_]}:
                raise RatesUnavailable(f"Kraken refused: {error[:80]!r}")
        raise RatesUnavailable("Kraken's answer has not the form it should have")


def _price(ticker: object) -> Decimal | None:
    """Return the price half-way between bid and ask, that of the last trade where there is no book, or None where there is no sound one."""
    match ticker:
        case {"b": [best_bid, *_], "a": [best_ask, *_]}:
            bid, ask = read_price(best_bid), read_price(best_ask)
            if bid is not None and ask is not None and bid <= ask <= bid + bid * _WIDEST:
                return (bid + ask) / 2
        case {"b": _} | {"a": _}:
            return None
        # A market that shows no book at all still tells what its last trade was made at.
        case {"c": [last, *_]}:
            return read_price(last)
    return None
