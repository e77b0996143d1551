from __future__ import annotations

import json
from decimal import Decimal
from itertools import combinations

import pytest

import pepay_kraken
from pepay_core.api import HttpResponse, Pair, Unavailable
from pepay_core.testing import RateProviderSuite
from pepay_core.testing.clock import FakeClock
from pepay_core.testing.rates import HttpRateSource
from pepay_kraken.markets import CURRENCIES, SYMBOLS, market, names
from pepay_kraken.provider import Kraken
from pepay_kraken.settings import KrakenSettings

# What the API answers, shortened to what is read and some of what is not: old names for old coins, plain ones for new.
RECORDED = b"""{"error":[],"result":{
 "XXBTZUSD":{"a":["64547.20000","4","4.000"],"b":["64547.10000","15","15.000"],"c":["64431.00000","0.00013362"],"o":"67600.00000"},
 "XETHZEUR":{"a":["3074.40000","1","1.000"],"b":["3074.20000","9","9.000"],"c":["3074.40000","0.70265400"],"o":"3240.10000"},
 "USDTZUSD":{"a":["0.99910000","1","1.000"],"b":["0.99900000","1","1.000"],"c":["0.99908000","500.00000000"],"o":"0.99920000"},
 "SOLUSD":{"a":["151.26000","2","2.000"],"b":["151.24000","7","7.000"],"c":["151.25000","1.00000000"],"o":"149.10000"}}}"""
ODD = {"ETHUSD": "XETHZUSD", "ETHEUR": "XETHZEUR", "XBTUSD": "XXBTZUSD", "USDTUSD": "USDTZUSD"}
UNKNOWN = b'{"error":["EQuery:Unknown asset pair"]}'


class Source(HttpRateSource):
    other_form = b'{"error":[],"result":[]}'

    def respond(self, path, query):
        assert path == "/Ticker"
        listed = {market(pair): {"a": [text, "1", "1.000"], "b": [text, "2", "2.000"]} for pair, text in self.prices.items()}
        asked = query["pair"].split(",") if "pair" in query else list(listed)
        if any(name not in listed for name in asked):
            return UNKNOWN
        return json.dumps({"error": [], "result": {ODD.get(name, name): listed[name] for name in asked}}).encode()


class Recorded:
    def __init__(self, *bodies):
        self.bodies, self.asked = list(bodies), []

    async def get(self, url, *, headers=None, timeout=10, limit=4_000_000):
        self.asked.append(url)
        return HttpResponse(200, {}, self.bodies.pop(0))


def provider(*bodies):
    return Kraken(KrakenSettings(), Recorded(*bodies), FakeClock())


class TestKraken(RateProviderSuite):
    source_class = Source

    @pytest.fixture
    def provider(self, source, http, clock):
        return Kraken(KrakenSettings(base_url=source.base_url), http, clock)


async def test_one_bitcoin_costs_tens_of_thousands_of_dollars_half_way_between_bid_and_ask():
    pairs = [Pair("bitcoin", "USD"), Pair("ethereum", "EUR"), Pair("tether", "USD"), Pair("solana", "USD")]
    rates = await provider(RECORDED).rates(pairs)
    assert {pair: rate.value for pair, rate in rates.items()} == {
        Pair("bitcoin", "USD"): Decimal("64547.15"),
        Pair("ethereum", "EUR"): Decimal("3074.3"),
        Pair("tether", "USD"): Decimal("0.99905"),
        Pair("solana", "USD"): Decimal("151.25"),
    }


def test_no_two_markets_can_answer_by_the_same_name():
    markets = {market(Pair(coin, currency)) for coin in SYMBOLS for currency in CURRENCIES}
    assert len(markets) == len(set(SYMBOLS.values())) * len(CURRENCIES)
    for one, other in combinations(markets, 2):
        assert not set(names(one)) & set(names(other))


async def test_a_market_that_kraken_does_not_know_costs_the_others_nothing_and_is_not_asked_for_again_for_an_hour():
    clock, http = FakeClock(), Recorded(UNKNOWN, RECORDED, RECORDED, UNKNOWN, RECORDED)
    kraken = Kraken(KrakenSettings(), http, clock)
    pairs = [Pair("bitcoin", "USD"), Pair("usds", "CHF")]
    for _ in range(2):
        assert set(await kraken.rates(pairs)) == {Pair("bitcoin", "USD")}
    ticker = "https://api.kraken.com/0/public/Ticker"
    assert http.asked == [f"{ticker}?pair=USDSCHF%2CXBTUSD", ticker, f"{ticker}?pair=XBTUSD"]
    await clock.advance(3600)
    assert set(await kraken.rates(pairs)) == {Pair("bitcoin", "USD")}
    assert http.asked[3:] == [f"{ticker}?pair=USDSCHF%2CXBTUSD", ticker]


async def test_currencies_that_kraken_has_not_are_not_asked_for():
    http = Recorded()
    assert await Kraken(KrakenSettings(), http, FakeClock()).rates([Pair("bitcoin", "BRL"), Pair("no-such-coin", "USD")]) == {}
    assert http.asked == []


async def test_where_no_book_is_shown_the_last_trade_is_the_price():
    body = b'{"error":[],"result":{"SOLUSD":{"c":["151.25","1.0"]},"XXBTZUSD":{"c":["64431.0"],"b":[]}}}'
    rates = await provider(body).rates([Pair("solana", "USD"), Pair("bitcoin", "USD")])
    assert {pair: rate.value for pair, rate in rates.items()} == {Pair("solana", "USD"): Decimal("151.25")}


@pytest.mark.parametrize(
    ("bid", "ask"),
    [
        ('["100.0","1"]', '["106.0","1"]'),  # too far apart
        ('["100.1","1"]', '["100.0","1"]'),  # the wrong way round
        ('["0.00000","0"]', '["100.0","1"]'),  # nobody bids
        ('["100.0","1"]', '["NaN","1"]'),
        ("[]", '["100.0","1"]'),
        ('"100.0"', '"100.0"'),
        ("null", "null"),
        ('[{"price":"100"}]', "[[100]]"),
    ],
)
async def test_a_market_without_a_sound_bid_and_ask_has_no_price(bid, ask):
    body = f'{{"error":[],"result":{{"SOLUSD":{{"b":{bid},"a":{ask}}},"XXBTZUSD":{{"b":["9.9"],"a":["10.1"]}}}}}}'.encode()
    assert set(await provider(body).rates([Pair("solana", "USD"), Pair("bitcoin", "USD")])) == {Pair("bitcoin", "USD")}


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":["EService:Unavailable"]}',
        b'{"error":["EGeneral:Too many requests"],"result":{}}',
        b'{"error":"busy"}',
        b'{"error":[],"result":null}',
        b'{"result":{}}',
        b"[]",
        b"null",
    ],
)
async def test_a_refusal_in_an_answer_with_status_200_is_unavailable(body):
    with pytest.raises(Unavailable):
        await provider(body).rates([Pair("bitcoin", "USD")])


def test_the_plugin_contributes_one_provider_by_its_hook(context):
    (contributed,) = pepay_kraken.pepay_rate_providers(context(KrakenSettings()))
    assert contributed.name == "kraken"
    assert not contributed.fixed
