"""The suite for rate providers passes an honest one, and catches each of these mistakes by the test that is meant for it."""

from __future__ import annotations

import inspect
import itertools
import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation

import pytest

from pepay_core.api import Pair, Rate, RateProvider, RatesUnavailable, read_price
from pepay_core.testing.clock import FakeClock
from pepay_core.testing.rates import RateProviderSuite, RateSource


class Memory(RateSource):
    """An upstream in this process."""

    def __init__(self, clock):
        super().__init__(clock)
        self.fault = None

    async def fail(self, fault):
        self.fault = fault

    def ask(self, pair):
        if self.fault is not None:
            raise ConnectionResetError(self.fault.value)
        return self.prices.get(pair)


class Honest(RateProvider):
    name = "honest"

    def __init__(self, source, clock):
        self.source, self.clock = source, clock

    async def rates(self, pairs):
        try:
            answers = {pair: self.source.ask(pair) for pair in pairs}
        except ConnectionError as exc:
            raise RatesUnavailable("gone") from exc
        rates = {pair: Rate(price, self.time()) for pair, text in answers.items() if (price := self.read(text)) is not None}
        return {} if self.source.time() > self.clock.now() else rates

    def read(self, text):
        return read_price(text)

    def time(self):
        return self.source.time()


class Inverted(Honest):
    def read(self, text):
        price = super().read(text)
        return price and 1 / price


class Floaty(Honest):
    def read(self, text):
        price = super().read(text)
        return price and Decimal(float(price))


class Rounding(Honest):
    def read(self, text):
        price = super().read(text)
        return price and price.quantize(Decimal("0.01"))


class Credulous(Honest):
    def read(self, text):
        try:
            return Decimal(text.replace("_", "")) if text else None
        except InvalidOperation:
            return None


class Unsigned(Honest):
    """Reads the number in whatever is written, as a regular expression that forgets the sign does."""

    def read(self, text):
        found = re.search(r"\d+(\.\d+)?", text or "")
        return Decimal(found[0]) if found else None


class Remembering(Honest):
    def __init__(self, *args):
        super().__init__(*args)
        self.last = {}

    async def rates(self, pairs):
        try:
            self.last = dict(await super().rates(pairs)) or self.last
        except RatesUnavailable:
            if not self.last:
                raise
        return {pair: self.last[pair] for pair in pairs if pair in self.last}


class Hoarding(Honest):
    """Answers with every price it has ever seen of a coin that the source no longer has."""

    def __init__(self, *args):
        super().__init__(*args)
        self.seen = {}

    async def rates(self, pairs):
        self.seen.update(await super().rates(pairs))
        return {pair: self.seen[pair] for pair in pairs if pair in self.seen}


class OneIsOne(Honest):
    """Falls back to one where it knows nothing."""

    def read(self, text):
        return super().read(text) if text else Decimal(1)


class Picky(Honest):
    async def rates(self, pairs):
        rates = await super().rates(pairs)
        if len(rates) < len(pairs):
            raise RatesUnavailable("I do not know all of these")
        return rates


class DollarsOnly(Honest):
    async def rates(self, pairs):
        dollars = await super().rates([Pair(pair.base, "USD") for pair in pairs])
        return {pair: dollars[Pair(pair.base, "USD")] for pair in pairs if Pair(pair.base, "USD") in dollars}


class Generous(Honest):
    async def rates(self, pairs):
        return await super().rates([*pairs, *self.source.prices])


class Raw(Honest):
    async def rates(self, pairs):
        return {pair: Rate(Decimal(text), self.time()) for pair in pairs if (text := self.source.ask(pair)) and read_price(text)}


class Silent(Honest):
    async def rates(self, pairs):
        try:
            return await super().rates(pairs)
        except RatesUnavailable:
            return {}


class Resigned(Honest):
    """Gives up for ever after the first failure."""

    down = False

    async def rates(self, pairs):
        if self.down:
            raise RatesUnavailable("still down, surely")
        try:
            return await super().rates(pairs)
        except RatesUnavailable:
            self.down = True
            raise


class Naive(Honest):
    def time(self):
        return super().time().replace(tzinfo=None)


class Hasty(Honest):
    def time(self):
        return super().time() + timedelta(hours=1)


class Now(Honest):
    def time(self):
        return self.clock.now()


class Trusting(Honest):
    async def rates(self, pairs):
        return {pair: Rate(price, self.time()) for pair in pairs if (price := self.read(self.source.prices.get(pair))) is not None}


class Renamed(Honest):
    name = "renamed-1"

    async def rates(self, pairs):
        self.name = "renamed-2"
        return await super().rates(pairs)


class Suite(RateProviderSuite):
    source_class = Memory
    tells_time = True


def cases(test):
    """Return the arguments of every case of a test, as its parametrize marks make them."""
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    choices = [[(mark.args[0], value) for value in mark.args[1]] for mark in marks]
    return [dict(case) for case in itertools.product(*choices)]


async def failures(provider_class):
    failed = set()
    for name, test in inspect.getmembers(RateProviderSuite, inspect.isfunction):
        if not name.startswith("test_"):
            continue
        for case in cases(test):
            clock = FakeClock()
            source = Memory(clock)
            fixtures = {"provider": provider_class(source, clock), "source": source, "clock": clock, **case}
            try:
                await test(Suite(), **{key: fixtures[key] for key in inspect.signature(test).parameters if key != "self"})
            except (Exception, pytest.fail.Exception):  # noqa: BLE001 (whatever is raised is a finding)
                failed.add(name)
    return failed


async def test_an_honest_provider_passes():
    assert await failures(Honest) == set()


@pytest.mark.parametrize(
    ("mutant", "test"),
    [
        (Inverted, "test_a_rate_is_the_price_of_one_base_in_the_quote_currency"),
        (Floaty, "test_a_price_is_exactly_what_the_source_wrote"),
        (Rounding, "test_a_price_is_exactly_what_the_source_wrote"),
        (Credulous, "test_what_is_no_price_gives_no_rate"),
        (Unsigned, "test_what_is_no_price_gives_no_rate"),
        (Remembering, "test_a_source_that_fails_is_unavailable"),
        (Hoarding, "test_a_price_that_the_source_has_no_more_is_not_remembered"),
        (OneIsOne, "test_what_the_source_does_not_know_is_left_out"),
        (Picky, "test_what_the_source_does_not_know_is_left_out"),
        (DollarsOnly, "test_each_pair_gets_its_own_price"),
        (Generous, "test_nothing_is_answered_that_was_not_asked"),
        (Raw, "test_a_source_that_fails_is_unavailable"),
        (Silent, "test_a_source_that_fails_is_unavailable"),
        (Resigned, "test_a_source_that_recovers_is_believed_again"),
        (Naive, "test_times_are_in_utc_and_not_in_the_future"),
        (Hasty, "test_times_are_in_utc_and_not_in_the_future"),
        (Now, "test_a_price_is_of_the_time_that_the_source_says"),
        (Trusting, "test_a_price_from_the_future_is_not_believed"),
        (Renamed, "test_the_name_is_one_word_and_stays_the_same"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_each_mistake_is_caught_by_its_test(mutant, test):
    assert test in await failures(mutant)


async def test_no_test_of_the_suite_is_useless():
    mutants = [each for each in list(globals().values()) if inspect.isclass(each) and issubclass(each, Honest) and each is not Honest]
    caught = set().union(*[await failures(mutant) for mutant in mutants])
    assert caught == {name for name in dir(RateProviderSuite) if name.startswith("test_")}
