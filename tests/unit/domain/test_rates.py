from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pepay_core.domain import money
from pepay_core.domain.rates import MAX_RATE, MIN_RATE, AgreedRate, NoRate, Rate, agree, median, plausible, read_price, round_rate

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MAX_AGE = timedelta(seconds=120)
DEVIATION = Decimal("0.02")

PRICES = st.builds(lambda digits, power: Decimal(digits).scaleb(power), st.integers(1, 10**9), st.integers(-18, 9))
NAMES = st.sampled_from(["ann", "bob", "cleo", "dan", "eve", "fay"])
AGES = st.integers(-200, 400).map(lambda seconds: timedelta(seconds=seconds))
ANSWERS = st.dictionaries(NAMES, st.builds(lambda value, age: Rate(value, NOW - age), PRICES, AGES), max_size=6)


def decide(answers, *, quorum=2):
    return agree(answers, now=NOW, max_age=MAX_AGE, max_deviation=DEVIATION, quorum=quorum)


def said(**values):
    return {name: Rate(Decimal(value), NOW) for name, value in values.items()}


def dropped(decision):
    return {each.provider: each.dropped for each in decision.evidence}


# --- agreeing ---------------------------------------------------------------------------


def test_the_middle_answer_is_the_rate():
    decision = decide(said(a="100", b="101", c="100.4"))
    assert isinstance(decision, AgreedRate)
    assert decision.value == Decimal("100.4")
    assert all(each.used for each in decision.evidence)


def test_of_two_answers_the_mean_is_the_rate():
    assert decide(said(a="100", b="101")).value == Decimal("100.5")


@pytest.mark.parametrize("lie", ["150", "50", "100000", "0.001", "0.01", "102.1", "97.9"])
def test_a_liar_among_three_is_dropped_and_stays_in_the_evidence(lie):
    decision = decide(said(honest="100", honest_too="100", liar=lie))
    assert decision.value == 100
    assert dropped(decision) == {"honest": None, "honest_too": None, "liar": "deviation"}
    assert next(each.value for each in decision.evidence if each.provider == "liar") == Decimal(lie)


def test_a_liar_has_no_influence_on_the_rate():
    assert decide(said(a="100", b="101", liar="50")).value == decide(said(a="100", b="101")).value == Decimal("100.5")


def test_two_liars_who_do_not_agree_leave_no_quorum():
    assert isinstance(decide(said(honest="100", liar="150", other="50")), NoRate)


def test_two_providers_that_disagree_give_no_rate():
    decision = decide(said(a="100", b="105"))
    assert isinstance(decision, NoRate)
    assert dropped(decision) == {"a": "deviation", "b": "deviation"}
    assert decision.reason == "0 of 2 providers agree, 2 are needed"


@pytest.mark.parametrize(("seconds", "reason"), [(120, None), (121, "stale"), (-120, None), (-121, "stale"), (10**6, "stale")])
def test_an_answer_may_be_as_old_as_the_limit_and_no_further_from_now(seconds, reason):
    answers = {**said(a="100", b="100"), "c": Rate(Decimal(100), NOW - timedelta(seconds=seconds))}
    assert dropped(decide(answers))["c"] == reason


def test_a_stale_answer_has_no_influence_on_the_middle():
    answers = {**said(a="100", b="101"), "old": Rate(Decimal(102), NOW - timedelta(hours=1))}
    assert decide(answers).value == Decimal("100.5")


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity", "0", "-0", "-100", "1e-19", "1e19", "1e999999", "100." + "0" * 200 + "1"])
def test_what_is_no_price_is_invalid_and_spoils_nothing(value):
    decision = decide({**said(a="100", b="100"), "broken": Rate(Decimal(value), NOW)})
    assert decision.value == 100
    assert dropped(decision)["broken"] == "invalid"


@pytest.mark.parametrize(("deviation", "agreed"), [("102.02", True), ("102.05", False)])
def test_answers_at_the_limit_of_the_deviation_agree(deviation, agreed):
    # Measured from the median of both, which lies half-way between them.
    assert isinstance(decide(said(a="98.02", b=deviation)), AgreedRate) is agreed


@pytest.mark.parametrize(("quorum", "agreed"), [(0, True), (1, True), (2, True), (3, True), (4, False)])
def test_fewer_than_the_quorum_give_no_rate(quorum, agreed):
    assert isinstance(decide(said(a="100", b="100", c="100"), quorum=quorum), AgreedRate) is agreed


@pytest.mark.parametrize("quorum", [-1, 0, 1, 2])
def test_nobody_is_never_a_quorum(quorum):
    assert isinstance(decide({}, quorum=quorum), NoRate)


def test_a_rate_is_as_old_as_the_oldest_answer_that_counted():
    times = {"a": NOW - timedelta(seconds=30), "b": NOW - timedelta(seconds=90), "old": NOW - timedelta(seconds=500)}
    assert decide({name: Rate(Decimal(100), at) for name, at in times.items()}).at == times["b"]


@given(ANSWERS, st.randoms(use_true_random=False), st.integers(1, 3))
def test_the_order_of_the_answers_means_nothing(answers, random, quorum):
    shuffled = list(answers.items())
    random.shuffle(shuffled)
    assert decide(dict(shuffled), quorum=quorum) == decide(answers, quorum=quorum)


@given(ANSWERS, st.integers(1, 4))
def test_a_rate_lies_among_at_least_a_quorum_of_recent_answers_that_are_close_to_each_other(answers, quorum):
    decision = decide(answers, quorum=quorum)
    used = [each for each in decision.evidence if each.used]
    assert {each.provider for each in decision.evidence} == set(answers)
    if isinstance(decision, NoRate):
        assert len(used) < quorum
        return
    assert len(used) >= quorum
    assert all(abs(NOW - each.at) <= MAX_AGE for each in used)
    low, high = min(each.value for each in used), max(each.value for each in used)
    assert round_rate(low) <= decision.value <= round_rate(high)
    assert Fraction(high) / Fraction(low) <= (1 + Fraction(DEVIATION)) / (1 - Fraction(DEVIATION))


@given(st.lists(st.integers(9_900, 10_100), min_size=2, max_size=5), PRICES)
def test_one_liar_cannot_move_the_rate_out_of_what_the_honest_say(honest, lie):
    answers = {f"honest-{number}": Rate(Decimal(value), NOW) for number, value in enumerate(honest)}
    decision = decide({**answers, "liar": Rate(lie, NOW)})
    if isinstance(decision, AgreedRate):
        bound = Decimal("1.05")
        assert Decimal(min(honest)) / bound <= decision.value <= Decimal(max(honest)) * bound


# --- reading and rounding ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "price"),
    [
        ("2500.50", "2500.5"),
        ("0.000000000000001", "1e-15"),
        ("1.5e-05", "0.000015"),
        ("3E3", "3000"),
        ("007.5", "7.5"),
        (3000, "3000"),
        (Decimal("0.1"), "0.1"),
        (Decimal("1.0734E-5"), "0.000010734"),
    ],
)
def test_a_price_is_read_exactly_from_what_sources_write(written, price):
    assert read_price(written) == Decimal(price)


@pytest.mark.parametrize(
    "written",
    [
        *[None, True, False, 1.5, float("nan"), [], {}, b"1", ["1"], {"usd": 1}],
        *[0, -1, 10**19, Decimal(0), Decimal(-1), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1e999999")],
        *[
            "",
            " ",
            "1 ",
            " 1",
            "1\n",
            "+1",
            "-1",
            "0",
            "0.0",
            "NaN",
            "inf",
            "Infinity",
            "1_000",
            "1,5",
            "1,000.0",
            "0x1",
            "\u0661",
            "\uff11",
            "1e",
            "e1",
            ".5",
            "5.",
        ],
        *["1e400", "1e-400", "1e99999999999", "9" * 400, "1." + "1" * 400, "1.1.1", "null"],
    ],
    ids=lambda written: ascii(written)[:24],
)
def test_what_is_no_price_is_read_as_none(written):
    assert read_price(written) is None


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.decimals(), st.lists(st.integers())))
def test_nothing_that_a_source_writes_raises_or_becomes_a_rate_that_is_none(written):
    price = read_price(written)
    assert price is None or plausible(price)


@given(st.lists(PRICES, min_size=1, max_size=7))
def test_half_of_the_values_are_on_either_side_of_the_median(values):
    middle = median(values)
    assert 2 * sum(value <= middle for value in values) >= len(values)
    assert 2 * sum(value >= middle for value in values) >= len(values)


@given(PRICES)
def test_a_rounded_rate_keeps_eighteen_digits_and_is_never_zero(rate):
    rounded = round_rate(rate)
    assert rounded > 0
    assert abs(Fraction(rounded) - Fraction(rate)) <= Fraction(rate) / 10**17


@pytest.mark.parametrize(
    ("rate", "rounded"),
    [
        (money.divide(Decimal(1), Decimal(3)), "0.333333333333333333"),
        (money.divide(Decimal(200), Decimal(3)), "66.666666666666666667"),
        (Decimal("1.5e-18"), "0.0000000000000000015"),
        (Decimal("2500.5"), "2500.5"),
        (MIN_RATE, "1e-18"),
        (MAX_RATE, "1e18"),
    ],
)
def test_rates_are_rounded_half_even_at_the_eighteenth_digit(rate, rounded):
    assert round_rate(rate) == Decimal(rounded)
