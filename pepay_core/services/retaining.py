"""Forgetting, in small steps, what is older than the operator wants to keep. What is still to be delivered is never forgotten."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from pepay_core.domain.errors import PePayError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from pepay_core.contracts.context import Clock
    from pepay_core.services.ports import Store, Transaction

log = logging.getLogger(__name__)

BATCH: Final = 500
"""How many rows are deleted in one transaction, so that nobody waits for it."""

_PAUSE: Final = 0.2  # seconds between two batches: forgetting is in no hurry
_LEASE: Final = timedelta(minutes=5)
_NAME: Final = "retention"


@dataclass(frozen=True, slots=True)
class Ages:
    """For how long each is kept; None is for ever."""

    attempts: timedelta | None
    deliveries: timedelta | None
    events: timedelta | None
    rates: timedelta | None


class Retention(Protocol):
    """Deletes what is older than a moment, the oldest first, at most so many; each returns how many. What is still to be delivered stays."""

    async def attempts(self, before: datetime, limit: int) -> int:
        """Delete attempts of deliveries that were made before."""
        ...

    async def deliveries(self, before: datetime, limit: int) -> int:
        """Delete deliveries with their attempts."""
        ...

    async def events(self, before: datetime, limit: int) -> int:
        """Delete events with their deliveries."""
        ...

    async def rates(self, before: datetime, limit: int) -> int:
        """Delete what was agreed on as a rate."""
        ...


class Retaining:
    """Deletes what is too old, in one process at a time."""

    def __init__(self, store: Store, clock: Clock, ages: Ages, *, holder: str) -> None:
        self._store = store
        self._clock = clock
        self._holder = holder
        # In this order, from the parts to what they belong to.
        self._steps: tuple[tuple[str, timedelta | None, Callable[[Retention, datetime, int], Awaitable[int]]], ...] = (
            ("attempts", ages.attempts, lambda retention, before, limit: retention.attempts(before, limit)),
            ("deliveries", ages.deliveries, lambda retention, before, limit: retention.deliveries(before, limit)),
            ("events", ages.events, lambda retention, before, limit: retention.events(before, limit)),
            ("rates", ages.rates, lambda retention, before, limit: retention.rates(before, limit)),
        )

    async def run(self, interval: float = 600.0) -> None:
        """Delete for ever, one pass per ``interval`` seconds."""
        while True:
            await self._clock.sleep(interval)
            try:
                await self.forget()
            except PePayError as exc:
                log.warning("what is too old was not deleted: %s", exc)
            except Exception:
                log.exception("deleting what is too old failed")

    async def forget(self) -> dict[str, int]:
        """Make one pass, and return how much of each was deleted; nothing while another process makes one."""
        deleted = {name: 0 for name, _, _ in self._steps}
        for name, age, delete in self._steps:
            while age is not None:
                done = await self._store.run(lambda tx, age=age, delete=delete: self._batch(tx, age, delete))
                deleted[name] += max(done, 0)
                if done < BATCH:
                    break
                await self._clock.sleep(_PAUSE)
        await self._store.run(lambda tx: tx.leases.drop(_NAME, self._holder))
        return deleted

    async def _batch(self, tx: Transaction, age: timedelta, delete: Callable[[Retention, datetime, int], Awaitable[int]]) -> int:
        now = self._clock.now()
        if not await tx.leases.take(_NAME, self._holder, now, now + _LEASE):
            return -1
        return await delete(tx.retention, now - age, BATCH)
