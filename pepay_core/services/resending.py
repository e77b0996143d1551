"""Replays: what happened in a range of time, sent to an endpoint once more, in batches and never faster than the endpoint takes it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.endpoints import DeliveryState, EventDelivery
from pepay_core.domain.errors import Conflict, InvalidInput, PePayError
from pepay_core.domain.events import matches
from pepay_core.domain.replays import Replay, ReplayState
from pepay_core.services.endpoints import insist_on_enabled
from pepay_core.services.idempotency import answer
from pepay_core.services.paging import Slice
from pepay_core.services.presenting import seconds
from pepay_core.services.waking import woken_within

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.endpoints import Endpoint
    from pepay_core.domain.ids import EndpointId, ReplayId
    from pepay_core.services.callers import Caller
    from pepay_core.services.minting import Ids
    from pepay_core.services.paging import Page
    from pepay_core.services.ports import Store, Transaction

log = logging.getLogger(__name__)

BATCH: Final = 100
"""How many events are gone through at once, and how many deliveries an endpoint may have waiting before it gets more from the past."""

PACE: Final = timedelta(seconds=1)
"""How long after a batch the next one is due."""

REPLAYS: Final = "replays"
"""What is woken when a replay begins."""

_KEPT: Final = 50
_REST: Final = 5.0  # seconds between looks while no replay is running
_DISABLED: Final = "the endpoint was disabled"
_BY_MERCHANT: Final = "stopped by you"


class Resending:
    """Keeps replays, and goes on with those that are running. One that a process dies over goes on in the next one where it was.

    Everything raises NotFound for what is not there or is somebody else's.
    """

    def __init__(self, store: Store, ids: Ids, clock: Clock) -> None:
        self._store = store
        self._ids = ids
        self._clock = clock

    async def begin(self, caller: Caller, endpoint: EndpointId, start: datetime, end: datetime) -> dict[str, Any]:
        """Begin to send again what the endpoint listens to and happened from ``start`` to ``end``, both included.

        Raises InvalidInput for a range that ends before it begins, Conflict where the endpoint is disabled or has a replay running.
        """
        if start >= end:
            raise InvalidInput("must be before `to`", field="from")

        async def work(tx: Transaction) -> dict[str, Any]:
            target, now = await self._target(tx, caller, endpoint), self._clock.now()
            # What happens from now on is on its way already.
            until = min(end, now)
            kinds = await tx.replays.kinds(caller.merchant, livemode=caller.livemode, start=start, end=until)
            count = sum(number for kind, number in kinds.items() if matches(target.events, kind))
            made = Replay(
                id=self._ids.replay(),
                endpoint=endpoint,
                merchant=caller.merchant,
                livemode=caller.livemode,
                events=target.events,
                start=start,
                end=until,
                count=count,
                created_at=now,
                next_at=now,
                reached_at=start,
            )
            if not count:
                made = replace(made, state=ReplayState.DONE, finished_at=now)
            await tx.replays.forget(endpoint, _KEPT)
            if not await tx.replays.add(made):
                raise _busy()
            tx.wake(REPLAYS)
            return replay_object(made)

        return await answer(self._store, work)

    async def get(self, caller: Caller, replay: ReplayId) -> dict[str, Any]:
        """Return a replay, and how far it has come."""
        async with self._store.read() as tx:
            return replay_object(await tx.replays.get(caller.merchant, replay, livemode=caller.livemode))

    async def page(self, caller: Caller, endpoint: EndpointId, page: Page) -> Slice[dict[str, Any]]:
        """Return the replays of an endpoint, newest first."""
        async with self._store.read() as tx:
            await tx.endpoints.get(caller.merchant, endpoint, livemode=caller.livemode)
            found = await tx.replays.page(endpoint, page=page)
        return Slice(tuple(replay_object(each) for each in found.items), found.has_more)

    async def stop(self, caller: Caller, replay: ReplayId) -> dict[str, Any]:
        """Send nothing further; what has a delivery already is delivered. Raises Conflict for one that is done."""

        async def work(tx: Transaction) -> dict[str, Any]:
            found = await tx.replays.get(caller.merchant, replay, livemode=caller.livemode, lock=True)
            if found.state is ReplayState.DONE:
                raise Conflict("the replay is done")
            stopped = replace(found, state=ReplayState.STOPPED, reason=found.reason or _BY_MERCHANT)
            await tx.replays.save(stopped)
            return replay_object(stopped)

        return await answer(self._store, work)

    async def resume(self, caller: Caller, replay: ReplayId) -> dict[str, Any]:
        """Go on with one that was stopped, from where it was; raises Conflict as :meth:`begin` does, and for one that is done."""

        async def work(tx: Transaction) -> dict[str, Any]:
            # The endpoint's lock first, as everywhere: whoever begins or resumes another one waits for this.
            found = await tx.replays.get(caller.merchant, replay, livemode=caller.livemode)
            await self._target(tx, caller, found.endpoint)
            found = await tx.replays.get(caller.merchant, replay, livemode=caller.livemode, lock=True)
            if found.state is ReplayState.DONE:
                raise Conflict("the replay is done")
            if any(each.endpoint == found.endpoint and each.id != found.id for each in await tx.replays.running()):
                raise _busy()
            resumed = replace(found, state=ReplayState.RUNNING, reason=None, next_at=self._clock.now())
            await tx.replays.save(resumed)
            tx.wake(REPLAYS)
            return replay_object(resumed)

        return await answer(self._store, work)

    async def run(self) -> None:
        """Go on with what is running until cancelled."""
        woken = asyncio.Event()
        with self._store.wakes.on(woken.set, REPLAYS):
            while True:
                woken.clear()
                busy = await self.step()
                await woken_within(woken, self._clock, PACE.total_seconds() if busy else _REST)

    async def step(self) -> bool:
        """Go one batch further with every replay for which it is time; tell whether any is running."""
        try:
            async with self._store.read() as tx:
                running = await tx.replays.running()
        except PePayError as exc:
            log.warning("replays cannot be read: %s", exc)
            return False
        for each in running:
            try:
                await self._store.run(lambda tx, each=each: self._batch(tx, each))
            except PePayError as exc:
                log.warning("replay %s does not go on now: %s", each.id, exc)
            except Exception:
                log.exception("replay %s broke at a batch, and is tried again", each.id)
        return bool(running)

    async def _batch(self, tx: Transaction, seen: Replay) -> None:
        # The endpoint's lock first, as everywhere; and what another process did meanwhile counts.
        endpoint, now = await tx.endpoints.find(seen.endpoint, lock=True), self._clock.now()
        replay = await tx.replays.hold(seen.id)
        if endpoint is None or replay is None or replay.state is not ReplayState.RUNNING or replay.next_at > now:
            return
        if endpoint.disabled_at is not None:
            await tx.replays.save(replace(replay, state=ReplayState.STOPPED, reason=_DISABLED))
            return
        room = BATCH - await tx.replays.waiting(endpoint.id, BATCH)
        if room > 0:
            replay = await self._send(tx, replay, room, now)
        await tx.replays.save(replace(replay, next_at=now + PACE))

    async def _send(self, tx: Transaction, replay: Replay, limit: int, now: datetime) -> Replay:
        """Queue the next events, and return how far the replay is then."""
        found = await tx.replays.events(replay, limit)
        wanted = [
            EventDelivery(self._ids.delivery(), event, kind, replay.endpoint, replay.merchant, DeliveryState.PENDING, 0, created_at=now, next_at=now)
            for event, kind, _ in found
            if matches(replay.events, kind)
        ]
        if wanted:
            await tx.deliveries.add(wanted)
        if found:
            replay = replace(replay, reached_event=found[-1][0], reached_at=found[-1][2], queued=replay.queued + len(wanted))
        return replay if len(found) == limit else replace(replay, state=ReplayState.DONE, finished_at=now)

    @staticmethod
    async def _target(tx: Transaction, caller: Caller, endpoint: EndpointId) -> Endpoint:
        target = await tx.endpoints.get(caller.merchant, endpoint, livemode=caller.livemode, lock=True)
        insist_on_enabled(target)
        return target


def replay_object(replay: Replay) -> dict[str, Any]:
    """Return a replay as its merchant sees it."""
    return {
        "object": "replay",
        "id": replay.id,
        "livemode": replay.livemode,
        "endpoint": replay.endpoint,
        "state": replay.state.value,
        "reason": replay.reason,
        "from": seconds(replay.start),
        "to": seconds(replay.end),
        "count": replay.count,
        "queued": replay.queued,
        "reached_at": seconds(replay.reached_at) if replay.reached_event else None,
        "created_at": seconds(replay.created_at),
        "finished_at": seconds(replay.finished_at),
    }


def _busy() -> Conflict:
    return Conflict("a replay to this endpoint is running: wait for it, or stop it")
