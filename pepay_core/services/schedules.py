"""When a delivery that failed is tried again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

PAUSES: Final = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=4),
)
"""How long to wait before the first attempt, the second, and so on; the last pause repeats."""

WINDOW: Final = timedelta(hours=72)
"""How long after its creation a delivery is tried, and for how long an endpoint may fail before it is disabled."""

MAX_RETRY_AFTER: Final = PAUSES[-1]
"""The longest wait that a receiver may ask for."""

JITTER: Final = 0.1
"""The share of a pause by which it may be longer, so that many deliveries that failed at once do not come back at once."""


def next_attempt(created_at: datetime, attempts: int, now: datetime, *, jitter: float, retry_after: int | None = None) -> datetime | None:
    """Return when to try again after ``attempts`` tries, the last of which ended ``now``; None when the window is over.

    ``jitter`` is a random number from 0 up to 1, without 1. ``retry_after`` is what the receiver asked for, in seconds: it delays
    an attempt and never hastens it. What would come after the window is tried once more at its very end.
    """
    end = created_at + WINDOW
    if now >= end:
        return None
    pause = PAUSES[min(attempts, len(PAUSES) - 1)]
    wait = pause + pause * (JITTER * jitter)
    if retry_after is not None:
        wait = max(wait, timedelta(seconds=min(retry_after, MAX_RETRY_AFTER.total_seconds())))
    return min(now + wait, end)
