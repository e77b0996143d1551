"""Every event type is documented, and those that nothing sends are said to be such."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from documentation import ROOT, code, page

from pepay_core.domain.events import LITERAL_ONLY, TYPES, envelope, is_filter, matches

EVENTS = page("reference/events.md")
SENT = [code(row[0]) for row in EVENTS.rows("Types")]
RESERVED = [code(row[0]) for row in EVENTS.rows("Reserved")]
OBJECTS = {"invoice", "payment", "refund", "chain", "webhook_endpoint"}


def test_every_event_type_is_documented_once():
    missing, stale = set(TYPES) - {*SENT, *RESERVED}, {*SENT, *RESERVED} - set(TYPES)

    assert not missing, f"docs/reference/events.md: document {sorted(missing)}"
    assert not stale, f"docs/reference/events.md: {sorted(stale)} is no event type any more"
    assert len(SENT) + len(RESERVED) == len(TYPES)


def test_a_type_says_when_it_is_sent_and_what_its_object_is():
    assert all(when and kind in OBJECTS for _, when, kind in EVENTS.rows("Types"))


def test_nothing_sends_a_type_that_is_said_to_be_reserved():
    sources = [path for path in (ROOT / "pepay_core").rglob("*.py") if path.name != "events.py"]

    senders = {kind: [path.name for path in sources if f'"{kind}"' in path.read_text(encoding="utf-8")] for kind in RESERVED}

    assert not any(senders.values()), f"say in docs/reference/events.md when these are sent: {senders}"


def test_the_envelope_that_is_shown_has_the_members_of_the_real_one():
    (shown,) = (json.loads(each.code) for each in EVENTS.blocks("json"))
    made = envelope(
        shown["id"],
        shown["type"],
        shown["merchant"],
        livemode=False,
        created=datetime.fromtimestamp(shown["created"], UTC),
        obj=shown["data"]["object"],
        previous=shown["data"]["previous_attributes"],
    )

    assert made == shown


def test_what_an_endpoint_may_choose_is_as_the_page_says():
    assert is_filter("invoice.*")
    assert is_filter("*")
    assert {"invoice.partial_payment"} == LITERAL_ONLY
    assert "`invoice.partial_payment` is covered by neither" in EVENTS.text
    assert not matches(("*", "invoice.*"), "invoice.partial_payment")
