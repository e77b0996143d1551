"""What every source of rates must do. Inherit :class:`RateProviderSuite`, and script your upstream by a :class:`RateSource`.

::

    class Acme(HttpRateSource):
        def respond(self, path, query):
            return self.prices.get(Pair(query["coin"], "USD"), "null").encode()


    class TestAcme(RateProviderSuite):
        source_class = Acme

        @pytest.fixture
        def provider(self, source, http, clock):
            return AcmeRates(AcmeSettings(base_url=source.base_url), http, clock)
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from pepay_core.api import Pair, Rate, RateProvider, Unavailable
from pepay_core.testing.clock import FakeClock
from pepay_core.testing.sources import Fault, HttpRateSource, RateSource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping

    from pepay_core.api import Http

__all__ = ["Fault", "HttpRateSource", "RateProviderSuite", "RateSource"]

ETH_USD = Pair("ethereum", "USD")
ETH_EUR = Pair("ethereum", "EUR")
SOL_USD = Pair("solana", "USD")
NOBODYS_COIN = Pair("a-coin-that-nobody-has-heard-of", "USD")


class RateProviderSuite:
    """Proves that a provider gives the price of one base in the quote currency, exactly, and otherwise nothing.

    The pairs may be replaced by others that the source knows; ``tells_time`` says that the source dates its prices.
    """

    source_class: type[RateSource]
    pair: Pair = ETH_USD
    same_coin: Pair = ETH_EUR
    other_coin: Pair = SOL_USD
    unknown: Pair = NOBODYS_COIN
    tells_time: bool = False

    @pytest.fixture
    def clock(self) -> FakeClock:
        """Time, standing still."""
        return FakeClock()

    @pytest.fixture
    async def http(self) -> AsyncIterator[Http]:
        """PePay's own HTTP client."""
        from pepay_core.http import AiohttpClient

        async with AiohttpClient() as client:
            yield client

    @pytest.fixture
    async def source(self, clock: FakeClock) -> AsyncIterator[RateSource]:
        """Run the scripted upstream."""
        async with self.source_class(clock) as source:
            yield source

    @pytest.fixture
    def provider(self, source: RateSource) -> RateProvider:
        """Your provider, asking ``source``."""
        raise NotImplementedError("return your provider from a fixture of this name")

    async def test_the_name_is_one_word_and_stays_the_same(self, provider: RateProvider, source: RateSource) -> None:
        """The name is written into every quote."""
        name = provider.name
        source.quote({self.pair: "2500.5"})
        await provider.rates([self.pair])
        assert provider.name == name
        assert name == name.strip().lower() != ""

    async def test_a_rate_is_the_price_of_one_base_in_the_quote_currency(self, provider: RateProvider, source: RateSource) -> None:
        """Not the other way round."""
        source.quote({self.pair: "2500.5"})
        assert await _values(provider, [self.pair]) == {self.pair: Decimal("2500.5")}

    async def test_each_pair_gets_its_own_price(self, provider: RateProvider, source: RateSource) -> None:
        """Neither coins nor currencies are mixed up, in whatever order they are asked."""
        prices = {self.pair: "2500.5", self.same_coin: "2301.75", self.other_coin: "151.25"}
        source.quote(prices)
        expected = {pair: Decimal(text) for pair, text in prices.items()}
        assert await _values(provider, list(prices)) == expected
        assert await _values(provider, list(reversed(prices))) == expected

    async def test_nothing_is_answered_that_was_not_asked(self, provider: RateProvider, source: RateSource) -> None:
        """However much the source knows."""
        source.quote({self.pair: "2500.5", self.same_coin: "2301.75", self.other_coin: "151.25"})
        assert set(await provider.rates([self.other_coin])) == {self.other_coin}
        assert await provider.rates([]) == {}

    async def test_what_the_source_does_not_know_is_left_out(self, provider: RateProvider, source: RateSource) -> None:
        """And costs nobody else a rate."""
        source.quote({self.pair: "2500.5"})
        assert await _values(provider, [self.unknown, self.pair, self.other_coin]) == {self.pair: Decimal("2500.5")}
        assert await _values(provider, [self.unknown, self.pair, self.other_coin]) == {self.pair: Decimal("2500.5")}
        assert await _values_or_none(provider, [self.unknown]) == {}

    @pytest.mark.parametrize("text", ["0.1", "3000", "2500.10", "64547.123456789012", "0.000000123456789", "123456789.000000001"])
    async def test_a_price_is_exactly_what_the_source_wrote(self, provider: RateProvider, source: RateSource, text: str) -> None:
        """A float in between would show in the last digits."""
        source.quote({self.pair: text})
        assert await _values(provider, [self.pair]) == {self.pair: Decimal(text)}

    @pytest.mark.parametrize(
        "text", ["NaN", "Infinity", "-Infinity", "-1", "-2500.5", "0", "0.00", "-0", "1e400", "null", "true", "1_000", "1,5", "n/a"]
    )
    async def test_what_is_no_price_gives_no_rate(self, provider: RateProvider, source: RateSource, text: str) -> None:
        """Leave it out, or raise Unavailable; never pass it on."""
        source.quote({self.pair: text, self.other_coin: "151.25"})
        assert self.pair not in await _values_or_none(provider, [self.pair, self.other_coin])

    @pytest.mark.parametrize("fault", list(Fault))
    async def test_a_source_that_fails_is_unavailable(self, provider: RateProvider, source: RateSource, fault: Fault) -> None:
        """Every fault is an Unavailable, and no earlier price is remembered instead."""
        source.quote({self.pair: "2500.5"})
        await provider.rates([self.pair])
        await source.fail(fault)
        with pytest.raises(Unavailable):
            await provider.rates([self.pair])

    async def test_a_source_that_recovers_is_believed_again(self, provider: RateProvider, source: RateSource) -> None:
        """With what it says then."""
        source.quote({self.pair: "2500.5"})
        await source.fail(Fault.BROKEN)
        with pytest.raises(Unavailable):
            await provider.rates([self.pair])
        await source.fail(None)
        source.quote({self.pair: "2600.25"})
        assert await _values(provider, [self.pair]) == {self.pair: Decimal("2600.25")}

    async def test_a_price_that_the_source_has_no_more_is_not_remembered(self, provider: RateProvider, source: RateSource) -> None:
        """A coin that was delisted has no price."""
        source.quote({self.pair: "2500.5", self.other_coin: "151.25"})
        await provider.rates([self.pair, self.other_coin])
        source.quote({self.other_coin: "152.50"})
        assert await _values(provider, [self.pair, self.other_coin]) == {self.other_coin: Decimal("152.50")}

    async def test_times_are_in_utc_and_not_in_the_future(self, provider: RateProvider, source: RateSource, clock: FakeClock) -> None:
        """By the clock that the provider was given."""
        source.quote({self.pair: "2500.5"})
        (rate,) = (await provider.rates([self.pair])).values()
        assert rate.at.utcoffset() == timedelta(0)
        assert clock.now() - timedelta(seconds=1) < rate.at <= clock.now()

    async def test_a_price_is_of_the_time_that_the_source_says(self, provider: RateProvider, source: RateSource, clock: FakeClock) -> None:
        """An old price that is dated now would be believed; where the source says nothing, it is of the moment it was asked."""
        source.quote({self.pair: "2500.5"})
        source.at = clock.now() - timedelta(seconds=90)
        (rate,) = (await provider.rates([self.pair])).values()
        assert rate.at == (source.at if self.tells_time else clock.now())

    async def test_a_price_from_the_future_is_not_believed(self, provider: RateProvider, source: RateSource, clock: FakeClock) -> None:
        """It would look recent for ever."""
        source.quote({self.pair: "2500.5"})
        source.at = clock.now() + timedelta(days=1)
        rates = await _rates_or_none(provider, [self.pair])
        assert not self.tells_time or rates == {}
        assert all(rate.at <= clock.now() for rate in rates.values())


async def _values(provider: RateProvider, pairs: Collection[Pair]) -> dict[Pair, Decimal]:
    return {pair: rate.value for pair, rate in (await provider.rates(pairs)).items()}


async def _rates_or_none(provider: RateProvider, pairs: Collection[Pair]) -> Mapping[Pair, Rate]:
    try:
        return await provider.rates(pairs)
    except Unavailable:
        return {}


async def _values_or_none(provider: RateProvider, pairs: Collection[Pair]) -> dict[Pair, Decimal]:
    return {pair: rate.value for pair, rate in (await _rates_or_none(provider, pairs)).items()}
