"""What is said of webhooks is what is sent, and when it is sent again."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from documentation import code, page

from pepay_core.api import Delivery
from pepay_core.services.endpoints import MAX_OVERLAP
from pepay_core.services.resending import BATCH, PACE
from pepay_core.services.schedules import JITTER, MAX_RETRY_AFTER, PAUSES, WINDOW, next_attempt
from pepay_core.testing.notifier import BODY, OTHER_SECRET, SECRET
from pepay_core.web.api.webhooks import RotateSecret
from pepay_webhook_hmac.notifier import DEADLINE, LONGEST_WAIT, headers

WEBHOOKS = page("reference/webhooks.md")
UNITS = {"s": timedelta(seconds=1), "min": timedelta(minutes=1), "h": timedelta(hours=1)}


def pause(text):
    number, unit = text.split()
    return int(number) * UNITS[unit]


def test_every_header_is_documented_and_no_other():
    sent = headers(Delivery("dlv_1", "evt_1", "invoice.paid", True, "", BODY, 1, datetime.now(UTC), (SECRET, OTHER_SECRET)))

    assert [code(row[0]) for row in WEBHOOKS.rows("A delivery")] == list(sent)


def test_the_schedule_is_the_real_one():
    rows = WEBHOOKS.rows("What counts as delivered")

    assert tuple(pause(after) for _, after in rows) == PAUSES
    assert [attempt for attempt, _ in rows] == [*(str(number) for number in range(1, len(PAUSES))), f"{len(PAUSES)} and later"]


def test_the_numbers_around_the_schedule_are_the_real_ones():
    text = WEBHOOKS.sections["What counts as delivered"]

    assert DEADLINE == 10
    assert "within ten seconds" in text
    assert f"by up to {JITTER * 100:.0f} %" in text
    assert f"The last attempt is {WINDOW // UNITS['h']} h after the event" in text
    assert f"failed for **{WINDOW // UNITS['h']} h**" in text
    assert f"by at most {MAX_RETRY_AFTER // UNITS['h']} h" in text
    assert timedelta(seconds=LONGEST_WAIT) == MAX_RETRY_AFTER


def test_the_last_attempt_is_at_the_end_of_the_window():
    created = datetime(2026, 11, 1, tzinfo=UTC)

    assert next_attempt(created, 30, created + WINDOW - timedelta(hours=1), jitter=0) == created + WINDOW
    assert next_attempt(created, 31, created + WINDOW, jitter=0) is None


def test_what_is_said_of_rotation_and_replay_is_so():
    text = WEBHOOKS.sections["Replacing a secret"]

    assert RotateSecret().overlap_seconds == 86_400
    assert "a day, if you do not say" in text
    assert timedelta(days=7) == MAX_OVERLAP
    assert "a week at most" in text
    assert timedelta(seconds=1) == PACE
    assert f"at most {BATCH} events a second" in WEBHOOKS.sections["Sending a range again"]
    assert re.search(r"with `0` the old secret ends at once", text, re.IGNORECASE)
