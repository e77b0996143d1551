"""The dispatcher: it delivers what the outbox holds, at least once, and lets no endpoint hold up another."""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.services.breaking import Breakers
from pepay_core.services.delivering import Deliverer
from pepay_core.services.lanes import Lanes
from pepay_core.services.waking import DELIVERIES, woken_within

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pepay_core.contracts.context import Clock
    from pepay_core.contracts.notifier import Notifier
    from pepay_core.domain.ids import DeliveryId
    from pepay_core.secrets import Vault
    from pepay_core.services.noticing import Noticing
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.publishing import Outbox
    from pepay_core.services.recording import Recorder
    from pepay_core.services.records import ClaimedDelivery

log = logging.getLogger(__name__)

_LONGEST_TROUBLE: Final = 30


class Dispatcher:
    """Claims due deliveries, makes each in its own task, and records what came of it.

    Several processes may run one each. What a process has claimed and not recorded when it dies is due again when ``lease`` ends; while it lives,
    it renews its claims. So the lease is short: until it ends, what a dead process had under way also keeps others from the endpoints' slots.
    In seconds: ``deadline`` bounds an attempt, ``poll`` the time until events of other processes are noticed, and ``grace`` how long
    attempts that are under way may go on after the dispatcher was told to stop.
    """

    def __init__(
        self,
        store: Store,
        notifiers: Mapping[str, Notifier],
        vault: Vault,
        outbox: Outbox,
        clock: Clock,
        *,
        concurrency: int = 64,
        per_endpoint: int = 4,
        lease: timedelta = timedelta(seconds=4),
        deadline: float = 15,
        poll: float = 1,
        grace: float = 3,
        rng: Callable[[], float] = random.random,
        noticing: Noticing | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._per_endpoint = per_endpoint
        self._lease = lease
        self._poll = poll
        self._grace = grace
        self._deliverer = Deliverer(store, notifiers, vault, outbox, clock, deadline=deadline, rng=rng, noticing=noticing, recorder=recorder)
        self._lanes = Lanes(concurrency, per_endpoint)
        self._breakers = Breakers(clock, rng)
        self._running: dict[asyncio.Task[None], DeliveryId] = {}
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look for due deliveries now; call it in the dispatcher's own loop."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled; then let what is under way end within the grace, and leave the rest to its lease."""
        # Not in a ``finally``: a process that is simply gone waits for nothing any more.
        try:
            async with asyncio.TaskGroup() as group:
                renewing = group.create_task(self._renew())
                try:
                    with self._store.wakes.on(self.wake, DELIVERIES):
                        await self._loop(group)
                except (Exception, asyncio.CancelledError):
                    if self._running:
                        await asyncio.wait(list(self._running), timeout=self._grace)
                    raise
                finally:
                    renewing.cancel()
        except (Exception, asyncio.CancelledError):
            await self._deliverer.settle(self._grace)
            raise

    async def drain_once(self) -> int:
        """Deliver everything that is due, wait for it, and return how many deliveries were claimed."""
        claimed = 0
        async with asyncio.TaskGroup() as group:
            while True:
                self._woken.clear()
                claimed += await self._fill(group)
                if not self._running and not self._woken.is_set():
                    return claimed
                await self._woken.wait()

    async def _loop(self, group: asyncio.TaskGroup) -> None:
        trouble = 0
        while True:
            self._woken.clear()
            try:
                await self._fill(group)
                pause = await self._until_due()
            except Exception:
                trouble = min(max(trouble * 2, 1), _LONGEST_TROUBLE)
                log.exception("deliveries cannot be claimed; the next try is in %d s", trouble)
                await self._clock.sleep(trouble)
            else:
                trouble = 0
                await woken_within(self._woken, self._clock, pause)

    async def _renew(self) -> None:
        while True:
            await self._clock.sleep(self._lease.total_seconds() / 4)
            if not self._running:
                continue
            now = self._clock.now()
            try:
                await self._store.run(lambda tx, now=now: tx.deliveries.renew(set(self._running.values()), now, now + self._lease))
            except Exception:
                log.exception("claims of deliveries could not be renewed; those that run out are made again")

    async def _until_due(self) -> float:
        """Return how long to rest: what is due and was not claimed waits for a slot, which wakes us when it becomes free."""
        async with self._store.read() as tx:
            due = await tx.deliveries.next_due()
        if due is None:
            return self._poll
        seconds = (due - self._clock.now()).total_seconds()
        return min(seconds, self._poll) if seconds > 0 else self._poll

    async def _fill(self, group: asyncio.TaskGroup) -> int:
        """Start deliveries until nothing that may have a slot is due, or none is free; return how many."""
        started = 0
        while self._lanes.free > 0:
            admitted, refused = await self._store.run(self._claim)
            for each in admitted:
                self._start(group, each)
            for each in refused:
                self._lanes.pass_over(each.endpoint)
            started += len(admitted)
            if not admitted and not refused:
                break
        return started

    async def _claim(self, tx: Transaction) -> tuple[list[ClaimedDelivery], list[ClaimedDelivery]]:
        now = self._clock.now()
        claimed = await tx.deliveries.claim(
            now,
            limit=self._lanes.free,
            lease_until=now + self._lease,
            per_endpoint=self._per_endpoint,
            exclude=self._lanes.closed | self._breakers.resting,
        )
        admitted, refused = self._lanes.admit(claimed)
        await tx.deliveries.save(*(replace(each.delivery, next_at=now) for each in refused))
        return admitted, refused

    def _start(self, group: asyncio.TaskGroup, claimed: ClaimedDelivery) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            del self._running[task]
            self._lanes.leave(claimed.endpoint)
            self.wake()

        self._lanes.enter(claimed.endpoint)
        task = group.create_task(self._deliver(claimed), name=f"deliver {claimed.delivery.id}")
        self._running[task] = claimed.delivery.id
        task.add_done_callback(ended)

    async def _deliver(self, claimed: ClaimedDelivery) -> None:
        try:
            outcome = await self._deliverer.deliver(claimed)
            if outcome is None or outcome.ours:
                return
            if outcome.error is None:
                self._breakers.succeeded(claimed.endpoint.id)
            else:
                self._breakers.failed(claimed.endpoint.id, outcome.receipt.status, outcome.retry_after)
        except Exception:
            log.exception("delivery %s could not be recorded; it is due again when its lease ends", claimed.delivery.id)
