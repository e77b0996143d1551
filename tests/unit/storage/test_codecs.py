"""JSON text that is stored reads back as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pepay_core.domain import money
from pepay_core.domain.errors import InvalidInput
from pepay_core.domain.invoices import Action, Decision
from pepay_core.domain.rates import Evidence
from pepay_core.storage.codecs import from_amount, from_decisions, from_evidence, from_json, to_amount, to_decisions, to_evidence, to_json

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.text(),
    # What JSON's own decoder makes a Decimal of: numbers with a fraction or an exponent.
    st.decimals(allow_nan=False, allow_infinity=False).filter(lambda each: not str(each).lstrip("-").isdigit()),
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12)


@given(value=values)
def test_any_json_reads_back_as_it_was_digit_by_digit(value):
    found = from_json(to_json(value))
    assert found == value
    assert repr(found) == repr(value)


@given(value=values)
def test_what_is_written_is_ascii_without_control_characters(value):
    text = to_json(value)
    assert text.isascii()
    assert text.isprintable()


@pytest.mark.parametrize(
    "value", [Decimal("NaN"), Decimal("Infinity"), float("nan"), object(), {"a": [b"bytes"]}, "\ud800".encode(errors="surrogatepass")]
)
def test_what_json_cannot_say_is_refused(value):
    with pytest.raises(InvalidInput):
        to_json(value)


def test_half_a_character_is_kept_as_an_escape():
    assert from_json(to_json({"\ud800": "\x00"})) == {"\ud800": "\x00"}


@given(amount=st.decimals(min_value=0, allow_nan=False, allow_infinity=False, places=18) | st.sampled_from([Decimal("1E+3"), Decimal("1E-30")]))
def test_an_amount_has_one_spelling(amount):
    text = to_amount(amount)
    assert text is not None
    assert from_amount(text) == amount
    assert "E" not in text
    assert to_amount(money.multiply(amount, Decimal("1.000"))) == text
    assert to_amount(None) is None


def test_evidence_keeps_numbers_that_are_none():
    at = datetime(2026, 11, 1, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=2)))
    (found,) = from_evidence(to_evidence([Evidence("x", Decimal("NaN"), at, "invalid")]))
    assert (found.provider, str(found.value), found.at, found.dropped) == ("x", "NaN", at, "invalid")
    assert found.at.tzinfo is UTC


def test_decisions_read_back_as_they_were():
    decisions = (
        Decision(Action.CANCEL, datetime(2026, 11, 1, tzinfo=UTC), 'because "so"', "key_1"),
        Decision(Action.REFUND, datetime(2026, 11, 2, tzinfo=UTC)),
    )
    assert from_decisions(to_decisions(decisions)) == decisions
