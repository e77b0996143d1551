"""Keeping the watchers going: opening drivers, pacing passes, backing off, and looking for processes that do not watch."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.domain.coverage import ChainHealth, ChainState
from pepay_core.domain.errors import ChainUnavailable, Conflict, PePayError
from pepay_core.services.condition import Condition
from pepay_core.services.looking import have_looked
from pepay_core.services.waking import look_wanted, looked

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.contracts.context import Clock
    from pepay_core.services.heads import Heads
    from pepay_core.services.openings import Openings
    from pepay_core.services.ports import Store
    from pepay_core.services.publishing import Outbox
    from pepay_core.services.watching import Watcher

log = logging.getLogger(__name__)

_LEASE: Final = timedelta(seconds=15)
_LONGEST_WAIT: Final = 5.0
_FOLLOWING: Final = 2.0  # seconds between looks at what another process's watcher wrote down
_BREATH: Final = 0.1  # seconds between two looks, however many hints there are
_DEAF: Final = 30.0  # seconds until hints that ended are asked for again


class Keeper:
    """Keeps one chain watched for as long as :meth:`run` runs, in whichever process holds the chain's lease."""

    def __init__(self, watcher: Watcher, store: Store, heads: Heads, outbox: Outbox, openings: Openings, clock: Clock, *, holder: str) -> None:
        self._watcher = watcher
        self._chain = watcher.chain
        self._store = store
        self._heads = heads
        self._openings = openings
        self._clock = clock
        self._holder = holder
        self._lease = f"watch:{watcher.chain.id}"
        self._lease_until: datetime | None = None
        self._condition = Condition(watcher.chain, store, heads, outbox, clock, lease=self._lease, holder=holder)
        self._looking = asyncio.Lock()
        self._hint = asyncio.Event()
        self._running = self._wanted = False

    async def run(self) -> None:
        """Watch until cancelled."""
        self._running = True
        with self._store.wakes.on(self._want, look_wanted(self._chain.id)):
            await self._run()

    async def _run(self) -> None:
        known = None
        # What is shown until the chain is reached is not worth a watcher.
        with contextlib.suppress(PePayError):
            async with self._store.read() as tx:
                known = await tx.chains.state(self._chain.id)
        now = self._clock.now()
        tip, tip_time = (known.tip, known.tip_time) if known else (None, None)
        self._heads.put(ChainState(self._chain.id, ChainHealth.STARTING, "not reached yet", tip, tip_time, now))
        listening: asyncio.Task[None] | None = None
        try:
            while True:
                # A hint that comes during a look may be about a block that it did not see.
                self._hint.clear()
                delay = await self._step()
                if listening is None and self._chain in self._openings:
                    listening = asyncio.create_task(self._listen(), name=f"hints {self._chain.id}")
                await self._wait(delay)
        finally:
            if listening is not None:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
            await self._close()

    def wake(self) -> None:
        """Look sooner: a hint, never data."""
        self._hint.set()

    def _want(self) -> None:
        """Look sooner, and tell when that was done: somebody in another process waits for it."""
        self._wanted = True
        self._hint.set()

    async def look_now(self) -> None:
        """Make a pass at once, and another for what it left, or have the process make them that watches the chain.

        Raises ChainUnavailable when it cannot be looked at.
        """
        async with self._looking:
            is_open = self._chain in self._openings
            if (is_open or self._running) and await self._leads():
                if not is_open:
                    raise ChainUnavailable(f"{self._chain.name} has not been reached yet: see `pepay chain status`")
                while (look := await self._watcher.look()).more:
                    pass
                await self._condition.well(look)
                return
        await have_looked(self._store, self._chain)

    async def _step(self) -> float:
        """Do what is due, and return how long to wait."""
        try:
            if not await self._leads():
                await self._follow()
                return _FOLLOWING
            await self._openings.open(self._chain)
            async with self._looking:
                wanted, self._wanted = self._wanted, False
                look = await self._watcher.look()
            # One that somebody elsewhere waits for is written down.
            await self._condition.well(look, anyway=wanted)
            if wanted:
                self._store.wakes.tell({looked(self._chain.id)})
        except Conflict as exc:
            log.info("%s: %s", self._chain.name, exc)
            return self._interval
        except (PePayError, TimeoutError) as exc:
            return await self._failed(str(exc) or "no answer in time")
        except (Exception, SystemExit):
            log.exception("%s: the watcher failed", self._chain.name)
            return await self._failed("the driver raised an unexpected error, see the log")
        return 0.0 if look.more else self._interval

    async def _follow(self) -> None:
        """Take over what the process that watches the chain has written down: this one answers requests about it as well."""
        async with self._store.read() as tx:
            state = await tx.chains.state(self._chain.id)
        self._condition.failures = 0
        if state is not None:
            self._heads.put(state)

    async def _listen(self) -> None:
        """Take the driver's hints for as long as it gives any; whatever goes wrong with them costs hints and no more."""
        while True:
            try:
                hints = self._chain.wake()
                if hints is None:
                    return
                async for _ in hints:
                    self.wake()
            except (Exception, SystemExit):
                log.exception("%s: the driver's hints failed", self._chain.name)
            await asyncio.sleep(_DEAF)

    async def _wait(self, delay: float) -> None:
        if delay == 0:
            await asyncio.sleep(0)
            return
        if self._condition.failures:
            await asyncio.sleep(delay)  # a chain that is not well is not asked more often because it hints
            return
        pause = min(delay, _BREATH)
        await asyncio.sleep(pause)
        delay -= pause
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._hint.wait()

    async def _failed(self, reason: str) -> float:
        await self._condition.failed(reason)
        return min(0.5 * 2 ** min(self._condition.failures - 1, 6), _LONGEST_WAIT)

    @property
    def _interval(self) -> float:
        return 0.5 if self._chain.idle else min(max(self._chain.block_seconds / 2, 0.25), _LONGEST_WAIT)

    async def _leads(self) -> bool:
        now = self._clock.now()
        if self._lease_until is not None and now < self._lease_until - _LEASE * 2 / 3:
            return True
        until = now + _LEASE
        taken = await self._store.run(lambda tx: tx.leases.take(self._lease, self._holder, now, until))
        self._lease_until = until if taken else None
        return taken

    async def _close(self) -> None:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(3):
                await self._store.run(lambda tx: tx.leases.drop(self._lease, self._holder))
        await self._openings.close(self._chain)
