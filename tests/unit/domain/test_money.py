# ruff: noqa: RUF001 (digits that look like others are what this is about)
from __future__ import annotations

import decimal
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pepay_core.domain import money
from pepay_core.domain.errors import InvalidAmount

UNITS = st.integers(min_value=0, max_value=money.MAX_BASE_UNITS)
DECIMALS = st.integers(min_value=0, max_value=36)
MINOR = st.integers(min_value=0, max_value=4)
RATES = st.builds(lambda digits, power: Decimal(digits).scaleb(power), st.integers(1, 10**12), st.integers(-24, 12))
AMOUNTS = st.builds(lambda units, places: Decimal(units).scaleb(-places), st.integers(0, 10**40), st.integers(0, 18))
STEPS = st.builds(lambda digits, power: Decimal(digits).scaleb(power), st.sampled_from([1, 2, 3, 5, 7, 25]), st.integers(-18, 3))


def exact(amount):
    return Fraction(amount)


# --- base units -----------------------------------------------------------------------


@given(units=UNITS, decimals=DECIMALS)
@example(units=money.MAX_BASE_UNITS, decimals=18)
@example(units=money.MAX_BASE_UNITS, decimals=36)
@example(units=1, decimals=36)
def test_base_units_survive_the_way_to_an_amount_and_back(units, decimals):
    assert money.to_base_units(money.from_base_units(units, decimals), decimals) == units


@given(units=UNITS, decimals=DECIMALS)
def test_an_amount_survives_being_written_and_read_as_text(units, decimals):
    amount = money.from_base_units(units, decimals)
    text = money.plain(amount)
    assert Decimal(text) == amount
    assert "e" not in text.lower()


@given(units=UNITS, decimals=DECIMALS)
def test_an_amount_is_exactly_its_base_units(units, decimals):
    assert exact(money.from_base_units(units, decimals)) == Fraction(units, 10**decimals)


@given(units=UNITS, decimals=DECIMALS)
def test_nothing_finer_than_a_base_unit_has_base_units(units, decimals):
    finer = money.add(money.from_base_units(units, decimals), Decimal(1).scaleb(-decimals - 1))
    with pytest.raises(InvalidAmount):
        money.to_base_units(finer, decimals)


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity", "-1", "-0.000001", "1e80", "1e999999", "1e-999999", "1e-1999990", "1e-7"])
def test_what_is_no_number_of_base_units_is_refused(text):
    with pytest.raises(InvalidAmount):
        money.to_base_units(Decimal(text), 6)


def test_the_largest_amount_has_base_units_and_one_more_has_not():
    assert money.to_base_units(Decimal(2**256 - 1), 0) == 2**256 - 1
    with pytest.raises(InvalidAmount):
        money.to_base_units(Decimal(2**256), 0)
    with pytest.raises(InvalidAmount):
        money.to_base_units(Decimal(2**256 - 1), 1)


# --- arithmetic -----------------------------------------------------------------------


@given(st.lists(UNITS, max_size=8), DECIMALS)
def test_sums_are_exact_whatever_the_default_context_does(units, decimals):
    amounts = [money.from_base_units(each, decimals) for each in units]
    with decimal.localcontext(decimal.Context(prec=3)):
        total = money.add(*amounts)
        back = money.subtract(total, amounts[0]) if amounts else total
    assert exact(total) == Fraction(sum(units), 10**decimals)
    assert exact(back) == Fraction(sum(units[1:]), 10**decimals)


@given(UNITS, DECIMALS, RATES)
def test_products_are_exact(units, decimals, rate):
    assert exact(money.multiply(money.from_base_units(units, decimals), rate)) == Fraction(units, 10**decimals) * exact(rate)


def test_a_lost_digit_is_an_error_and_not_a_rounding():
    with pytest.raises(decimal.Inexact):
        money.add(Decimal(1), Decimal("1e-500"))


# --- rounding (I19) ---------------------------------------------------------------------


@given(AMOUNTS, MINOR)
def test_rounding_down_never_credits_more_and_less_than_one_minor_unit_less(amount, minor):
    rounded = money.round_down(amount, minor)
    assert 0 <= exact(amount) - exact(rounded) < Fraction(1, 10**minor)
    assert rounded == rounded.quantize(Decimal(1).scaleb(-minor), context=money.WIDE)


@given(AMOUNTS, MINOR)
def test_rounding_up_never_asks_for_less_and_less_than_one_minor_unit_more(amount, minor):
    assert 0 <= exact(money.round_up(amount, minor)) - exact(amount) < Fraction(1, 10**minor)


@given(AMOUNTS, STEPS)
@example(Decimal("0.02"), Decimal("0.01"))
@example(Decimal("1e-18"), Decimal(1000))
def test_rounding_up_to_a_step_gives_the_smallest_multiple_that_is_enough(amount, step):
    rounded = money.round_up_to_step(amount, step)
    assert exact(rounded) % exact(step) == 0
    assert 0 <= exact(rounded) - exact(amount) < exact(step)


@given(AMOUNTS, RATES, STEPS)
def test_what_a_buyer_is_asked_for_at_a_rate_is_worth_what_is_owed(amount, rate, step):
    asked = money.round_up_to_step(money.divide(amount, rate), step)
    assert exact(asked) * exact(rate) >= exact(amount)
    assert (exact(asked) - exact(step)) * exact(rate) < exact(amount)


@given(st.lists(AMOUNTS, min_size=1, max_size=6), MINOR)
def test_parts_rounded_down_are_never_worth_more_than_the_whole(amounts, minor):
    whole = money.round_down(money.add(*amounts), minor)
    assert money.add(*(money.round_down(each, minor) for each in amounts)) <= whole


# --- reading what people and programs write ----------------------------------------------


@given(st.integers(0, 10**31 - 1), st.integers(0, 18))
@example(10**31 - 1, 18)
def test_every_plain_amount_is_read_exactly(digits, decimals):
    amount = Decimal(digits).scaleb(-decimals, context=money.WIDE)
    assert money.parse_amount(f"{amount:f}", decimals=decimals) == amount


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("0.00", 0), ("5", 5), ("49.99", Decimal("49.99")), ("49.90", Decimal("49.9")), ("49.9900", Decimal("49.99")), ("1000000", 10**6)],
)
def test_plain_amounts_are_read(text, value):
    assert money.parse_amount(text, decimals=2) == value


HOSTILE = [
    *["", " ", "\t", "\n", "\0", ".", ",", "-", "+", "e", "E5", "x"],
    *[
        "NaN",
        "nan",
        "NAN",
        "sNaN",
        "-NaN",
        "NaN123",
        "Infinity",
        "infinity",
        "-Infinity",
        "inf",
        "Inf",
        "+inf",
        "∞",
        "null",
        "None",
        "true",
        "undefined",
    ],
    *["+1", "-1", "-0", "+0", "--1", "- 1", "\u22121", "1-", "1+", "(1)", "-1.5"],
    *[
        " 5",
        "5 ",
        "5\n",
        "\n5",
        "5\r\n",
        "5\t",
        "5\0",
        "\ufeff5",
        "5\u00a0",
        "\u20095",
        "5\u200b",
        "1 000",
        "1\u00a0000",
        "1\u202f000",
        "5\x0b",
        "5\x85",
        "5\u2028",
    ],
    *["1_000", "1__0", "_1", "1_", "0_0", "1,000", "1,000.00", "1.000,00", "1,5", "1'000", "1\u066c000", "1\u066b5"],
    *["1e5", "1E5", "1e-5", "1e+5", "1e", "e1", "1.0e3", "1e999999999", "1e-999999999", "0e0", "1E+400"],
    *["00", "01", "007", "00.5", "-01", "0x10", "0b1", "0o7", "0X1F", "1h", "1d", "1f", "1L", "1n", "5USD", "$5", "5€", "£5", "5%"],
    *[".5", "5.", "..5", "5..", "1.2.3", "1..2", "0.", ".0", "1 .5", "1. 5"],
    *["١٢", "٣٫٥", "१२३", "１２", "５．５", "1２", "𝟙𝟚", "¹²", "①", "½", "Ⅷ", "五", "〇", "1\u0301", "๓"],
    *["1" * 32, "1" * 40, "9" * 400, "0." + "1" * 19, "0." + "0" * 40, "1" * 31 + "." + "1" * 19, "1" + "0" * 5000],
    *[
        "1/2",
        "1:2",
        "1*2",
        "1+1",
        "1;2",
        "[1]",
        "{1}",
        '"1"',
        "'1'",
        "1\\",
        "1#",
        "#1",
        "<1>",
        "&#49;",
        "%31",
        "1%00",
        "${1}",
        "{{1}}",
        "1--",
        "1 or 1=1",
    ],
]


def test_the_corpus_of_hostile_numerals_is_large_and_without_repetition():
    assert len(HOSTILE) == len(set(HOSTILE)) >= 150


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:24])
@pytest.mark.parametrize("decimals", [0, 18])
def test_what_is_not_a_plain_decimal_is_refused(text, decimals):
    with pytest.raises(InvalidAmount) as refused:
        money.parse_amount(text, decimals=decimals, field="amount")
    assert refused.value.field == "amount"
    assert len(str(refused.value)) < 400


@given(st.text())
def test_no_text_is_read_as_anything_but_what_its_digits_say(text):
    try:
        amount = money.parse_amount(text, decimals=18)
    except InvalidAmount:
        return
    assert text.isascii()
    assert f"{amount:f}" == text


@pytest.mark.parametrize(("text", "decimals"), [("49.999", 2), ("0.1", 0), ("0.001", 2), ("1.0000000000001", 12)])
def test_more_decimals_than_the_currency_has_are_refused(text, decimals):
    with pytest.raises(InvalidAmount, match=f"more than {decimals} decimals"):
        money.parse_amount(text, decimals=decimals)


# --- writing -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "places", "text"),
    [
        ("49.9900", None, "49.99"),
        ("49.9", 2, "49.90"),
        ("49.999", 2, "49.999"),
        ("5", 2, "5.00"),
        ("1E+3", None, "1000"),
        ("1E-18", None, "0.000000000000000001"),
        ("0E-18", None, "0"),
        ("-0.00", 2, "0.00"),
        ("100", None, "100"),
        ("100", 0, "100"),
        ("-12.50", None, "-12.5"),
    ],
)
def test_amounts_are_written_plainly(amount, places, text):
    assert money.plain(Decimal(amount), places=places) == text


def test_the_currencies_have_the_minor_units_of_iso_4217():
    assert {code: money.CURRENCIES[code] for code in ("USD", "EUR", "JPY", "KRW", "BHD", "KWD", "CLP")} == {
        "USD": 2,
        "EUR": 2,
        "JPY": 0,
        "KRW": 0,
        "BHD": 3,
        "KWD": 3,
        "CLP": 0,
    }
    assert all(len(code) == 3 and code.isupper() for code in money.CURRENCIES)
