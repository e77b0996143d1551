from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pepay_core.domain import money
from pepay_core.domain.assets import Address, AssetId, ChainId
from pepay_core.domain.chains import Block, Destination, Transfer
from pepay_core.domain.ids import InvoiceId, MerchantId, PaymentId, QuoteId
from pepay_core.domain.invoices import Action, Decision, LatePolicy, Resolution, Status, Terms, Timing, Tolerance, assess
from pepay_core.domain.payments import Mismatch, Payment, PaymentStatus, Quote

DEADLINE = datetime(2026, 11, 1, 13, tzinfo=UTC)
BEFORE, AFTER = DEADLINE - timedelta(minutes=30), DEADLINE + timedelta(minutes=30)
USDC = AssetId("eip155:1/erc20:0xa0b8")
QUOTE = Quote(QuoteId("quo_1"), InvoiceId("inv"), USDC, 6, Decimal(100), 100_000_000, Decimal(1), (), BEFORE, DEADLINE)
TERMS = Terms(Decimal(100), "USD", 2, DEADLINE, Tolerance(Decimal("0.5"), Decimal("0.10")))  # due 99.50, limit 100.50
HOLD = replace(TERMS, late_policy=LatePolicy.HOLD)

SEEN, FINAL, GONE = PaymentStatus.CONFIRMING, PaymentStatus.CONFIRMED, PaymentStatus.REVERTED


# 33.34 units are asked for 100 dollars, and worth 100.01 at the rate: sums of parts have something to lose.
ODD = replace(QUOTE, units=33_340_000, rate=Decimal("2.9997"))


def paid(dollars, status=FINAL, *, at=BEFORE, number=0, mismatch=None, rated=True, detected=None):
    """Return a payment of so many dollars, in USDC under the quote; without a rate it has no value."""
    block = Block(number + 1, "0x", at)
    transfer = Transfer(ChainId("eip155:1"), f"0x{number:04}", "0", USDC, Destination(Address("0x1")), int(Decimal(dollars) * 10**6), block)
    return Payment(
        PaymentId(f"pay_{number}"),
        InvoiceId("inv"),
        MerchantId("mer"),
        True,
        transfer,
        6,
        status,
        detected or at,
        confirmed_at=at if status is FINAL else None,
        quote=QUOTE.id if rated and mismatch is None else None,
        mismatch=mismatch,
    )


def look(*payments, terms=TERMS, decisions=(), covered=BEFORE, quote=QUOTE):
    return assess(terms, payments, {QUOTE.id: quote}, decisions, covered)


def decided(action, at=AFTER):
    return Decision(action, at)


# --- the table of states, row by row ------------------------------------------------------
# seen value, final value -> status before the deadline, status and resolution once the chains are covered past it

ROWS = [
    ([], Status.UNPAID, Status.EXPIRED, Resolution.NONE),
    ([paid("0.01", SEEN)], Status.UNDERPAID, Status.UNDERPAID, Resolution.PENDING),
    ([paid("50", SEEN)], Status.UNDERPAID, Status.UNDERPAID, Resolution.PENDING),
    ([paid("50")], Status.UNDERPAID, Status.UNDERPAID, Resolution.PENDING),
    ([paid("99.49")], Status.UNDERPAID, Status.UNDERPAID, Resolution.PENDING),
    ([paid("99.50", SEEN)], Status.PROCESSING, Status.PROCESSING, Resolution.NONE),
    ([paid("100", SEEN)], Status.PROCESSING, Status.PROCESSING, Resolution.NONE),
    ([paid("500", SEEN)], Status.PROCESSING, Status.PROCESSING, Resolution.NONE),
    ([paid("50"), paid("50", SEEN, number=1)], Status.PROCESSING, Status.PROCESSING, Resolution.NONE),
    ([paid("99.49"), paid("0.01", SEEN, number=1)], Status.PROCESSING, Status.PROCESSING, Resolution.NONE),
    ([paid("99.50")], Status.PAID, Status.PAID, Resolution.NONE),
    ([paid("100")], Status.PAID, Status.PAID, Resolution.NONE),
    ([paid("50"), paid("50", number=1)], Status.PAID, Status.PAID, Resolution.NONE),
    ([paid("100.50")], Status.PAID, Status.PAID, Resolution.NONE),
    ([paid("100"), paid("100", SEEN, number=1)], Status.PAID, Status.PAID, Resolution.NONE),
    ([paid("100.51")], Status.OVERPAID, Status.OVERPAID, Resolution.NONE),
    ([paid("100"), paid("100", number=1)], Status.OVERPAID, Status.OVERPAID, Resolution.NONE),
]
IDS = [" + ".join(f"{p.transfer.units / 10**6:g} {p.status}" for p in row[0]) or "nothing" for row in ROWS]


@pytest.mark.parametrize(("payments", "status"), [(row[0], row[1]) for row in ROWS], ids=IDS)
def test_the_status_before_the_deadline(payments, status):
    found = look(*payments)
    assert (found.status, found.timing, found.resolution) == (status, Timing.ON_TIME, Resolution.NONE)
    assert found.fulfil is (status in {Status.PAID, Status.OVERPAID})


@pytest.mark.parametrize(("payments", "status", "resolution"), [(row[0], row[2], row[3]) for row in ROWS], ids=IDS)
def test_the_status_once_the_chains_are_covered_past_the_deadline(payments, status, resolution):
    found = look(*payments, covered=AFTER)
    assert (found.status, found.timing, found.resolution) == (status, Timing.ON_TIME, resolution)
    assert found.fulfil is (status in {Status.PAID, Status.OVERPAID})


# --- late money ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payments", "status", "timing", "resolution"),
    [
        ([paid("100", at=AFTER)], Status.PAID, Timing.LATE, Resolution.NONE),
        ([paid("100", SEEN, at=AFTER)], Status.PROCESSING, Timing.LATE, Resolution.NONE),
        ([paid("200", at=AFTER)], Status.OVERPAID, Timing.LATE, Resolution.NONE),
        ([paid("50"), paid("50", at=AFTER, number=1)], Status.PAID, Timing.LATE, Resolution.NONE),
        ([paid("50", at=AFTER)], Status.UNDERPAID, Timing.LATE, Resolution.PENDING),
        # The money that decided came in time: what came later makes nothing late.
        ([paid("100"), paid("0.20", at=AFTER, number=1)], Status.PAID, Timing.ON_TIME, Resolution.NONE),
        ([paid("100"), paid("9", at=AFTER, number=1)], Status.OVERPAID, Timing.ON_TIME, Resolution.NONE),
    ],
)
def test_late_money_counts_where_the_merchant_accepts_it(payments, status, timing, resolution):
    found = look(*payments, covered=AFTER)
    assert (found.status, found.timing, found.resolution) == (status, timing, resolution)


@pytest.mark.parametrize(
    ("payments", "status", "timing"),
    [
        ([paid("100", at=AFTER)], Status.EXPIRED, Timing.LATE),
        ([paid("100", SEEN, at=AFTER)], Status.EXPIRED, Timing.LATE),
        ([paid("50"), paid("50", at=AFTER, number=1)], Status.UNDERPAID, Timing.LATE),
        ([paid("100"), paid("9", at=AFTER, number=1)], Status.PAID, Timing.ON_TIME),
        ([paid("100", at=DEADLINE), paid("9", at=AFTER, number=1)], Status.PAID, Timing.ON_TIME),
    ],
)
def test_late_money_waits_for_a_decision_where_the_merchant_holds_it(payments, status, timing):
    found = look(*payments, terms=HOLD, covered=AFTER)
    assert (found.status, found.timing, found.resolution) == (status, timing, Resolution.PENDING)
    assert found.fulfil is (status is Status.PAID)


def test_held_money_is_shown_as_received_and_fulfils_once_it_is_accepted():
    held = look(paid("100", at=AFTER), terms=HOLD, covered=AFTER)
    assert (held.amount_paid, held.amount_remaining, held.fulfil) == (100, 0, False)
    accepted = look(paid("100", at=AFTER), terms=HOLD, covered=AFTER, decisions=[decided(Action.ACCEPT)])
    assert (accepted.status, accepted.timing, accepted.resolution, accepted.fulfil) == (Status.EXPIRED, Timing.LATE, Resolution.ACCEPTED, True)


@pytest.mark.parametrize(("seconds", "timing"), [(-1, Timing.ON_TIME), (0, Timing.ON_TIME), (1, Timing.LATE)])
def test_a_payment_is_late_by_the_time_of_its_block_and_not_by_when_it_was_seen(seconds, timing):
    payment = paid("100", at=DEADLINE + timedelta(seconds=seconds), detected=AFTER)
    assert look(payment, covered=AFTER).timing is timing


# --- expiry is a matter of coverage ---------------------------------------------------------


@pytest.mark.parametrize(("covered", "status"), [(-1, Status.UNPAID), (0, Status.UNPAID), (1, Status.EXPIRED)])
def test_an_invoice_expires_when_its_chains_are_covered_past_its_deadline_and_not_before(covered, status):
    assert look(covered=DEADLINE + timedelta(seconds=covered)).status is status


def test_a_payment_found_after_the_expiry_pays_it_on_time_if_its_block_was_in_time():
    assert look(covered=AFTER).status is Status.EXPIRED
    found = look(paid("100", detected=AFTER), covered=AFTER)
    assert (found.status, found.timing, found.fulfil) == (Status.PAID, Timing.ON_TIME, True)


# --- amounts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payments", "received", "remaining", "over"),
    [
        ([], "0", "100", "0"),
        ([paid("40")], "40", "60", "0"),
        ([paid("40", SEEN)], "0", "60", "0"),
        ([paid("40"), paid("30", SEEN, number=1)], "40", "30", "0"),
        ([paid("99.50", SEEN)], "0", "0", "0"),
        ([paid("99.50")], "99.50", "0", "0"),
        ([paid("100.50")], "100.50", "0", "0"),
        ([paid("100.51")], "100.51", "0", "0.51"),
        ([paid("250"), paid("10", SEEN, number=1)], "250", "0", "150"),
        ([paid("40", GONE)], "0", "100", "0"),
    ],
)
def test_what_is_paid_is_final_and_what_remains_is_less_by_everything_seen(payments, received, remaining, over):
    found = look(*payments)
    assert (found.amount_paid, found.amount_remaining, found.amount_overpaid) == (Decimal(received), Decimal(remaining), Decimal(over))


# --- money that does not count ------------------------------------------------------------------


@pytest.mark.parametrize("mismatch", list(Mismatch))
@pytest.mark.parametrize("status", [SEEN, FINAL])
def test_money_in_a_wrong_asset_never_counts_and_asks_for_a_decision(mismatch, status):
    found = look(paid("100", status, mismatch=mismatch))
    assert (found.status, found.resolution, found.fulfil) == (Status.UNPAID, Resolution.PENDING, False)
    assert (found.amount_paid, found.amount_remaining, found.amount_overpaid) == (0, 100, 0)


def test_a_paid_invoice_stays_paid_when_money_in_a_wrong_asset_comes_too():
    found = look(paid("100"), paid("5", number=1, mismatch=Mismatch.WRONG_ASSET))
    assert (found.status, found.resolution, found.fulfil) == (Status.PAID, Resolution.PENDING, True)


def test_money_whose_rate_is_not_known_is_not_taken_for_nothing():
    found = look(paid("100", rated=False))
    assert (found.status, found.resolution, found.amount_paid) == (Status.UNPAID, Resolution.PENDING, 0)
    assert found.values == {"pay_0": None}


# --- reorganisations ------------------------------------------------------------------------------


@pytest.mark.parametrize(("covered", "status"), [(BEFORE, Status.UNPAID), (AFTER, Status.EXPIRED)])
def test_a_reorganisation_takes_everything_back(covered, status):
    found = look(paid("60", GONE), paid("60", GONE, number=1), paid("60", GONE, number=2, mismatch=Mismatch.WRONG_ASSET), covered=covered)
    assert (found.status, found.resolution, found.fulfil) == (status, Resolution.NONE, False)
    assert (found.amount_paid, found.amount_remaining) == (0, 100)


def test_what_is_left_after_a_reorganisation_still_counts():
    assert look(paid("100", GONE), paid("40", number=1)).status is Status.UNDERPAID


# --- decisions --------------------------------------------------------------------------------------


def test_a_canceled_invoice_is_canceled_whatever_the_time_is():
    for covered in (BEFORE, AFTER):
        found = look(decisions=[decided(Action.CANCEL, BEFORE)], covered=covered)
        assert (found.status, found.resolution, found.fulfil) == (Status.CANCELED, Resolution.NONE, False)


def test_money_for_a_canceled_invoice_waits_for_a_decision():
    canceled = decided(Action.CANCEL, BEFORE)
    found = look(paid("100"), decisions=[canceled])
    assert (found.status, found.resolution, found.fulfil) == (Status.CANCELED, Resolution.PENDING, False)
    accepted = look(paid("100"), decisions=[canceled, decided(Action.ACCEPT)])
    assert (accepted.status, accepted.resolution, accepted.fulfil) == (Status.CANCELED, Resolution.ACCEPTED, True)


@pytest.mark.parametrize(
    ("action", "resolution", "fulfil"),
    [(Action.ACCEPT, Resolution.ACCEPTED, True), (Action.WRITE_OFF, Resolution.WRITTEN_OFF, False), (Action.REFUND, Resolution.REFUNDED, False)],
)
def test_a_decision_resolves_an_underpaid_invoice(action, resolution, fulfil):
    found = look(paid("50"), decisions=[decided(action)], covered=AFTER)
    assert (found.status, found.resolution, found.fulfil) == (Status.UNDERPAID, resolution, fulfil)


@pytest.mark.parametrize(
    ("action", "resolution"),
    [(Action.ACCEPT, Resolution.ACCEPTED), (Action.WRITE_OFF, Resolution.PENDING), (Action.REFUND, Resolution.PENDING)],
)
def test_money_after_a_decision_asks_for_another_unless_everything_was_accepted(action, resolution):
    later = paid("10", number=1, at=AFTER + timedelta(hours=1))
    assert look(paid("50"), later, decisions=[decided(action)], covered=AFTER).resolution is resolution


def test_the_last_decision_counts():
    decisions = [decided(Action.WRITE_OFF), decided(Action.ACCEPT, AFTER + timedelta(hours=1))]
    assert look(paid("50"), decisions=decisions, covered=AFTER).resolution is Resolution.ACCEPTED


# --- tolerance -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "percent", "fixed", "tolerance"),
    [
        ("100", "0.5", "0.10", "0.50"),
        ("10", "0.5", "0.10", "0.10"),
        ("1", "0.5", "0.10", "0.05"),
        ("0.01", "0.5", "0.10", "0.0005"),
        ("100", "0", "0", "0"),
        ("100", "50", "0", "5"),
        ("100", "0", "99", "5"),
    ],
)
def test_the_tolerance_is_the_larger_of_both_and_at_most_five_percent(amount, percent, fixed, tolerance):
    assert Tolerance(Decimal(percent), Decimal(fixed)).of(Decimal(amount)) == Decimal(tolerance)


CENTS = st.integers(1, 10**8).map(lambda units: Decimal(units).scaleb(-2))
SHARES = st.decimals(min_value=0, max_value=1000, places=4)


@given(CENTS, SHARES, SHARES)
def test_however_a_tolerance_is_configured_something_is_due(amount, percent, fixed):
    terms = Terms(amount, "USD", 2, DEADLINE, Tolerance(percent, fixed))
    assert Decimal(0) < money.multiply(amount, Decimal("0.95")) <= terms.due <= amount <= terms.limit


# --- properties --------------------------------------------------------------------------------------

QUOTES = st.sampled_from([QUOTE, ODD])
TERMS_OF_ALL_KINDS = st.sampled_from([TERMS, HOLD])
MOMENTS = st.sampled_from([BEFORE, DEADLINE, DEADLINE + timedelta(microseconds=1), AFTER])
PARTS = st.builds(
    lambda units, status, at, mismatch, rated: (Decimal(units).scaleb(-6), status, at, mismatch, rated),
    st.one_of(st.integers(1, 200 * 10**6), st.sampled_from([10**8, 33_340_000, 33_170_000, 3_333, 5 * 10**7, 99_500_000, 100_500_000, 1])),
    st.sampled_from(PaymentStatus),
    MOMENTS,
    st.sampled_from([None, None, None, *Mismatch]),
    st.sampled_from([True, True, True, False]),
)
PAYMENTS = st.lists(PARTS, max_size=5).map(lambda parts: [paid(a, s, at=t, number=n, mismatch=m, rated=r) for n, (a, s, t, m, r) in enumerate(parts)])
DECISIONS = st.lists(st.builds(Decision, st.sampled_from(Action), MOMENTS), max_size=3)


@given(QUOTES, TERMS_OF_ALL_KINDS, PAYMENTS, DECISIONS, MOMENTS, st.randoms(use_true_random=False))
def test_the_order_of_the_payments_means_nothing(quote, terms, payments, decisions, covered, random):
    shuffled = payments.copy()
    random.shuffle(shuffled)
    assert look(*shuffled, terms=terms, decisions=decisions, covered=covered, quote=quote) == look(
        *payments, terms=terms, decisions=decisions, covered=covered, quote=quote
    )


@given(QUOTES, TERMS_OF_ALL_KINDS, PAYMENTS, PARTS, MOMENTS)
def test_a_further_final_payment_never_lowers_what_is_paid(quote, terms, payments, part, covered):
    amount, _, at, mismatch, rated = part
    further = paid(amount, FINAL, at=at, number=99, mismatch=mismatch, rated=rated)
    before, after = look(*payments, terms=terms, covered=covered, quote=quote), look(*payments, further, terms=terms, covered=covered, quote=quote)
    assert after.amount_paid >= before.amount_paid
    assert after.amount_remaining <= before.amount_remaining
    assert after.amount_overpaid >= before.amount_overpaid
    assert after.fulfil >= before.fulfil


@given(QUOTES, TERMS_OF_ALL_KINDS, PAYMENTS, MOMENTS)
def test_only_final_money_pays(quote, terms, payments, covered):
    found = look(*payments, terms=terms, covered=covered, quote=quote)
    only_final = look(*(p for p in payments if p.final), terms=terms, covered=covered, quote=quote)
    if found.status in {Status.PAID, Status.OVERPAID}:
        assert found.amount_paid >= terms.due
        assert only_final.status is found.status
    assert found.amount_paid == only_final.amount_paid


@given(QUOTES, TERMS_OF_ALL_KINDS, PAYMENTS, DECISIONS, MOMENTS)
def test_nothing_expires_before_its_chains_are_covered_past_the_deadline(quote, terms, payments, decisions, covered):
    if look(*payments, terms=terms, decisions=decisions, covered=covered, quote=quote).status is Status.EXPIRED:
        assert covered > DEADLINE


@given(QUOTES, TERMS_OF_ALL_KINDS, PAYMENTS, MOMENTS)
def test_when_everything_is_reverted_it_is_as_if_nothing_had_come(quote, terms, payments, covered):
    gone = look(*(replace(p, status=GONE) for p in payments), terms=terms, covered=covered, quote=quote)
    nothing = look(terms=terms, covered=covered, quote=quote)
    assert replace(gone, values={}) == nothing


@given(QUOTES, TERMS_OF_ALL_KINDS, PAYMENTS, DECISIONS, MOMENTS)
def test_a_shop_fulfils_exactly_what_is_paid_or_accepted(quote, terms, payments, decisions, covered):
    found = look(*payments, terms=terms, decisions=decisions, covered=covered, quote=quote)
    assert found.fulfil is (found.status in {Status.PAID, Status.OVERPAID} or found.resolution is Resolution.ACCEPTED)
    if not decisions and found.fulfil:
        assert found.amount_paid >= terms.due


@given(QUOTES, TERMS_OF_ALL_KINDS, PAYMENTS, DECISIONS, MOMENTS)
def test_money_that_does_not_count_changes_nothing_but_the_resolution(quote, terms, payments, decisions, covered):
    counted = [p for p in payments if p.mismatch is None]
    found = look(*payments, terms=terms, decisions=decisions, covered=covered, quote=quote)
    without = look(*counted, terms=terms, decisions=decisions, covered=covered, quote=quote)
    assert replace(found, resolution=without.resolution, values={}) == replace(without, values={})


@given(QUOTES, PAYMENTS, DECISIONS, MOMENTS)
def test_held_money_decides_nothing_by_itself(quote, payments, decisions, covered):
    in_time = [p for p in payments if p.transfer.block.time <= DEADLINE]
    found = look(*payments, terms=HOLD, decisions=decisions, covered=covered, quote=quote)
    assert found.status is look(*in_time, terms=HOLD, decisions=decisions, covered=covered, quote=quote).status


@given(QUOTES, TERMS_OF_ALL_KINDS, PAYMENTS, DECISIONS, MOMENTS)
def test_the_values_of_the_payments_add_up_to_the_amounts(quote, terms, payments, decisions, covered):
    found = look(*payments, terms=terms, decisions=decisions, covered=covered, quote=quote)
    counted = [(p, value) for p in payments if p.counts and (value := found.values[p.id]) is not None]
    assert found.amount_paid == money.add(*(value for p, value in counted if p.final))
    if found.amount_remaining:
        assert found.amount_remaining == money.subtract(terms.amount, money.add(*(value for _, value in counted)))
    assert not (found.amount_remaining and found.amount_overpaid)


@given(QUOTES, TERMS_OF_ALL_KINDS, PAYMENTS, DECISIONS, MOMENTS)
def test_whatever_waits_for_a_decision_is_marked(quote, terms, payments, decisions, covered):
    found = look(*payments, terms=terms, decisions=decisions, covered=covered, quote=quote)
    stray = any(p.active and p.mismatch is not None for p in payments)
    if stray and not any(each.action is not Action.CANCEL for each in decisions):
        assert found.resolution is Resolution.PENDING
