from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pepay_core.domain import money
from pepay_core.domain.assets import Address, AssetId, ChainId, Token
from pepay_core.domain.chains import Block, Destination, Transfer
from pepay_core.domain.ids import InvoiceId, MerchantId, PaymentId, QuoteId
from pepay_core.domain.payments import Mismatch, Payment, PaymentStatus, Quote, valued, worth
from pepay_core.domain.rates import round_rate

T0 = datetime(2026, 11, 1, 12, tzinfo=UTC)
ETH = Token(AssetId("eip155:1/slip44:60"), "ETH", 18, "ethereum")
USDC = Token(AssetId("eip155:1/erc20:0xa0b8"), "USDC", 6, "usd-coin")
QUOTE = QuoteId("quo_1")

MINOR = st.integers(0, 4)
VALUES = st.builds(lambda units, minor: (Decimal(units).scaleb(-minor), minor), st.integers(1, 10**8), MINOR)
RATES = st.builds(lambda digits, power: round_rate(Decimal(digits).scaleb(power)), st.integers(1, 10**9), st.integers(-14, 9))
TOKENS = st.sampled_from(
    [ETH, USDC, Token(AssetId("eip155:1/erc20:0x01"), "ODD", 0, "odd"), Token(AssetId("eip155:1/erc20:0x24"), "FINE", 24, "fine")]
)
STATUSES = st.sampled_from([PaymentStatus.CONFIRMING, PaymentStatus.CONFIRMED])


def quoted(value, rate, token=ETH):
    """Return the quote that a buyer is shown: rounded up to a step."""
    asked = money.round_up_to_step(money.divide(Decimal(value), Decimal(rate)), token.step)
    units = money.to_base_units(asked, token.decimals)
    return Quote(QUOTE, InvoiceId("inv"), token.id, token.decimals, Decimal(value), units, Decimal(rate), (), T0, T0 + timedelta(minutes=15))


def paid(number, units, *, token=ETH, status=PaymentStatus.CONFIRMED, quote=QUOTE, rate=None, mismatch=None, height=None):
    block = Block(number if height is None else height, "0x", T0)
    transfer = Transfer(ChainId("eip155:1"), f"0x{number:04}", "0", token.id, Destination(Address("0x1")), units, block)
    at = T0 + timedelta(seconds=number)
    confirmed = at if status is PaymentStatus.CONFIRMED else None
    fields = {"quote": quote, "rate": rate, "mismatch": mismatch, "confirmed_at": confirmed}
    return Payment(PaymentId(f"pay_{number}"), InvoiceId("inv"), MerchantId("mer"), True, transfer, token.decimals, status, T0, **fields)


def total(values):
    return money.add(*(value for value in values.values() if value is not None))


# --- one quote -------------------------------------------------------------------------


@given(VALUES, RATES, TOKENS)
def test_the_exact_amount_that_was_asked_is_worth_exactly_the_quoted_value(value, rate, token):
    amount, minor = value
    quote = quoted(amount, rate, token)
    assert worth(quote, quote.units, minor) == amount


@given(VALUES, RATES, TOKENS)
def test_one_base_unit_less_is_not_worth_more(value, rate, token):
    amount, minor = value
    quote = quoted(amount, rate, token)
    assert worth(quote, quote.units - 1, minor) <= amount


@given(VALUES, RATES, TOKENS, st.integers(0, 10**30), st.integers(0, 10**30))
def test_more_is_never_worth_less(value, rate, token, units, more):
    amount, minor = value
    quote = quoted(amount, rate, token)
    assert 0 <= worth(quote, units, minor) <= worth(quote, units + more, minor)


@given(VALUES, RATES, TOKENS, st.integers(0, 10**30))
def test_nobody_is_credited_more_than_the_rate_says_nor_a_minor_unit_less(value, rate, token, units):
    amount, minor = value
    quote = quoted(amount, rate, token)
    market = Fraction(units, 10**token.decimals) * Fraction(rate)
    credit = Fraction(worth(quote, units, minor))
    assert credit <= market
    # What rounding up added to the request is nobody's credit.
    added = Fraction(quote.units, 10**token.decimals) * Fraction(rate) - Fraction(amount)
    assert market - credit < added + Fraction(1, 10**minor)


def test_what_is_paid_beyond_the_quote_counts_at_its_rate():
    quote = quoted("49.99", "2500")  # 0.019996 ETH, asked as 0.02
    assert quote.units == 2 * 10**16
    assert worth(quote, 2 * 10**16, 2) == Decimal("49.99")
    assert worth(quote, 3 * 10**16, 2) == Decimal("74.99")


def test_what_rounding_added_to_the_request_is_no_overpayment():
    quote = quoted("1.00", "0.9998", USDC)  # 1.0002…, asked as 1.01
    assert quote.units == 1_010_000
    assert [worth(quote, units, 2) for units in (1_000_200, 1_000_201, 1_005_000, 1_010_000)] == [Decimal("0.99"), 1, 1, 1]


def test_a_quote_that_asks_for_a_little_too_little_is_still_paid_by_what_it_asks():
    quote = replace(quoted("100", "3"), units=33 * 10**18)
    assert worth(quote, 33 * 10**18, 2) == 100


# --- several payments -------------------------------------------------------------------


PARTS = st.lists(st.tuples(st.integers(1, 10**19), STATUSES), min_size=1, max_size=6)


@given(VALUES, RATES, PARTS)
def test_payments_under_one_quote_are_worth_together_what_their_sum_is_worth(value, rate, parts):
    amount, minor = value
    quote = quoted(amount, rate)
    payments = [paid(number, units, status=status) for number, (units, status) in enumerate(parts)]
    values = valued(payments, {QUOTE: quote}, minor)
    assert total(values) == worth(quote, sum(units for units, _ in parts), minor)
    assert all(each >= 0 for each in values.values())


@given(VALUES, RATES, PARTS)
def test_final_payments_are_worth_together_what_their_sum_is_worth_whatever_else_is_on_the_way(value, rate, parts):
    amount, minor = value
    quote = quoted(amount, rate)
    payments = [paid(number, units, status=status) for number, (units, status) in enumerate(parts)]
    values = valued(payments, {QUOTE: quote}, minor)
    final = [payment for payment in payments if payment.final]
    assert money.add(*(values[payment.id] for payment in final)) == worth(quote, sum(p.transfer.units for p in final), minor)


@given(VALUES, RATES, PARTS, st.integers(1, 10**19))
def test_what_is_final_keeps_its_value_when_more_becomes_final(value, rate, parts, units):
    amount, minor = value
    quote = quoted(amount, rate)
    payments = [paid(number, each, status=status) for number, (each, status) in enumerate(parts)]
    before = valued(payments, {QUOTE: quote}, minor)
    after = valued([*payments, paid(99, units, height=0)], {QUOTE: quote}, minor)
    assert {payment.id: after[payment.id] for payment in payments if payment.final} == {p.id: before[p.id] for p in payments if p.final}


@given(VALUES, RATES, PARTS, st.randoms(use_true_random=False))
def test_the_order_in_which_payments_are_given_means_nothing(value, rate, parts, random):
    amount, minor = value
    payments = [paid(number, units, status=status) for number, (units, status) in enumerate(parts)]
    shuffled = payments.copy()
    random.shuffle(shuffled)
    quotes = {QUOTE: quoted(amount, rate)}
    assert valued(shuffled, quotes, minor) == valued(payments, quotes, minor)


@given(VALUES, RATES, st.integers(1, 10**18))
def test_a_rest_paid_at_the_locked_rate_completes_the_amount(value, rate, first):
    amount, minor = value
    quote = quoted(amount, rate)
    first = min(first, quote.units)
    so_far = worth(quote, first, minor)
    if so_far == amount:
        return
    rest = replace(quoted(amount - so_far, rate), id=QuoteId("quo_2"), remainder=True)
    payments = [paid(1, first), paid(2, rest.units, quote=rest.id)]
    assert total(valued(payments, {QUOTE: quote, rest.id: rest}, minor)) == amount


def test_a_payment_that_left_the_chain_is_worth_nothing_and_leaves_its_place_to_the_others():
    quote = quoted("100", "2500")
    payments = [paid(1, quote.units, status=PaymentStatus.REVERTED), paid(2, quote.units)]
    assert valued(payments, {QUOTE: quote}, 2) == {"pay_1": 0, "pay_2": 100}


def test_a_payment_without_a_quote_is_worth_its_rate_rounded_down():
    values = valued([paid(1, 333_333_333_333_333, quote=None, rate=Decimal("2500.55"))], {}, 2)
    assert values == {"pay_1": Decimal("0.83")}


def test_a_payment_without_a_rate_has_no_value_and_not_the_value_zero():
    assert valued([paid(1, 10**18, quote=None)], {}, 2) == {"pay_1": None}
    assert valued([paid(1, 10**18, quote=QuoteId("quo_gone"))], {}, 2) == {"pay_1": None}


def test_a_quote_is_good_for_its_own_asset_only():
    quote = quoted("100", "1", USDC)  # 100_000_000 base units of six decimals: next to nothing in an asset that has eighteen
    assert valued([paid(1, quote.units, token=ETH)], {QUOTE: quote}, 2) == {"pay_1": None}
    assert valued([paid(1, quote.units, token=ETH, rate=Decimal(2500))], {QUOTE: quote}, 2) == {"pay_1": 0}


def test_a_payment_that_does_not_count_uses_up_nothing_of_a_quote():
    quote = quoted("49.99", "2500")
    stray = paid(1, quote.units, mismatch=Mismatch.WRONG_ENVIRONMENT, rate=Decimal(2400))
    values = valued([stray, paid(2, quote.units)], {QUOTE: quote}, 2)
    assert values == {"pay_1": 48, "pay_2": Decimal("49.99")}


# --- what a payment says of itself --------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "mismatch", "active", "final", "counts"),
    [
        (PaymentStatus.CONFIRMING, None, True, False, True),
        (PaymentStatus.CONFIRMED, None, True, True, True),
        (PaymentStatus.REVERTED, None, False, False, False),
        (PaymentStatus.CONFIRMED, Mismatch.WRONG_ASSET, True, True, False),
        (PaymentStatus.REVERTED, Mismatch.WRONG_ENVIRONMENT, False, False, False),
    ],
)
def test_what_is_on_the_chain_final_and_counted(status, mismatch, active, final, counts):
    payment = paid(1, 1, status=status, mismatch=mismatch)
    assert (payment.active, payment.final, payment.counts) == (active, final, counts)


@pytest.mark.parametrize("units", [0, -1, 1.0, True, "1", None, Decimal(1), 2**256])
def test_a_transfer_of_anything_but_positive_base_units_cannot_exist(units):
    with pytest.raises(TypeError):
        paid(1, units)
