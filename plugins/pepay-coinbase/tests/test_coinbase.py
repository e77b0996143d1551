from __future__ import annotations

import json
from decimal import Decimal

import pytest

import pepay_coinbase
from pepay_coinbase.provider import SYMBOLS, Coinbase
from pepay_coinbase.settings import CoinbaseSettings
from pepay_core.api import HttpResponse, Pair, Unavailable
from pepay_core.testing import RateProviderSuite
from pepay_core.testing.clock import FakeClock
from pepay_core.testing.rates import HttpRateSource
from pepay_core.testing.receiver import Answer

# What the API answers, shortened: what one coin is worth in each currency.
RECORDED = {
    "BTC": b'{"data":{"currency":"BTC","rates":{"AED":"237049.41","EUR":"59431.9984","JPY":"9893271.2","USD":"64547.115","USDC":"64547.115"}}}',
    "ETH": b'{"data":{"currency":"ETH","rates":{"BTC":"0.0517","EUR":"3074.3175","USD":"3338.945"}}}',
}
UNKNOWN = b'{"errors":[{"id":"invalid_request","message":"Invalid currency"}]}'


class Source(HttpRateSource):
    other_form = b'{"data":{"rates":[]}}'

    def respond(self, path, query):
        assert path == "/exchange-rates"
        symbol = query["currency"]
        # The upstream knows nothing of wrapped coins: the first id of a symbol is the coin itself.
        coin = next(coin for coin, each in SYMBOLS.items() if each == symbol)
        worth = {pair.quote: text for pair, text in self.prices.items() if pair.base == coin}
        if not worth:
            return Answer(400, UNKNOWN)
        return json.dumps({"data": {"currency": symbol, "rates": worth}}).encode()


class Recorded:
    def __init__(self, answers):
        self.answers, self.asked = answers, []

    async def get(self, url, *, headers=None, timeout=10, limit=4_000_000):
        self.asked.append(url)
        body = self.answers.get(url.rpartition("=")[2])
        return HttpResponse(400, {}, UNKNOWN) if body is None else HttpResponse(200, {}, body)


class TestCoinbase(RateProviderSuite):
    source_class = Source

    @pytest.fixture
    def provider(self, source, http, clock):
        return Coinbase(CoinbaseSettings(base_url=source.base_url), http, clock)


def provider(answers):
    return Coinbase(CoinbaseSettings(), Recorded(answers), FakeClock())


async def test_one_bitcoin_costs_tens_of_thousands_of_dollars():
    rates = await provider(RECORDED).rates([Pair("bitcoin", "USD"), Pair("bitcoin", "JPY"), Pair("ethereum", "EUR")])
    assert {pair: rate.value for pair, rate in rates.items()} == {
        Pair("bitcoin", "USD"): Decimal("64547.115"),
        Pair("bitcoin", "JPY"): Decimal("9893271.2"),
        Pair("ethereum", "EUR"): Decimal("3074.3175"),
    }


async def test_each_coin_is_asked_for_once_however_many_pairs_it_is_in():
    http = Recorded(RECORDED)
    pairs = [Pair("ethereum", "USD"), Pair("weth", "USD"), Pair("ethereum", "EUR"), Pair("bitcoin", "USD"), Pair("no-such-coin", "USD")]
    rates = await Coinbase(CoinbaseSettings(), http, FakeClock()).rates(pairs)
    assert sorted(http.asked) == [f"https://api.coinbase.com/v2/exchange-rates?currency={symbol}" for symbol in ("BTC", "ETH")]
    assert rates[Pair("weth", "USD")] == rates[Pair("ethereum", "USD")]


async def test_one_coin_that_cannot_be_asked_does_not_cost_the_others():
    rates = await provider({"ETH": RECORDED["ETH"], "BTC": b"<html>"}).rates([Pair("bitcoin", "USD"), Pair("ethereum", "USD"), Pair("dai", "USD")])
    assert set(rates) == {Pair("ethereum", "USD")}


async def test_the_answer_for_another_coin_is_not_taken():
    with pytest.raises(Unavailable):
        await provider({"BTC": RECORDED["ETH"]}).rates([Pair("bitcoin", "USD")])


@pytest.mark.parametrize(
    "body", [b"null", b"[]", b"{}", b'{"data":null}', b'{"data":{"currency":"BTC","rates":null}}', b'{"data":{"currency":7,"rates":{}}}']
)
async def test_an_answer_of_another_form_is_unavailable(body):
    with pytest.raises(Unavailable):
        await provider({"BTC": body}).rates([Pair("bitcoin", "USD")])


@pytest.mark.parametrize("worth", ["null", "[]", "{}", "true", '"NaN"', '""', '" 1"', '"1\\n"', '"0x10"', "0", "-3", '"\u0661"'])
async def test_a_worth_that_is_no_number_gives_no_rate(worth):
    body = f'{{"data":{{"currency":"BTC","rates":{{"EUR":"59431.9","USD":{worth}}}}}}}'.encode()
    assert set(await provider({"BTC": body}).rates([Pair("bitcoin", "USD"), Pair("bitcoin", "EUR")])) == {Pair("bitcoin", "EUR")}


def test_the_plugin_contributes_one_provider_by_its_hook(context):
    (contributed,) = pepay_coinbase.pepay_rate_providers(context(CoinbaseSettings()))
    assert contributed.name == "coinbase"
    assert not contributed.fixed
