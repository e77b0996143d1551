"""The queue of what webhook endpoints are still to be told."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pepay_core.domain.endpoints import Attempt, DeliveryState, EventDelivery
from pepay_core.domain.errors import ConfigError
from pepay_core.services.records import ClaimedDelivery
from pepay_core.services.waking import DELIVERIES
from pepay_core.storage.repositories.events import event_of
from pepay_core.storage.repositories.rows import Repository, missing
from pepay_core.storage.repositories.webhooks import endpoint_of
from pepay_core.storage.sealed import ANSWER
from pepay_core.storage.tables import AttemptRow, DeliveryRow, EndpointRow, EventRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from pepay_core.domain.events import Event
    from pepay_core.domain.ids import DeliveryId, EndpointId, EventId, MerchantId
    from pepay_core.services.paging import Page, Slice

log = logging.getLogger(__name__)

# Which endpoints have something due, those first that have waited for longest, and how much each may have and has under way.
_WAITING = """
SELECT * FROM (
    SELECT e.id, CASE WHEN e.failing_since IS NULL THEN {{}} ELSE 1 END AS most,
        (SELECT COUNT(*) FROM pepay_delivery b WHERE b.endpoint = e.id AND b.state = 'pending' AND b.leased_until > {{}}) AS busy,
        (SELECT MIN(d.next_at) FROM pepay_delivery d WHERE d.endpoint = e.id AND d.state = 'pending') AS oldest
    FROM pepay_endpoint e WHERE e.disabled_at IS NULL {exclude}
) waiting WHERE oldest <= {{}} AND busy < most ORDER BY oldest, id LIMIT {{}}
"""

# The first of an endpoint's queue; none where others have taken some meanwhile, so that all claimers together keep to its share.
_QUEUE = """
SELECT * FROM (
    SELECT id FROM pepay_delivery WHERE endpoint = {} AND state = 'pending' AND next_at <= {} ORDER BY next_at, id LIMIT (
        SELECT CASE WHEN COUNT(*) > {} THEN 0 ELSE {} END FROM pepay_delivery WHERE endpoint = {} AND state = 'pending' AND leased_until > {}
    )
) queue
"""

# Both engines run it. Rows that another process is claiming are passed over on PostgreSQL, and looked at again once they are locked:
# what has been taken since is no longer due.
_TAKE = """
UPDATE pepay_delivery SET next_at = {{}}, leased_until = {{}} WHERE id IN (
    SELECT d.id FROM pepay_delivery d WHERE d.id IN ({queues}) AND d.state = 'pending' AND d.next_at <= {{}} {skip}
) RETURNING id
"""

# One look into the index per endpoint: what it costs does not grow with what waits, whichever way the planner would take for a join.
_NEXT_DUE = """
SELECT d.next_at FROM pepay_endpoint e JOIN pepay_delivery d ON d.id = (
    SELECT q.id FROM pepay_delivery q WHERE q.endpoint = e.id AND q.state = 'pending' AND q.next_at IS NOT NULL ORDER BY q.next_at, q.id LIMIT 1
)
WHERE e.disabled_at IS NULL ORDER BY d.next_at LIMIT 1
"""


class DeliveryRepository(Repository):
    """Deliveries. Saving one ends the lease of whoever claimed it."""

    async def add(self, deliveries: Sequence[EventDelivery]) -> None:
        if deliveries:
            await self._insert(DeliveryRow, *(_delivery_row(each) for each in deliveries))
            self._session.wake(DELIVERIES)

    async def claim(
        self, now: datetime, *, limit: int, lease_until: datetime, per_endpoint: int, exclude: Collection[EndpointId] = ()
    ) -> list[ClaimedDelivery]:
        excluded = f"AND e.id NOT IN ({', '.join('{}' for _ in exclude)})" if exclude else ""
        waiting = await self._raw(_WAITING.format(exclude=excluded), per_endpoint, now, *exclude, now, limit)
        busy = {row["id"]: row["busy"] for row in waiting}
        shares = _shares([(row["id"], row["most"] - row["busy"]) for row in waiting], limit)
        if not shares:
            return []
        queues = " UNION ALL ".join(_QUEUE for _ in shares)
        sql = _TAKE.format(queues=queues, skip="FOR UPDATE OF d SKIP LOCKED" if self._session.postgres else "")
        asked = [value for endpoint, share in shares.items() for value in (endpoint, now, busy[endpoint], share, endpoint, now)]
        rows = await self._raw(sql, lease_until, lease_until, *asked, now)
        if not rows:
            return []
        taken = [_delivery(row) for row in await self._of(DeliveryRow, DeliveryRow.id, [row["id"] for row in rows], order=[DeliveryRow.id])]
        events = self._opened(await self._of(EventRow, EventRow.id, {each.event for each in taken}))
        endpoints = {
            row["id"]: endpoint_of(row, self._session) for row in await self._of(EndpointRow, EndpointRow.id, {each.endpoint for each in taken})
        }
        return [ClaimedDelivery(each, events[each.event], endpoints[each.endpoint]) for each in taken if each.event in events]

    def _opened(self, rows: Sequence[dict[str, Any]]) -> dict[EventId, Event]:
        """Return the events that can be read: one that cannot holds up no other."""
        events: dict[EventId, Event] = {}
        for row in rows:
            try:
                events[row["id"]] = event_of(row, self._session.vault)
            except ConfigError as exc:
                log.error("the event %s cannot be read, and is not delivered: %s", row["id"], exc)  # noqa: TRY400 - where says nothing
        return events

    async def renew(self, deliveries: Collection[DeliveryId], now: datetime, lease_until: datetime) -> None:
        if deliveries:
            marks = ", ".join("{}" for _ in deliveries)
            sql = f"UPDATE pepay_delivery SET next_at = {{}}, leased_until = {{}} WHERE state = 'pending' AND leased_until > {{}} AND id IN ({marks})"  # noqa: S608
            await self._raw(sql, lease_until, lease_until, now, *sorted(deliveries))

    async def next_due(self) -> datetime | None:
        rows = await self._raw(_NEXT_DUE)
        return rows[0]["next_at"] if rows else None

    async def get(self, merchant: MerchantId, delivery: DeliveryId, *, livemode: bool) -> EventDelivery:
        endpoint: Any = DeliveryRow.endpoint
        row = await self._get(DeliveryRow, "delivery", delivery, DeliveryRow.merchant == merchant, endpoint.livemode.eq(livemode))
        return _delivery(row)

    async def hold(self, deliveries: Collection[DeliveryId]) -> dict[DeliveryId, EventDelivery]:
        rows = await self._select(DeliveryRow, DeliveryRow.id.is_in(sorted(deliveries)), order=[DeliveryRow.id], lock=True) if deliveries else []
        return {row["id"]: _delivery(row) for row in rows}

    async def save(self, *deliveries: EventDelivery) -> None:
        if len(deliveries) > 1:
            # Whoever saves several holds them, so there is none that would come back in this way after it was deleted.
            await self._upsert(DeliveryRow, [_delivery_row(each) for each in deliveries], [DeliveryRow.id])
            return
        for each in deliveries:
            if not await self._update(DeliveryRow, _delivery_row(each), DeliveryRow.id == each.id):
                raise missing("delivery", each.id)

    async def record(self, *attempts: Attempt) -> None:
        if attempts:
            await self._insert(AttemptRow, *(self._attempt_row(each) for each in attempts))

    async def attempts(self, deliveries: Collection[DeliveryId]) -> list[Attempt]:
        return [self._attempt(row) for row in await self._of(AttemptRow, AttemptRow.delivery, deliveries, order=[AttemptRow.seq])]

    async def page(self, endpoint: EndpointId, *, page: Page) -> Slice[EventDelivery]:
        return await self._page(DeliveryRow, DeliveryRow.id, page, _delivery, scope=[DeliveryRow.endpoint == endpoint])

    async def abandon(self, endpoint: EndpointId, error: str) -> None:
        await self._update(
            DeliveryRow,
            {"state": DeliveryState.FAILED.value, "next_at": None, "leased_until": None, "last_error": error},
            DeliveryRow.endpoint == endpoint,
            DeliveryRow.state == DeliveryState.PENDING.value,
        )

    def _attempt_row(self, attempt: Attempt) -> dict[str, Any]:
        row = f"{attempt.delivery} {attempt.number}"
        return {
            "delivery": attempt.delivery,
            "number": attempt.number,
            "made_at": attempt.at,
            "status": attempt.status,
            "error": attempt.error,
            "excerpt": "",
            "duration_ms": attempt.duration_ms,
            "answer": self._session.seal(ANSWER, row, attempt.excerpt) if attempt.excerpt else None,
        }

    def _attempt(self, row: dict[str, Any]) -> Attempt:
        excerpt = self._session.opened(ANSWER, f"{row['delivery']} {row['number']}", row["answer"], row["excerpt"])
        return Attempt(row["delivery"], row["number"], row["made_at"], row["status"], row["error"], excerpt, row["duration_ms"])


def _delivery_row(delivery: EventDelivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "event": delivery.event,
        "event_type": delivery.event_type,
        "endpoint": delivery.endpoint,
        "merchant": delivery.merchant,
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "created_at": delivery.created_at,
        "next_at": delivery.next_at,
        "leased_until": None,
        "delivered_at": delivery.delivered_at,
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
    }


def _delivery(row: dict[str, Any]) -> EventDelivery:
    fields = {name: value for name, value in row.items() if name != "leased_until"}
    return EventDelivery(**{**fields, "state": DeliveryState(row["state"])})


def _shares(waiting: Sequence[tuple[EndpointId, int]], limit: int) -> dict[EndpointId, int]:
    """Return how many each endpoint gets of ``limit``: one for each in turn, until there is no room or nothing left."""
    shares: dict[EndpointId, int] = {}
    for turn in range(max((room for _, room in waiting), default=0)):
        for endpoint, room in waiting:
            if not limit:
                return shares
            if turn < room:
                shares[endpoint] = turn + 1
                limit -= 1
    return shares
