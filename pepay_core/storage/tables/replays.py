"""Replays: events that are sent to an endpoint once more, batch after batch."""

from __future__ import annotations

from piccolo.columns import BigInt, Boolean, OnDelete
from piccolo.table import Table

from pepay_core.storage.columns import Id
from pepay_core.storage.routing import ENGINE
from pepay_core.storage.tables.delivering import EndpointRow
from pepay_core.storage.tables.merchants import MerchantRow
from pepay_core.storage.tables.shapes import key, maybe_text, maybe_time, text, time, to


class ReplayRow(Table, tablename="pepay_replay", db=ENGINE):
    """A range of events on its way to an endpoint, and how far it has come."""

    id = key()
    endpoint = to(EndpointRow, OnDelete.cascade)
    merchant = to(MerchantRow)
    livemode = Boolean()
    events = text()
    start_at = time()
    end_at = time()
    total = BigInt()
    created_at = time()
    next_at = time()
    reached_at = time()
    reached_event = Id()
    queued = BigInt()
    state = text()
    reason = maybe_text()
    finished_at = maybe_time()
