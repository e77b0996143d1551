"""Replays, and the events that they go through."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pepay_core.domain.replays import Replay, ReplayState
from pepay_core.storage.codecs import from_json, to_json
from pepay_core.storage.repositories.rows import Repository, missing
from pepay_core.storage.tables import ReplayRow

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.domain.ids import EndpointId, EventId, MerchantId, ReplayId
    from pepay_core.services.paging import Page, Slice

# In the order of time; ids keep those of one moment apart. Both engines compare the pair as a whole.
_NEXT = """
SELECT id, type, created FROM pepay_event
WHERE merchant = {} AND livemode = {} AND created <= {} AND created >= {} AND (created > {} OR id > {})
ORDER BY created, id LIMIT {}
"""

_KINDS = """
SELECT type, COUNT(*) AS number FROM pepay_event
WHERE merchant = {} AND livemode = {} AND created >= {} AND created <= {} GROUP BY type
"""


class ReplayRepository(Repository):
    """Ranges of events on their way to an endpoint."""

    async def add(self, replay: Replay) -> bool:
        return await self._insert_new(ReplayRow, _row(replay))

    async def get(self, merchant: MerchantId, replay: ReplayId, *, livemode: bool, lock: bool = False) -> Replay:
        return _replay(await self._get(ReplayRow, "replay", replay, ReplayRow.merchant == merchant, ReplayRow.livemode.eq(livemode), lock=lock))

    async def hold(self, replay: ReplayId) -> Replay | None:
        row = await self._find(ReplayRow, replay, lock=True)
        return _replay(row) if row else None

    async def save(self, replay: Replay) -> None:
        if not await self._update(ReplayRow, _row(replay), ReplayRow.id == replay.id):
            raise missing("replay", replay.id)

    async def page(self, endpoint: EndpointId, *, page: Page) -> Slice[Replay]:
        return await self._page(ReplayRow, ReplayRow.id, page, _replay, scope=[ReplayRow.endpoint == endpoint])

    async def running(self) -> list[Replay]:
        return [_replay(row) for row in await self._select(ReplayRow, ReplayRow.state == ReplayState.RUNNING.value, order=[ReplayRow.id])]

    async def forget(self, endpoint: EndpointId, keep: int) -> None:
        await self._raw(
            "DELETE FROM pepay_replay WHERE endpoint = {} AND state = 'done' AND id NOT IN "
            "(SELECT id FROM pepay_replay WHERE endpoint = {} ORDER BY id DESC LIMIT {})",
            endpoint,
            endpoint,
            keep,
        )

    async def events(self, replay: Replay, limit: int) -> list[tuple[EventId, str, datetime]]:
        at = replay.reached_at
        rows = await self._raw(_NEXT, replay.merchant, replay.livemode, replay.end, at, at, replay.reached_event, limit)
        return [(row["id"], row["type"], row["created"]) for row in rows]

    async def kinds(self, merchant: MerchantId, *, livemode: bool, start: datetime, end: datetime) -> dict[str, int]:
        rows = await self._raw(_KINDS, merchant, livemode, start, end)
        return {row["type"]: row["number"] for row in rows}

    async def waiting(self, endpoint: EndpointId, limit: int) -> int:
        sql = "SELECT COUNT(*) AS number FROM (SELECT id FROM pepay_delivery WHERE endpoint = {} AND state = 'pending' LIMIT {}) waiting"
        return (await self._raw(sql, endpoint, limit))[0]["number"]


def _row(replay: Replay) -> dict[str, Any]:
    return {
        "id": replay.id,
        "endpoint": replay.endpoint,
        "merchant": replay.merchant,
        "livemode": replay.livemode,
        "events": to_json(replay.events),
        "start_at": replay.start,
        "end_at": replay.end,
        "total": replay.count,
        "created_at": replay.created_at,
        "next_at": replay.next_at,
        "reached_at": replay.reached_at,
        "reached_event": replay.reached_event,
        "queued": replay.queued,
        "state": replay.state.value,
        "reason": replay.reason,
        "finished_at": replay.finished_at,
    }


def _replay(row: dict[str, Any]) -> Replay:
    fields = {name: value for name, value in row.items() if name not in {"events", "start_at", "end_at", "total", "state"}}
    return Replay(
        **fields,
        events=tuple(from_json(row["events"])),
        start=row["start_at"],
        end=row["end_at"],
        count=row["total"],
        state=ReplayState(row["state"]),
    )
