"""The outbox, and who is told of it."""

from __future__ import annotations

from piccolo.columns import BigInt, BigSerial, Boolean, Bytea, ForeignKey, Integer, OnDelete
from piccolo.table import Table

from pepay_core.storage.columns import Id
from pepay_core.storage.routing import ENGINE
from pepay_core.storage.tables.merchants import MerchantRow
from pepay_core.storage.tables.shapes import key, maybe_text, maybe_time, text, time, to


class EventRow(Table, tablename="pepay_event", db=ENGINE):
    """The outbox. On PostgreSQL the migration adds ``xid``, the writing transaction, which only SQL in events.py knows."""

    seq = BigSerial(primary_key=True)
    id = Id(unique=True)
    type = text()
    merchant = to(MerchantRow)
    livemode = Boolean()
    created = time()
    subject = text()
    body = Bytea()


class EndpointRow(Table, tablename="pepay_endpoint", db=ENGINE):
    """A webhook endpoint; where it is and its secrets are sealed."""

    id = key()
    merchant = to(MerchantRow)
    livemode = Boolean()
    scheme = text()
    # In clear before it was sealed; empty since.
    url = text()
    events = text()
    secret = Bytea()
    created_at = time()
    description = maybe_text()
    previous_secret = Bytea(default=None, null=True)
    previous_until = maybe_time()
    failing_since = maybe_time()
    disabled_at = maybe_time()
    disabled_reason = maybe_text()
    target = Bytea(default=None, null=True)


class DeliveryRow(Table, tablename="pepay_delivery", db=ENGINE):
    """An event that an endpoint is told of."""

    id = key()
    event = ForeignKey(EventRow, target_column="id", on_delete=OnDelete.cascade, null=False)
    event_type = text()
    endpoint = to(EndpointRow, OnDelete.cascade)
    merchant = to(MerchantRow)
    state = text()
    attempts = Integer()
    created_at = time()
    next_at = maybe_time()
    # Until when a claimer has it; apart from next_at, because a delivery that waits for its next try is nobody's.
    leased_until = maybe_time()
    delivered_at = maybe_time()
    last_status = Integer(default=None, null=True)
    last_error = maybe_text()


class AttemptRow(Table, tablename="pepay_attempt", db=ENGINE):
    """One try of a delivery."""

    seq = BigSerial(primary_key=True)
    delivery = to(DeliveryRow, OnDelete.cascade)
    number = Integer()
    made_at = time()
    status = Integer(default=None, null=True)
    error = maybe_text()
    # In clear before it was sealed; empty since.
    excerpt = text()
    duration_ms = BigInt()
    answer = Bytea(default=None, null=True)
