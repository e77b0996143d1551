from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pepay_core.services.schedules import MAX_RETRY_AFTER, WINDOW, next_attempt

CREATED = datetime(2026, 11, 1, 12, tzinfo=UTC)
ALMOST_ONE = 1 - 2**-53


def after(attempts: int, *, now: datetime = CREATED, jitter: float = 0.0, retry_after: int | None = None) -> float:
    due = next_attempt(CREATED, attempts, now, jitter=jitter, retry_after=retry_after)
    assert due is not None
    return (due - now).total_seconds()


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(0, 0), (1, 5), (2, 30), (3, 120), (4, 600), (5, 1800), (6, 3600), (7, 7200), (8, 14400), (9, 14400), (40, 14400)]
)
def test_the_pause_grows_with_the_attempts(attempts, seconds):
    assert after(attempts) == seconds


@pytest.mark.parametrize("attempts", range(1, 12))
def test_jitter_makes_a_pause_at_most_a_tenth_longer_and_never_shorter(attempts):
    pause = after(attempts)
    assert after(attempts, jitter=0.5) == pytest.approx(pause * 1.05)
    assert pause < after(attempts, jitter=ALMOST_ONE) <= pause * 1.1


def test_the_receiver_may_ask_for_more_time():
    assert after(1, retry_after=90) == 90


def test_the_receiver_cannot_hasten_an_attempt():
    assert after(3, retry_after=1) == 120
    assert after(3, retry_after=-5) == 120


def test_the_receiver_cannot_ask_for_more_than_the_longest_pause():
    assert after(1, retry_after=10**30) == MAX_RETRY_AFTER.total_seconds()


def test_the_last_attempt_is_at_the_very_end_of_the_window():
    now = CREATED + WINDOW - timedelta(minutes=17)
    assert next_attempt(CREATED, 25, now, jitter=ALMOST_ONE) == CREATED + WINDOW
    assert next_attempt(CREATED, 25, now, jitter=0, retry_after=14400) == CREATED + WINDOW


def test_what_would_be_due_exactly_at_the_end_still_is():
    now = CREATED + WINDOW - timedelta(hours=4)
    assert next_attempt(CREATED, 25, now, jitter=0) == CREATED + WINDOW


@pytest.mark.parametrize("late", [timedelta(0), timedelta(microseconds=1), timedelta(days=9)])
def test_nothing_is_tried_after_the_window(late):
    assert next_attempt(CREATED, 1, CREATED + WINDOW + late, jitter=0) is None


def test_one_microsecond_before_the_end_there_is_one_more():
    assert next_attempt(CREATED, 1, CREATED + WINDOW - timedelta(microseconds=1), jitter=0) == CREATED + WINDOW


@pytest.mark.parametrize("jitter", [0.0, 0.5, ALMOST_ONE])
def test_an_endpoint_that_never_answers_is_tried_for_exactly_72_hours(jitter):
    moments = [CREATED]
    while (due := next_attempt(CREATED, len(moments), moments[-1], jitter=jitter)) is not None:
        moments.append(due)
    assert moments[-1] == CREATED + timedelta(hours=72)
    assert 24 <= len(moments) <= 26
    assert moments == sorted(set(moments))


def test_a_clock_that_was_set_back_delays_nothing_beyond_the_pause():
    assert after(1, now=CREATED - timedelta(hours=1)) == 5
