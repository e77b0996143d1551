from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from decimal import Decimal

import pytest

from pepay_core.contracts.rates import RateProvider
from pepay_core.domain.errors import RatesUnavailable, Unavailable
from pepay_core.domain.rates import AgreedRate, NoRate, Pair, Rate
from pepay_core.services.pricing import RateDesk, RateRules
from pepay_core.testing.clock import FakeClock, settle

ETH = Pair("ethereum", "USD")
SOL = Pair("solana", "USD")
USDC = Pair("usd-coin", "USD")
USDC_EUR = Pair("usd-coin", "EUR")
RULES = RateRules(providers=None, quorum=2, max_age=timedelta(seconds=120), max_deviation=Decimal("0.02"))


class Source(RateProvider):
    """Says what it was told, counts how often it was asked, and can be held up or broken."""

    def __init__(self, name, clock, prices, *, fixed=False):
        self.name, self.clock, self.fixed = name, clock, fixed
        self.prices = {pair: Decimal(text) for pair, text in prices.items()}
        self.asked = []
        self.age = timedelta(0)
        self.error = None
        self.gate = None

    async def rates(self, pairs):
        self.asked.append(set(pairs))
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return {pair: Rate(self.prices[pair], self.clock.now() - self.age) for pair in pairs if pair in self.prices}


class History:
    def __init__(self):
        self.kept = []
        self.error = None

    async def record(self, pair, decision):
        if self.error is not None:
            raise self.error
        self.kept.append((pair, decision))


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def history():
    return History()


@pytest.fixture
def three(clock):
    return [Source(name, clock, {ETH: price, SOL: "150"}) for name, price in (("a", "2500"), ("b", "2510"), ("c", "2505"))]


def desk_of(sources, clock, *, rules=RULES, **options):
    return RateDesk({each.name: each for each in sources}, clock=clock, settings=rules, **options)


def changed(**fields):
    return RateRules(**{name: fields.get(name, getattr(RULES, name)) for name in RateRules.__slots__})


# --- what a rate is -----------------------------------------------------------------


async def test_a_rate_is_the_median_of_the_providers_with_what_each_of_them_said(three, clock):
    rate = await desk_of(three, clock).rate(ETH)
    assert rate.value == 2505
    assert {each.provider: each.value for each in rate.evidence if each.used} == {"a": 2500, "b": 2510, "c": 2505}


async def test_a_liar_is_left_out_and_named_in_the_evidence(three, clock):
    three[0].prices[ETH] = Decimal(3750)
    rate = await desk_of(three, clock).rate(ETH)
    assert rate.value == Decimal("2507.5")
    assert {each.provider: each.dropped for each in rate.evidence} == {"a": "deviation", "b": None, "c": None}


async def test_two_providers_that_disagree_are_no_quorum(three, clock):
    three[1].prices[ETH] = Decimal(2700)
    with pytest.raises(RatesUnavailable, match="0 of 2 providers agree, 2 are needed"):
        await desk_of(three[:2], clock).rate(ETH)


async def test_one_provider_is_not_enough_unless_the_operator_says_so(three, clock):
    with pytest.raises(RatesUnavailable) as refused:
        await desk_of(three[:1], clock).rate(ETH)
    assert refused.value.reason == "1 of 1 providers agree, 2 are needed"
    assert (await desk_of(three[:1], clock, rules=changed(quorum=1)).rate(ETH)).value == 2500


async def test_configured_rates_alone_need_no_second_opinion(clock):
    sandbox = Source("sandbox", clock, {ETH: "2000"}, fixed=True)
    assert (await desk_of([sandbox], clock).rate(ETH)).value == 2000


async def test_a_configured_rate_beside_a_measured_one_is_one_voice_of_the_quorum(three, clock):
    sandbox = Source("sandbox", clock, {ETH: "2000"}, fixed=True)
    with pytest.raises(RatesUnavailable):
        await desk_of([sandbox, three[0]], clock).rate(ETH)


async def test_without_a_provider_there_is_no_rate(clock):
    with pytest.raises(RatesUnavailable, match="no rate provider is running"):
        await desk_of([], clock).rate(ETH)


async def test_only_the_chosen_providers_that_are_running_are_asked(three, clock):
    desk = desk_of(three, clock, rules=changed(providers=("a", "c", "not-installed")))
    assert {each.provider for each in (await desk.rate(ETH)).evidence} == {"a", "c"}
    assert three[1].asked == []


async def test_pairs_without_a_rate_are_left_out_of_many(three, clock):
    rates = await desk_of(three, clock).rates([ETH, Pair("no-such-coin", "USD"), SOL])
    assert {pair: rate.value for pair, rate in rates.items()} == {ETH: 2505, SOL: 150}
    assert await desk_of(three, clock).rates([]) == {}


# --- never old ------------------------------------------------------------------------


async def test_answers_that_are_too_old_are_not_believed(three, clock):
    three[0].age = three[1].age = timedelta(seconds=121)
    with pytest.raises(RatesUnavailable, match="1 of 3 providers agree"):
        await desk_of(three, clock).rate(ETH)


async def test_no_rate_is_handed_out_once_its_answers_have_become_too_old(three, clock):
    for each in three:
        each.age = timedelta(seconds=110)
    desk = desk_of(three, clock)
    await desk.rate(ETH)
    for each in three:
        each.error = Unavailable("down")
    await clock.advance(9)
    assert (await desk.rate(ETH)).value == 2505
    await clock.advance(2)
    assert desk.cached(ETH) is None
    with pytest.raises(RatesUnavailable):
        await desk.rate(ETH)


async def test_the_last_rate_is_no_answer_when_the_providers_are_down(three, clock):
    desk = desk_of(three, clock)
    await desk.rate(ETH)
    for each in three:
        each.error = Unavailable("down")
    await clock.advance(31)
    with pytest.raises(RatesUnavailable):
        await desk.rate(ETH)


async def test_a_wall_clock_that_is_set_forward_makes_what_is_known_too_old(three, clock):
    desk = desk_of(three, clock)
    await desk.rate(ETH)
    clock.jump(timedelta(hours=1))
    assert desk.cached(ETH) is None
    assert (await desk.rate(ETH)).at == clock.now()


async def test_a_rate_is_kept_for_a_short_time_and_asked_again_after_it(three, clock):
    desk = desk_of(three, clock)
    assert desk.cached(ETH) is None
    for _ in range(3):
        await desk.rate(ETH)
    assert [len(each.asked) for each in three] == [1, 1, 1]
    assert desk.cached(ETH) is not None
    three[0].prices[ETH] = three[1].prices[ETH] = Decimal(2520)
    await clock.advance(30)
    assert (await desk.rate(ETH)).value == 2520


async def test_a_refusal_is_kept_for_a_shorter_time_still(three, clock):
    three[0].error = three[1].error = Unavailable("down")
    desk = desk_of(three, clock)
    for _ in range(3):
        with pytest.raises(RatesUnavailable):
            await desk.rate(ETH)
    assert len(three[2].asked) == 1
    three[0].error = None
    await clock.advance(5)
    assert (await desk.rate(ETH)).value == Decimal("2502.5")


async def test_a_pair_that_is_refused_again_and_again_is_asked_for_less_and_less(three, clock):
    desk = desk_of(three, clock)
    moments = []
    for second in range(120):
        await desk.rates([Pair("no-such-coin", "USD")])
        if len(three[0].asked) > len(moments):
            moments.append(second)
        await clock.advance(1)
    assert moments == [0, 5, 15, 35, 65, 95]


async def test_after_a_rate_a_refusal_is_short_again(three, clock):
    desk = desk_of(three, clock)
    for error, seconds in ((Unavailable("down"), 5), (Unavailable("down"), 10), (None, 30), (Unavailable("down"), 5), (None, 0)):
        for each in three:
            each.error = error
        assert (await desk.rates([ETH]) == {}) is (error is not None)
        await clock.advance(seconds)
    assert len(three[0].asked) == 5


# --- one request for everybody -----------------------------------------------------------


async def test_fifty_callers_at_the_same_time_cause_one_request(three, clock):
    for each in three:
        each.gate = asyncio.Event()
    desk = desk_of(three, clock)
    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(desk.rate(ETH)) for _ in range(50)]
        await settle()
        for each in three:
            each.gate.set()
    assert {caller.result().value for caller in callers} == {Decimal(2505)}
    assert [each.asked for each in three] == [[{ETH}]] * 3


async def test_callers_who_wait_for_different_pairs_share_the_next_request(three, clock):
    for each in three:
        each.gate = asyncio.Event()
    desk = desk_of(three, clock)
    pairs = [SOL, *(Pair(f"coin-{number}", "USD") for number in range(10))]
    async with asyncio.TaskGroup() as group:
        group.create_task(desk.rate(ETH))
        await settle()
        for pair in pairs:
            group.create_task(desk.rates([pair]))
        await settle()
        for each in three:
            each.gate.set()
    assert three[0].asked == [{ETH}, set(pairs)]


async def test_a_caller_who_gives_up_does_not_cost_the_others_their_answer(three, clock):
    for each in three:
        each.gate = asyncio.Event()
    desk = desk_of(three, clock)
    first = asyncio.create_task(desk.rate(ETH))
    await settle()
    second = asyncio.create_task(desk.rate(ETH))
    await settle()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    for each in three:
        each.gate.set()
    assert (await second).value == 2505


async def test_pairs_that_nobody_asks_for_any_more_are_forgotten(three, clock):
    desk = desk_of(three, clock)
    await desk.rates([Pair(f"coin-{number}", "USD") for number in range(100)])
    await clock.advance(3600)
    await desk.rate(ETH)
    assert set(desk._known) == {ETH}


# --- one that fails costs itself ------------------------------------------------------------


async def test_a_provider_that_hangs_is_not_waited_for(three, clock):
    three[0].gate = asyncio.Event()
    desk = desk_of(three, clock, deadline=0.05)
    assert (await desk.rate(ETH)).value == Decimal("2507.5")
    assert desk.failing == {"a": "no answer within 0.05 s"}


@pytest.mark.parametrize(
    "error", [Unavailable("down"), RatesUnavailable("HTTP 429"), ValueError("bug"), KeyError("data"), TimeoutError(), OSError(5)]
)
async def test_a_provider_that_fails_costs_only_its_own_answers(three, clock, error):
    three[0].error = error
    desk = desk_of(three, clock)
    assert (await desk.rate(ETH)).value == Decimal("2507.5")
    assert set(desk.failing) == {"a"}


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "2500",
        {ETH: None},
        {ETH: Decimal(2500)},
        {ETH: Rate(2500.0, FakeClock().now())},
        {ETH: Rate(2500, FakeClock().now())},
        {ETH: Rate(Decimal("NaN"), FakeClock().now())},
        {ETH: Rate(Decimal("sNaN"), FakeClock().now())},
        {ETH: Rate(Decimal("Infinity"), FakeClock().now())},
        {ETH: Rate(Decimal(-2500), FakeClock().now())},
        {ETH: Rate(Decimal(0), FakeClock().now())},
        {ETH: Rate(Decimal("1e999999"), FakeClock().now())},
        {ETH: Rate(Decimal("2500." + "1" * 500), FakeClock().now())},
        {ETH: Rate(Decimal(2500), FakeClock().now().replace(tzinfo=None))},
        {ETH: Rate(Decimal(2500), "now")},
        {ETH: Rate(Decimal(2500), None)},
    ],
    ids=repr,
)
async def test_an_answer_that_is_no_rate_costs_only_its_provider(three, clock, answer):
    class Odd(Source):
        async def rates(self, pairs):
            return answer

    desk = desk_of([Odd("odd", clock, {}), *three[1:]], clock)
    rate = await desk.rate(ETH)
    assert rate.value == Decimal("2507.5")
    assert {each.provider for each in rate.evidence} == {"b", "c"}
    assert set(desk.failing) == {"odd"}


async def test_a_failure_is_logged_when_it_begins_and_when_it_ends_and_not_in_between(three, clock, caplog):
    desk = desk_of(three, clock)
    with caplog.at_level(logging.INFO, "pepay.rates"):
        for error in (Unavailable("down"), Unavailable("still down"), ValueError("bug"), None, None):
            three[0].error = error
            await desk.rate(ETH)
            await clock.advance(30)
    assert [record.getMessage() for record in caplog.records] == ["rates of a cannot be used: down", "rates of a can be used again"]


async def test_no_provider_can_move_a_rate_beyond_the_deviation_that_is_allowed(three, clock):
    for lie in ("0.000001", "1", "2400", "2449", "2549.9", "2560", "5000", "2500000", "0.0004"):
        three[0].prices[ETH] = Decimal(lie)
        value = (await desk_of(three, clock).rate(ETH)).value
        assert Decimal(2505) * Decimal("0.98") <= value <= Decimal(2510) * Decimal("1.02")


# --- coins that promise a currency -------------------------------------------------------------


@pytest.mark.parametrize("value", ["0.97", "0.9998", "1", "1.0002", "1.03"])
async def test_a_stablecoin_is_worth_what_the_market_says(clock, value):
    sources = [Source(name, clock, {USDC: value}) for name in "ab"]
    assert (await desk_of(sources, clock).rate(USDC)).value == Decimal(value)


@pytest.mark.parametrize("value", ["0.9699", "0.88", "0.01", "1.0301", "2"])
async def test_a_stablecoin_that_has_lost_its_peg_has_no_rate(clock, value):
    sources = [Source(name, clock, {USDC: value}) for name in "ab"]
    desk = desk_of(sources, clock)
    with pytest.raises(RatesUnavailable) as refused:
        await desk.rate(USDC)
    assert refused.value.reason == "depegged"
    assert desk.cached(USDC) is None
    assert await desk.rates([USDC]) == {}


async def test_a_stablecoin_that_has_lost_its_peg_has_no_rate_in_any_other_currency_either(clock):
    sources = [Source(name, clock, {USDC: "0.90", USDC_EUR: "0.83"}) for name in "ab"]
    with pytest.raises(RatesUnavailable) as refused:
        await desk_of(sources, clock).rate(USDC_EUR)
    assert refused.value.reason == "depegged"


async def test_a_stablecoin_in_another_currency_is_not_measured_against_one(clock):
    sources = [Source(name, clock, {USDC: "1", USDC_EUR: "0.83"}) for name in "ab"]
    assert (await desk_of(sources, clock).rate(USDC_EUR)).value == Decimal("0.83")


async def test_a_stablecoin_whose_peg_nobody_knows_has_no_rate(clock):
    sources = [Source(name, clock, {USDC_EUR: "0.83"}) for name in "ab"]
    with pytest.raises(RatesUnavailable, match="nobody says whether it is worth one USD"):
        await desk_of(sources, clock).rate(USDC_EUR)


async def test_the_distance_that_breaks_a_peg_is_the_operators_choice(clock):
    sources = [Source(name, clock, {USDC: "0.98"}) for name in "ab"]
    with pytest.raises(RatesUnavailable):
        await desk_of(sources, clock, rules=changed(max_depeg=Decimal("0.01"))).rate(USDC)


async def test_coins_that_promise_nothing_may_cost_what_they_like(clock):
    sources = [Source(name, clock, {ETH: "0.5"}) for name in "ab"]
    assert (await desk_of(sources, clock).rate(ETH)).value == Decimal("0.5")


# --- one coin in another ----------------------------------------------------------------------------


async def test_a_coin_is_priced_in_another_through_dollars_with_both_evidences(three, clock):
    rate = await desk_of(three, clock).cross("solana", "ethereum")
    assert rate.value == Decimal("0.0598802395209580838")  # 150 / 2505
    assert {each.provider for each in rate.evidence} == {f"{name} {coin}/USD" for name in "abc" for coin in ("solana", "ethereum")}
    assert three[0].asked == [{SOL, ETH}]


async def test_a_coin_in_a_currency_is_simply_its_rate(three, clock):
    assert (await desk_of(three, clock).cross("ethereum", "USD")).value == 2505


async def test_a_price_in_another_coin_is_as_old_as_the_older_of_the_two(three, clock):
    desk = desk_of(three, clock)
    await desk.rate(SOL)
    asked = clock.now()
    await clock.advance(20)
    assert (await desk.cross("solana", "ethereum")).at == asked


async def test_without_one_of_the_two_there_is_no_price_in_another_coin(three, clock):
    with pytest.raises(RatesUnavailable, match="no-such-coin in USD"):
        await desk_of(three, clock).cross("solana", "no-such-coin")


# --- history ----------------------------------------------------------------------------------------


async def test_every_decision_is_kept_in_the_history_at_most_once_per_refresh(three, clock, history):
    desk = desk_of(three, clock, history=history)
    for _ in range(3):
        await desk.rates([ETH, Pair("no-such-coin", "USD")])
        await clock.advance(10)
    kept = dict(history.kept)
    assert len(history.kept) == 2
    assert isinstance(kept[ETH], AgreedRate)
    assert isinstance(kept[Pair("no-such-coin", "USD")], NoRate)
    await desk.rates([ETH])
    assert [pair for pair, _ in history.kept] == [*kept, ETH]


async def test_a_history_that_cannot_be_written_costs_nobody_a_rate(three, clock, history, caplog):
    history.error = Unavailable("the database does not answer")
    assert (await desk_of(three, clock, history=history).rate(ETH)).value == 2505
    assert "was not kept in the history" in caplog.text
