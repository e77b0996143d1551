"""Webhook endpoints, and the queue of what they are still to be told."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pepay_core.domain.endpoints import Attempt, DeliveryState, Endpoint, EventDelivery
from pepay_core.services.records import ClaimedDelivery
from pepay_core.services.waking import DELIVERIES
from pepay_core.storage.codecs import from_json, to_json
from pepay_core.storage.repositories.events import event_of
from pepay_core.storage.repositories.rows import Repository, missing
from pepay_core.storage.tables import AttemptRow, DeliveryRow, EndpointRow, EventRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from pepay_core.domain.ids import DeliveryId, EndpointId, MerchantId
    from pepay_core.services.paging import Page, Slice

# Both engines run it. Rows that another process is claiming are passed over on PostgreSQL, and looked at again once they are locked:
# what has been taken since is no longer due.
_CLAIM = """
WITH busy AS (
    SELECT endpoint, COUNT(*) AS number FROM pepay_delivery WHERE state = 'pending' AND leased_until > {{}} GROUP BY endpoint
), due AS (
    SELECT d.id, d.endpoint, d.next_at, ROW_NUMBER() OVER (PARTITION BY d.endpoint ORDER BY d.next_at, d.id) AS place
    FROM pepay_delivery d JOIN pepay_endpoint e ON e.id = d.endpoint
    WHERE d.state = 'pending' AND d.next_at <= {{}} AND e.disabled_at IS NULL {exclude}
), free AS MATERIALIZED (
    SELECT due.id FROM due LEFT JOIN busy ON busy.endpoint = due.endpoint
    WHERE due.place + COALESCE(busy.number, 0) <= {{}} ORDER BY due.next_at, due.id LIMIT {{}}
)
UPDATE pepay_delivery SET next_at = {{}}, leased_until = {{}} WHERE id IN (
    SELECT d.id FROM pepay_delivery d WHERE d.id IN (SELECT id FROM free) AND d.state = 'pending' AND d.next_at <= {{}} {skip}
) RETURNING id
"""

_NEXT_DUE = """
SELECT d.next_at FROM pepay_delivery d JOIN pepay_endpoint e ON e.id = d.endpoint
WHERE d.state = 'pending' AND d.next_at IS NOT NULL AND e.disabled_at IS NULL ORDER BY d.next_at LIMIT 1
"""


class EndpointRepository(Repository):
    """Webhook endpoints."""

    async def add(self, endpoint: Endpoint) -> None:
        await self._insert(EndpointRow, _endpoint_row(endpoint))

    async def get(self, merchant: MerchantId, endpoint: EndpointId, *, livemode: bool, lock: bool = False) -> Endpoint:
        scope = _scope(merchant, livemode=livemode)
        return _endpoint(await self._get(EndpointRow, "webhook endpoint", endpoint, *scope, lock=lock))

    async def find(self, endpoint: EndpointId, *, lock: bool = False) -> Endpoint | None:
        row = await self._find(EndpointRow, endpoint, lock=lock)
        return _endpoint(row) if row else None

    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page) -> Slice[Endpoint]:
        return await self._page(EndpointRow, EndpointRow.id, page, _endpoint, scope=_scope(merchant, livemode=livemode))

    async def active(self, merchant: MerchantId, *, livemode: bool) -> list[Endpoint]:
        where = [*_scope(merchant, livemode=livemode), EndpointRow.disabled_at.is_null()]
        return [_endpoint(row) for row in await self._select(EndpointRow, *where, order=[EndpointRow.id], keep=True)]

    async def save(self, endpoint: Endpoint) -> None:
        if not await self._update(EndpointRow, _endpoint_row(endpoint), EndpointRow.id == endpoint.id):
            raise missing("webhook endpoint", endpoint.id)

    async def delete(self, merchant: MerchantId, endpoint: EndpointId, *, livemode: bool) -> None:
        """Delete it with its deliveries and their attempts."""
        sql = "DELETE FROM pepay_endpoint WHERE id = {} AND merchant = {} AND livemode = {} RETURNING id"
        if not await self._raw(sql, endpoint, merchant, livemode):
            raise missing("webhook endpoint", endpoint)


class DeliveryRepository(Repository):
    """Deliveries. Saving one ends the lease of whoever claimed it."""

    async def add(self, deliveries: Sequence[EventDelivery]) -> None:
        if deliveries:
            await self._insert(DeliveryRow, *(_delivery_row(each) for each in deliveries))
            self._session.wake(DELIVERIES)

    async def claim(
        self, now: datetime, *, limit: int, lease_until: datetime, per_endpoint: int, exclude: Collection[EndpointId] = ()
    ) -> list[ClaimedDelivery]:
        sql = _CLAIM.format(
            exclude=f"AND d.endpoint NOT IN ({', '.join('{}' for _ in exclude)})" if exclude else "",
            skip="FOR UPDATE OF d SKIP LOCKED" if self._session.postgres else "",
        )
        rows = await self._raw(sql, now, now, *exclude, per_endpoint, limit, lease_until, lease_until, now)
        if not rows:
            return []
        taken = [_delivery(row) for row in await self._of(DeliveryRow, DeliveryRow.id, [row["id"] for row in rows], order=[DeliveryRow.id])]
        events = {row["id"]: event_of(row, self._session.vault) for row in await self._of(EventRow, EventRow.id, {each.event for each in taken})}
        endpoints = {row["id"]: _endpoint(row) for row in await self._of(EndpointRow, EndpointRow.id, {each.endpoint for each in taken})}
        return [ClaimedDelivery(each, events[each.event], endpoints[each.endpoint]) for each in taken]

    async def next_due(self) -> datetime | None:
        rows = await self._raw(_NEXT_DUE)
        return rows[0]["next_at"] if rows else None

    async def get(self, merchant: MerchantId, delivery: DeliveryId, *, livemode: bool) -> EventDelivery:
        endpoint: Any = DeliveryRow.endpoint
        row = await self._get(DeliveryRow, "delivery", delivery, DeliveryRow.merchant == merchant, endpoint.livemode.eq(livemode))
        return _delivery(row)

    async def save(self, delivery: EventDelivery) -> None:
        if not await self._update(DeliveryRow, _delivery_row(delivery), DeliveryRow.id == delivery.id):
            raise missing("delivery", delivery.id)

    async def record(self, attempt: Attempt) -> None:
        await self._insert(
            AttemptRow,
            {
                "delivery": attempt.delivery,
                "number": attempt.number,
                "made_at": attempt.at,
                "status": attempt.status,
                "error": attempt.error,
                "excerpt": attempt.excerpt,
                "duration_ms": attempt.duration_ms,
            },
        )

    async def attempts(self, deliveries: Collection[DeliveryId]) -> list[Attempt]:
        return [_attempt(row) for row in await self._of(AttemptRow, AttemptRow.delivery, deliveries, order=[AttemptRow.seq])]

    async def page(self, endpoint: EndpointId, *, page: Page) -> Slice[EventDelivery]:
        return await self._page(DeliveryRow, DeliveryRow.id, page, _delivery, scope=[DeliveryRow.endpoint == endpoint])

    async def abandon(self, endpoint: EndpointId, error: str) -> None:
        await self._update(
            DeliveryRow,
            {"state": DeliveryState.FAILED.value, "next_at": None, "leased_until": None, "last_error": error},
            DeliveryRow.endpoint == endpoint,
            DeliveryRow.state == DeliveryState.PENDING.value,
        )


def _scope(merchant: MerchantId, *, livemode: bool) -> list[Any]:
    return [EndpointRow.merchant == merchant, EndpointRow.livemode.eq(livemode)]


def _endpoint_row(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "merchant": endpoint.merchant,
        "livemode": endpoint.livemode,
        "scheme": endpoint.scheme,
        "url": endpoint.url,
        "events": to_json(endpoint.events),
        "secret": endpoint.secret,
        "created_at": endpoint.created_at,
        "description": endpoint.description,
        "previous_secret": endpoint.previous_secret,
        "previous_until": endpoint.previous_until,
        "failing_since": endpoint.failing_since,
        "disabled_at": endpoint.disabled_at,
        "disabled_reason": endpoint.disabled_reason,
    }


def _endpoint(row: dict[str, Any]) -> Endpoint:
    return Endpoint(**{**row, "events": tuple(from_json(row["events"]))})


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


def _attempt(row: dict[str, Any]) -> Attempt:
    return Attempt(row["delivery"], row["number"], row["made_at"], row["status"], row["error"], row["excerpt"], row["duration_ms"])
