from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pepay_core.domain.events import INVOICE_PARTIAL_PAYMENT, TYPES, envelope, is_filter, matches
from pepay_core.domain.invoices import Status

KINDS = st.sampled_from(TYPES)


@pytest.mark.parametrize(
    ("filters", "kind", "told"),
    [
        (("*",), "invoice.paid", True),
        (("invoice.*",), "invoice.paid", True),
        (("invoice.*",), "payment.detected", False),
        (("invoice.paid",), "invoice.paid", True),
        (("invoice.paid",), "invoice.overpaid", False),
        (("payment.*", "invoice.paid"), "invoice.paid", True),
        ((), "invoice.paid", False),
        (("*",), INVOICE_PARTIAL_PAYMENT, False),
        (("invoice.*",), INVOICE_PARTIAL_PAYMENT, False),
        (("*", INVOICE_PARTIAL_PAYMENT), INVOICE_PARTIAL_PAYMENT, True),
    ],
)
def test_an_endpoint_is_told_what_its_filters_name(filters, kind, told):
    assert matches(filters, kind) is told


@given(KINDS)
def test_every_type_is_a_filter_for_itself(kind):
    assert is_filter(kind)
    assert matches((kind,), kind)


@given(KINDS, KINDS)
def test_a_type_by_its_name_matches_no_other(kind, other):
    assert matches((kind,), other) is (kind == other)


@pytest.mark.parametrize("text", ["*", "invoice.*", "payment.*", "conversion.*", "refund.*", "chain.*", "webhook.*", "test.*"])
def test_prefixes_of_types_are_filters(text):
    assert is_filter(text)
    assert any(matches((text,), kind) for kind in TYPES)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "**",
        "*.*",
        ".*",
        "inv.*",
        "invoice.",
        "invoice",
        "invoice*",
        "invoice.p*",
        "invoice.paid.*",
        "*.paid",
        "Invoice.paid",
        "invoice.paid ",
        "nothing.*",
    ],
)
def test_what_would_match_nothing_is_no_filter(text):
    assert not is_filter(text)


@given(st.text(), KINDS)
def test_a_text_that_is_no_filter_matches_nothing(text, kind):
    if not is_filter(text):
        assert not matches((text,), kind)


def test_every_status_that_an_invoice_can_reach_has_its_event():
    assert {f"invoice.{status}" for status in Status if status is not Status.UNPAID} <= set(TYPES)


def test_no_type_is_listed_twice():
    assert len(TYPES) == len(set(TYPES))


def test_the_envelope_has_the_object_as_it_is_and_what_it_was():
    created = datetime(2025, 12, 21, 12, 10, 0, 999_999, tzinfo=UTC)
    obj = {"object": "invoice", "id": "inv_1", "status": "paid"}
    assert envelope("evt_1", "invoice.paid", "mer_1", livemode=False, created=created, obj=obj, previous={"status": "processing"}) == {
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-11-01",
        "type": "invoice.paid",
        "created": 1766319000,
        "livemode": False,
        "merchant": "mer_1",
        "data": {"object": obj, "previous_attributes": {"status": "processing"}},
    }
