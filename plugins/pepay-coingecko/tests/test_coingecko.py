from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import SecretStr, ValidationError

import pepay_coingecko
from pepay_coingecko.provider import CoinGecko
from pepay_coingecko.settings import CoinGeckoSettings
from pepay_core.api import HttpResponse, Pair, Rate
from pepay_core.testing import RateProviderSuite
from pepay_core.testing.clock import FakeClock
from pepay_core.testing.rates import HttpRateSource

# What the API answers to a question for these coins in dollars and euros.
RECORDED = b"""{"bitcoin":{"usd":64547.123456789,"eur":59432,"last_updated_at":1793534391},
 "usd-coin":{"usd":0.999871,"eur":0.920715,"last_updated_at":1793534388},
 "pepe":{"usd":1.0734e-05,"eur":9.884e-06,"last_updated_at":1793534370}}"""


class Source(HttpRateSource):
    other_form = b"[]"

    def respond(self, path, query):
        assert path == "/simple/price"
        asked = {Pair(coin, currency.upper()) for coin in query["ids"].split(",") for currency in query["vs_currencies"].split(",")}
        coins = defaultdict(list)
        for pair, text in self.prices.items():
            if pair in asked:
                coins[pair.base].append(f'"{pair.quote.lower()}":{text}')
        time = f'"last_updated_at":{int(self.time().timestamp())}'
        return ("{" + ",".join(f'"{coin}":{{{",".join([*prices, time])}}}' for coin, prices in coins.items()) + "}").encode()


class Recorded:
    """Answers every request with the same bytes, and remembers what was asked."""

    def __init__(self, body):
        self.body, self.asked, self.headers = body, [], []

    async def get(self, url, *, headers=None, timeout=10, limit=4_000_000):
        self.asked.append(url)
        self.headers.append(dict(headers or {}))
        return HttpResponse(200, {}, self.body)


class TestCoinGecko(RateProviderSuite):
    source_class = Source
    tells_time = True

    @pytest.fixture
    def provider(self, source, http, clock):
        return CoinGecko(CoinGeckoSettings(base_url=source.base_url), http, clock)


async def test_one_bitcoin_costs_tens_of_thousands_of_dollars():
    clock = FakeClock(datetime(2026, 11, 1, 12, 0, tzinfo=UTC))
    rates = await CoinGecko(CoinGeckoSettings(), Recorded(RECORDED), clock).rates(
        [Pair("bitcoin", "USD"), Pair("bitcoin", "EUR"), Pair("usd-coin", "USD"), Pair("pepe", "USD")]
    )
    assert rates[Pair("bitcoin", "USD")] == Rate(Decimal("64547.123456789"), datetime(2026, 11, 1, 11, 59, 51, tzinfo=UTC))
    assert rates[Pair("bitcoin", "EUR")].value == 59432
    assert rates[Pair("usd-coin", "USD")].value == Decimal("0.999871")
    assert rates[Pair("pepe", "USD")].value == Decimal("0.000010734")


async def test_many_pairs_are_asked_for_by_one_request():
    http = Recorded(RECORDED)
    await CoinGecko(CoinGeckoSettings(), http, FakeClock()).rates([Pair("bitcoin", "USD"), Pair("pepe", "EUR"), Pair("usd-coin", "USD")])
    (url,) = http.asked
    assert url == (
        "https://api.coingecko.com/api/v3/simple/price"
        "?ids=bitcoin%2Cpepe%2Cusd-coin&vs_currencies=eur%2Cusd&include_last_updated_at=true&precision=full"
    )


@pytest.mark.parametrize(
    ("base_url", "key", "headers"),
    [
        ("https://api.coingecko.com/api/v3", "", {}),
        ("https://api.coingecko.com/api/v3", "CG-demo", {"x-cg-demo-api-key": "CG-demo"}),
        ("https://pro-api.coingecko.com/api/v3/", "CG-paid", {"x-cg-pro-api-key": "CG-paid"}),
    ],
)
async def test_the_key_goes_into_the_header_of_its_plan_and_not_into_the_url(base_url, key, headers):
    http = Recorded(RECORDED)
    await CoinGecko(CoinGeckoSettings(base_url=base_url, api_key=SecretStr(key)), http, FakeClock()).rates([Pair("bitcoin", "USD")])
    assert http.headers == [headers]
    assert "CG-" not in http.asked[0]
    assert "//simple" not in http.asked[0]


@pytest.mark.parametrize("time", ["null", '"1793534391"', "true", "-1", "0", "1793534391.5", "99999999999999999999", "{}"])
async def test_a_price_whose_time_is_none_is_left_out(time):
    http = Recorded(f'{{"bitcoin":{{"usd":64547.1,"last_updated_at":{time}}}}}'.encode())
    assert await CoinGecko(CoinGeckoSettings(), http, FakeClock()).rates([Pair("bitcoin", "USD")]) == {}


async def test_a_price_that_comes_without_a_time_is_of_the_moment_it_was_asked():
    clock = FakeClock()
    answer = await CoinGecko(CoinGeckoSettings(), Recorded(b'{"bitcoin":{"usd":64547.1}}'), clock).rates([Pair("bitcoin", "USD")])
    assert answer == {Pair("bitcoin", "USD"): Rate(Decimal("64547.1"), clock.now())}


@pytest.mark.parametrize("coin", ["null", "64547.1", '"64547.1"', "[]", '{"usd":{"price":1}}'])
async def test_a_coin_of_another_form_is_left_out(coin):
    http = Recorded(f'{{"bitcoin":{coin}}}'.encode())
    assert await CoinGecko(CoinGeckoSettings(), http, FakeClock()).rates([Pair("bitcoin", "USD")]) == {}


def test_settings_show_no_key_and_refuse_what_is_no_url():
    assert "CG-secret" not in repr(CoinGeckoSettings(api_key=SecretStr("CG-secret")))
    with pytest.raises(ValidationError):
        CoinGeckoSettings(base_url="api.coingecko.com")


def test_the_plugin_contributes_one_provider_by_its_hook(context):
    (provider,) = pepay_coingecko.pepay_rate_providers(context(CoinGeckoSettings()))
    assert provider.name == "coingecko"
    assert not provider.fixed
