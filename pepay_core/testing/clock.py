"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Final

EPOCH: Final = datetime(2026, 11, 1, 12, tzinfo=UTC)


class FakeClock:
    """Implements ``Clock``. Time passes by :meth:`advance` alone, and whoever sleeps wakes in the order of the deadlines."""

    def __init__(self, start: datetime = EPOCH) -> None:
        self._start = start
        self._seconds = 0.0
        self._jumped = timedelta(0)
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """Return the virtual moment, in UTC."""
        return self._start + self._jumped + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        """Return the virtual seconds since the start."""
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been advanced by so much; at least one turn of the loop passes."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (self._seconds + seconds, next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Let time pass, waking sleepers at their own moments and letting each run before the next one."""
        target = self._seconds + seconds
        while self._sleepers and self._sleepers[0][0] <= target:
            self._seconds, _, woken = heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
                await settle()
        self._seconds = target
        await settle()

    def jump(self, by: timedelta) -> None:
        """Set the wall clock forward or back without letting time pass, as an operator or NTP may do."""
        self._jumped += by

    @property
    def sleeping(self) -> int:
        """How many are waiting for time to pass."""
        return sum(not woken.done() for _, _, woken in self._sleepers)


async def settle(turns: int = 20) -> None:
    """Let everything that can run without time passing do so."""
    for _ in range(turns):
        await asyncio.sleep(0)
