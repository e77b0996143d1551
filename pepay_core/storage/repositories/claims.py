"""Who may do what only one may do: requests with an idempotency key, and leases."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import Conflict, IdempotencyConflict, RequestInProgress
from pepay_core.services.records import StoredResponse
from pepay_core.storage.repositories.rows import Repository
from pepay_core.storage.tables import IdempotencyRow

if TYPE_CHECKING:
    from datetime import datetime

_KEPT: Final = timedelta(hours=24)

# One statement decides: a new key, or one whose request has run out of time, is taken; any other row stays as it is.
_CLAIM: Final = """
INSERT INTO pepay_idempotency (scope, key, fingerprint, claimed_at, running_until) VALUES ({}, {}, {}, {}, {})
ON CONFLICT (scope, key) DO UPDATE SET claimed_at = excluded.claimed_at, running_until = excluded.running_until
WHERE pepay_idempotency.status IS NULL AND pepay_idempotency.running_until <= excluded.claimed_at
AND pepay_idempotency.fingerprint = excluded.fingerprint
RETURNING seq
"""

_TAKE: Final = """
INSERT INTO pepay_lease (name, holder, held_until) VALUES ({}, {}, {})
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
WHERE pepay_lease.holder = excluded.holder OR pepay_lease.held_until <= {}
RETURNING name
"""


class IdempotencyRepository(Repository):
    """Answers remembered by key for 24 hours."""

    async def claim(self, scope: str, key: str, fingerprint: str, now: datetime, until: datetime) -> StoredResponse | None:
        while True:
            if await self._raw(_CLAIM, scope, key, fingerprint, now, until):
                return None
            rows = await self._select(IdempotencyRow, IdempotencyRow.scope == scope, IdempotencyRow.key == key)
            if rows:
                break
            # Released between the two statements: the key is free again.
        row = rows[0]
        if row["fingerprint"] != fingerprint:
            raise IdempotencyConflict("this idempotency key was used for a different request")
        if row["status"] is None:
            raise RequestInProgress
        return StoredResponse(row["status"], bytes(row["body"]))

    async def complete(self, scope: str, key: str, response: StoredResponse, mark: datetime) -> None:
        mine = [IdempotencyRow.scope == scope, IdempotencyRow.key == key, IdempotencyRow.claimed_at == mark, IdempotencyRow.status.is_null()]
        if not await self._update(IdempotencyRow, {"status": response.status, "body": response.body, "running_until": None}, *mine):
            raise RequestInProgress

    async def release(self, scope: str, key: str, mark: datetime) -> None:
        """Forget a request that had no effect; an answer that is stored stays."""
        sql = "DELETE FROM pepay_idempotency WHERE scope = {} AND key = {} AND claimed_at = {} AND status IS NULL"
        await self._raw(sql, scope, key, mark)

    async def sweep(self, now: datetime) -> None:
        """Forget what is older than 24 hours."""
        sql = "DELETE FROM pepay_idempotency WHERE claimed_at < {} AND (running_until IS NULL OR running_until < {})"
        await self._raw(sql, now - _KEPT, now)


class LeaseRepository(Repository):
    """Leases: taken, renewed and lost by one statement."""

    async def take(self, name: str, holder: str, now: datetime, until: datetime) -> bool:
        return bool(await self._raw(_TAKE, name, holder, until, now))

    async def insist(self, name: str, holder: str) -> None:
        sql = f"SELECT holder FROM pepay_lease WHERE name = {{}} {'FOR SHARE' if self._session.postgres else ''}"  # noqa: S608 - nothing from outside
        rows = await self._raw(sql, name)
        if not rows or rows[0]["holder"] != holder:
            raise Conflict(f"the lease {name} is somebody else's by now")

    async def drop(self, name: str, holder: str) -> None:
        await self._raw("DELETE FROM pepay_lease WHERE name = {} AND holder = {}", name, holder)
