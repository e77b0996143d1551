from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pepay_core.domain import ids

TIMES = st.integers(0, 2**48 - 1)
RANDOM = st.integers(0, 2**80 - 1)


@given(TIMES, RANDOM, TIMES, RANDOM)
def test_ids_sort_as_their_times_do(early, one, late, other):
    first, second = ids.make_id(ids.INVOICE, early, one), ids.make_id(ids.INVOICE, late, other)
    assert (first < second) == ((early, one) < (late, other))


@given(TIMES, RANDOM, TIMES, RANDOM)
def test_different_moments_or_randomness_give_different_ids(early, one, late, other):
    assert (ids.make_id("inv", early, one) == ids.make_id("inv", late, other)) == ((early, one) == (late, other))


@given(TIMES, RANDOM)
def test_an_id_has_its_prefix_and_26_characters_and_is_recognised(at, randomness):
    text = ids.make_id(ids.PAYMENT, at, randomness)
    assert len(text) == 30
    assert ids.is_id(ids.PAYMENT, text)
    assert not ids.is_id(ids.INVOICE, text)


def test_more_bits_than_fit_are_cut_and_do_not_reach_into_the_time():
    assert ids.make_id("inv", 5, 2**80) == ids.make_id("inv", 5, 0)
    assert ids.make_id("inv", 2**48 + 5, 1) == ids.make_id("inv", 5, 1)


VALID = ids.make_id("inv", 1, 1)


@pytest.mark.parametrize(
    "text",
    [
        *["", "inv", "inv_", "_", VALID[:-1], VALID + "0", VALID + "\n", " " + VALID, VALID.upper(), VALID.replace("_", "-")],
        *[
            "inv_" + "i" * 26,
            "inv_" + "l" * 26,
            "inv_" + "o" * 26,
            "inv_" + "u" * 26,
            "inv_" + "\u0661" * 26,
            "inv_" + "%00" * 8 + "ab",
            "../" + VALID,
        ],
    ],
)
def test_what_is_no_id_is_not_taken_for_one(text):
    assert not ids.is_id("inv", text)


@given(st.text())
def test_any_text_may_be_asked_about(text):
    assert ids.is_id("inv", text) is False


def test_no_two_kinds_of_object_share_a_prefix():
    prefixes = [ids.INVOICE, ids.PAYMENT, ids.EVENT, ids.ENDPOINT, ids.DELIVERY, ids.KEY, ids.MERCHANT, ids.WALLET, ids.QUOTE]
    assert len(set(prefixes)) == len(prefixes)
    assert all(len(prefix) == 3 and prefix.isalpha() and prefix.islower() for prefix in prefixes)
