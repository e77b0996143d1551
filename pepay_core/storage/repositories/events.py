"""The outbox, read in an order that misses nothing."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pepay_core.domain.events import Event
from pepay_core.secrets import is_sealed
from pepay_core.services.waking import events_of
from pepay_core.storage.repositories.rows import Repository, cut, missing, unknown_neighbour
from pepay_core.storage.sealed import EVENT
from pepay_core.storage.sessions import is_storable
from pepay_core.storage.tables import EventRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from pepay_core.domain.ids import EventId, MerchantId
    from pepay_core.secrets import Vault
    from pepay_core.services.paging import Page, Slice


class EventRepository(Repository):
    """Events in the order of their transactions.

    SQLite has one writer, so a sequence is that order. On PostgreSQL a transaction that took its number early may commit late: the list
    ends before the oldest transaction that is still open, and goes by transaction first.
    """

    @property
    def _order(self) -> str:
        return "xid, seq" if self._session.postgres else "seq"

    @property
    def _settled(self) -> str:
        return "AND xid < pg_snapshot_xmin(pg_current_snapshot())" if self._session.postgres else ""

    def _event(self, row: dict[str, Any]) -> Event:
        return event_of(row, self._session.vault)

    async def add(self, event: Event) -> None:
        await self._insert(
            EventRow,
            {
                "id": event.id,
                "type": event.type,
                "merchant": event.merchant,
                "livemode": event.livemode,
                "created": event.created,
                "subject": event.subject,
                "body": self._session.vault.seal(EVENT, event.id, event.body),
            },
        )
        self._session.wake(events_of(event.merchant))

    async def get(self, merchant: MerchantId, event: EventId, *, livemode: bool) -> Event:
        if is_storable(event):
            rows = await self._select(EventRow, EventRow.id == event, EventRow.merchant == merchant, EventRow.livemode.eq(livemode))
            if rows:
                return event_of(rows[0], self._session.vault)
        raise missing("event", event)

    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page, kinds: Collection[str] = ()) -> Slice[Event]:
        backwards, neighbour = page.ending_before is not None, page.ending_before or page.starting_after
        scope, args = f"merchant = {{}} AND livemode = {{}} {self._settled}", [merchant, livemode]
        where, values = scope, list[Any](args)
        if neighbour is not None:
            sql = f"SELECT seq FROM pepay_event WHERE id = {{}} AND {scope}"  # noqa: S608 - nothing in it comes from outside
            if not is_storable(neighbour) or not await self._raw(sql, neighbour, *args):
                raise unknown_neighbour(page)
            where += f" AND ({self._order}) {'<' if backwards else '>'} (SELECT {self._order} FROM pepay_event WHERE id = {{}})"  # noqa: S608
            values.append(neighbour)
        if kinds:
            where += f" AND type IN ({', '.join('{}' for _ in kinds)})"
            values += kinds
        direction = "DESC" if backwards else "ASC"
        order = ", ".join(f"{column} {direction}" for column in self._order.split(", "))
        sql = f"SELECT id, type, merchant, livemode, created, subject, body FROM pepay_event WHERE {where} ORDER BY {order} LIMIT {{}}"  # noqa: S608
        return cut(await self._raw(sql, *values, page.limit + 1), page, self._event)

    async def latest(self, merchant: MerchantId, *, livemode: bool) -> EventId | None:
        order = ", ".join(f"{column} DESC" for column in self._order.split(", "))
        sql = f"SELECT id FROM pepay_event WHERE merchant = {{}} AND livemode = {{}} {self._settled} ORDER BY {order} LIMIT 1"  # noqa: S608
        rows = await self._raw(sql, merchant, livemode)
        return rows[0]["id"] if rows else None


def event_of(row: dict[str, Any], vault: Vault) -> Event:
    """Read an event; one that was stored before bodies were sealed is read as it is."""
    body = bytes(row["body"])
    if is_sealed(body):
        body = vault.open(EVENT, row["id"], body)
    else:
        vault.admit_clear(EVENT)
    return Event(row["id"], row["type"], row["merchant"], row["livemode"], row["created"], row["subject"], body)
