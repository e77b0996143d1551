"""Sending a range of events to an endpoint once more, as a piece of work that is gone through in batches."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.domain.ids import EndpointId, MerchantId, ReplayId


class ReplayState(StrEnum):
    """How a replay stands."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    """Its merchant has stopped it, or its endpoint was disabled; it can go on."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What happened from ``start`` to ``end``, both included, of the types that ``events`` name, sent to an endpoint again.

    ``count`` is how many events that was when it was asked for, ``queued`` how many of them have a delivery by now. Everything up to
    ``reached``, a moment and the id of an event at that moment, was gone through. ``next_at`` is when the next batch is due.
    """

    id: ReplayId
    endpoint: EndpointId
    merchant: MerchantId
    livemode: bool
    events: tuple[str, ...]
    start: datetime
    end: datetime
    count: int
    created_at: datetime
    next_at: datetime
    reached_at: datetime
    reached_event: str = ""
    queued: int = 0
    state: ReplayState = ReplayState.RUNNING
    reason: str | None = None
    finished_at: datetime | None = None
