from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import ValidationError

from pepay_core.api import Pair, Rate
from pepay_sandbox.rates import FixedRates
from pepay_sandbox.settings import SandboxSettings

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Noon:
    def now(self):
        return NOON


async def test_the_configured_prices_are_answered_as_of_now_and_nothing_else():
    prices = SandboxSettings(rates={"ethereum": "3000.50", "usd-coin": "1"}).rates

    answer = await FixedRates(prices, Noon()).rates([Pair("ethereum", "USD"), Pair("usd-coin", "EUR"), Pair("solana", "USD")])

    assert answer == {Pair("ethereum", "USD"): Rate(Decimal("3000.50"), NOON)}


def test_the_rates_are_marked_as_fixed():
    provider = FixedRates({}, Noon())

    assert provider.name == "fixed"
    assert provider.fixed is True


@pytest.mark.parametrize("price", [3000.5, 3000, "0", "-1", "NaN", "1e3", "1_000", "", True, None])
def test_a_price_that_is_no_plain_decimal_text_is_refused(price):
    with pytest.raises(ValidationError, match="rates"):
        SandboxSettings(rates={"ethereum": price})


@pytest.mark.parametrize(("rates", "names"), [({}, []), ({"ethereum": "1"}, ["fixed"])])
def test_there_is_a_provider_only_where_rates_are_configured(rates, names):
    import logging

    import pepay_sandbox
    from pepay_core.api import PluginContext

    ctx = PluginContext("sandbox", SandboxSettings(rates=rates), http=None, clock=Noon(), log=logging.getLogger("pepay.plugin.sandbox"))

    assert [provider.name for provider in pepay_sandbox.pepay_rate_providers(ctx)] == names
