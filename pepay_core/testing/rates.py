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

from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from pepay_core.api import Pair, Rate, RateProvider, Unavailable
from pepay_core.testing.clock import FakeClock
from pepay_core.testing.receiver import Answer, Received, Receiver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping
    from types import TracebackType
    from typing import Self

    from pepay_core.api import Http

ETH_USD = Pair("ethereum", "USD")
ETH_EUR = Pair("ethereum", "EUR")
SOL_USD = Pair("solana", "USD")
NOBODYS_COIN = Pair("a-coin-that-nobody-has-heard-of", "USD")


class Fault(Enum):
    """What goes wrong upstream."""

    GONE = "gone"
    """Nobody listens any more."""
    BROKEN = "broken"
    """An internal error."""
    LIMITED = "limited"
    """Too many requests."""
    NOT_JSON = "not_json"
    """A page for people, as proxies and captchas send it, with a status that means success."""
    CUT_OFF = "cut_off"
    """The beginning of an answer."""
    OTHER_FORM = "other_form"
    """Well-formed, and nothing that was ever documented."""


class RateSource(ABC):
    """An author's own upstream, as a script. It knows the prices it was told, and answers in the form in which the real one does."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.prices: dict[Pair, str] = {}
        """The price of one unit of each base, as the upstream writes it: the text of a number, sound or not."""
        self.at: datetime | None = None
        """The time that the upstream says its prices are of; None: just now."""

    def quote(self, prices: Mapping[Pair, str]) -> None:
        """Let the upstream know these prices, and no others."""
        self.prices = dict(prices)

    def time(self) -> datetime:
        """Return the time to write into an answer."""
        return self.at or self.clock.now()

    @abstractmethod
    async def fail(self, fault: Fault | None) -> None:
        """Fail like this from now on; None: not any more."""

    async def __aenter__(self) -> Self:
        """Start the upstream."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop it."""


class HttpRateSource(RateSource):
    """An upstream on HTTP: a real server on this machine, which fails as it is told. Write :meth:`respond`."""

    other_form: ClassVar[bytes] = b'["not", {"what": "anybody"}, "documented"]'

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.fault: Fault | None = None
        self._server = _Upstream(self)
        self.base_url = ""
        """Where the server is; stays the same when it is gone."""

    @property
    def requests(self) -> list[Received]:
        """What was asked so far."""
        return self._server.requests

    @abstractmethod
    def respond(self, path: str, query: Mapping[str, str]) -> bytes | Answer:
        """Return the body that the real upstream sends for ``prices``, or a whole answer where its status is not 200."""

    async def fail(self, fault: Fault | None) -> None:
        """Fail like this from now on, or not any more; what is gone stays gone."""
        self.fault = fault
        if fault is Fault.GONE:
            await self._server.__aexit__(None, None, None)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        self.base_url = self._server.url_of("")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.fault is not Fault.GONE:
            await self._server.__aexit__(kind, error, trace)

    def answer(self, request: Received) -> Answer:
        """Return the answer to a request, or the fault in its place."""
        match self.fault:
            case Fault.BROKEN:
                return Answer(500, b"oops")
            case Fault.LIMITED:
                return Answer(429, b'{"status":{"error_code":429}}', {"retry-after": "30"})
            case Fault.NOT_JSON:
                return Answer(200, b"<!doctype html><title>Just a moment</title>")
            case Fault.OTHER_FORM:
                return Answer(200, self.other_form)
        target = urlsplit(request.path)
        answer = self.respond(target.path, {name: values[-1] for name, values in parse_qs(target.query).items()})
        whole = answer if isinstance(answer, Answer) else Answer(200, answer)
        return Answer(whole.status, whole.body[: len(whole.body) // 2]) if self.fault is Fault.CUT_OFF else whole


class _Upstream(Receiver):
    def __init__(self, source: HttpRateSource) -> None:
        super().__init__()
        self._source = source

    def reply(self, request: Received) -> Answer:
        return self._source.answer(request)


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
