"""Deleting what nobody needs any more, a little at a time."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.domain.ids import DELIVERY, EVENT, make_id
from pepay_core.storage.repositories.rows import Repository

if TYPE_CHECKING:
    from datetime import datetime

# The identifiers sort by time, so that age needs no index of its own.
_ATTEMPTS = """
DELETE FROM pepay_attempt WHERE seq IN (
    SELECT a.seq FROM pepay_attempt a JOIN pepay_delivery d ON d.id = a.delivery
    WHERE a.delivery < {} AND d.state <> 'pending' ORDER BY a.delivery LIMIT {}
) RETURNING seq
"""

_DELIVERIES = """
DELETE FROM pepay_delivery WHERE id IN (
    SELECT id FROM pepay_delivery WHERE id < {} AND state <> 'pending' ORDER BY id LIMIT {}
) AND state <> 'pending' RETURNING id
"""

# An event takes its deliveries with it: those that are still to be made keep it.
_OLD_EVENTS = """
SELECT e.id FROM pepay_event e WHERE e.id < {{}} AND NOT EXISTS (SELECT 1 FROM pepay_delivery d WHERE d.event = e.id AND d.state = 'pending')
ORDER BY e.id LIMIT {{}} {lock}
"""

_EVENTS = """
DELETE FROM pepay_event WHERE id IN ({marks})
AND NOT EXISTS (SELECT 1 FROM pepay_delivery d WHERE d.event = pepay_event.id AND d.state = 'pending') RETURNING id
"""

# Looked for among the oldest rows alone.
_RATES = """
DELETE FROM pepay_rate WHERE seq IN (
    SELECT seq FROM pepay_rate WHERE agreed_at < {} AND seq < (SELECT MIN(seq) FROM pepay_rate) + {} ORDER BY seq
) RETURNING seq
"""


class RetentionRepository(Repository):
    """Deletes the oldest."""

    async def attempts(self, before: datetime, limit: int) -> int:
        return len(await self._raw(_ATTEMPTS, _first(DELIVERY, before), limit))

    async def deliveries(self, before: datetime, limit: int) -> int:
        return len(await self._raw(_DELIVERIES, _first(DELIVERY, before), limit))

    async def events(self, before: datetime, limit: int) -> int:
        # Held first, so that a replay that adds a delivery meanwhile is either seen or refused.
        old = await self._raw(_OLD_EVENTS.format(lock="FOR UPDATE OF e SKIP LOCKED" if self._session.postgres else ""), _first(EVENT, before), limit)
        if not old:
            return 0
        return len(await self._raw(_EVENTS.format(marks=", ".join("{}" for _ in old)), *(row["id"] for row in old)))

    async def rates(self, before: datetime, limit: int) -> int:
        return len(await self._raw(_RATES, before, limit))


def _first(prefix: str, at: datetime) -> str:
    """Return the lowest identifier that is made at a moment."""
    return make_id(prefix, int(at.timestamp() * 1000), 0)
