"""The condition of a chain, as its watcher finds it: known here at once, written down for others, and told by an event when it has changed."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain import events
from pepay_core.domain.coverage import ChainHealth, ChainState
from pepay_core.domain.errors import PePayError
from pepay_core.domain.sources import SourceState
from pepay_core.services.presenting import seconds, source_objects
from pepay_core.services.progress import Progress

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.contracts.chain import Chain
    from pepay_core.contracts.context import Clock
    from pepay_core.domain.sources import Source
    from pepay_core.services.heads import Heads
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.publishing import Outbox
    from pepay_core.services.watching import Look

log = logging.getLogger(__name__)

_FAILURES: Final = 3  # in a row, before a chain counts as degraded
_SAVED: Final = timedelta(seconds=10)  # how often the state of a chain that is well is written down
_OUT: Final = timedelta(seconds=30)  # how long a source may be out before it counts; one in quarantine counts at once
_OLDEST_HEAD: Final = 60.0  # seconds; or ten blocks, whichever is more
_BADNESS: Final = {ChainHealth.IMPAIRED: 1, ChainHealth.DEGRADED: 2}


class Condition:
    """How one chain fares. Only who holds its lease writes that down."""

    def __init__(self, chain: Chain, store: Store, heads: Heads, outbox: Outbox, clock: Clock, *, lease: str, holder: str) -> None:
        self.failures = 0
        """How many passes have failed in a row."""
        self._chain = chain
        self._store = store
        self._heads = heads
        self._outbox = outbox
        self._clock = clock
        self._lease = lease
        self._holder = holder
        self._progress = Progress(chain.name, clock)
        self._saved_at: datetime | None = None
        self._out_since: dict[str, datetime] = {}

    async def well(self, look: Look, *, anyway: bool = False) -> None:
        """Take in a pass; it is written down now and then, when it tells something new, and ``anyway`` where that is wanted."""
        self.failures = 0
        block, now = look.tip.block, self._clock.now()
        pace = self._progress.note(look)
        age = (now - block.time).total_seconds()
        health, reason = ChainHealth.HEALTHY, self._lost(now) or self._refused()
        if reason is not None:
            health = ChainHealth.IMPAIRED
        if not self._chain.idle and age > max(_OLDEST_HEAD, 10 * self._chain.block_seconds):
            health, reason = ChainHealth.DEGRADED, f"the newest block is {int(age)} s old"
        await self._note(ChainState(self._chain.id, health, reason, block.height, block.time, now, pace, self._sources()), anyway=anyway)

    def _lost(self, now: datetime) -> str | None:
        """Return in words which sources are out, once they have been so for a while, or None."""
        sources = self._sources()
        out = {each.label: each for each in sources if not each.well}
        self._out_since = {label: self._out_since.get(label, now) for label in out}
        lost = [each for label, each in out.items() if each.state is SourceState.QUARANTINED or now - self._out_since[label] >= _OUT]
        if not lost:
            return None
        told = "; ".join(f"{each.label}: {each.reason}" for each in lost)
        return f"{len(lost)} of {len(sources)} endpoints cannot be used: {told}"

    def _refused(self) -> str | None:
        """Return in words which tokens the chain contradicts, or None: whoever accepts them must hear of it."""
        return "; ".join(f"{asset} is refused: {reason}" for asset, reason in self._chain.refused.items()) or None

    def _sources(self) -> tuple[Source, ...]:
        """Return the chain's endpoints, or none where its driver cannot tell of them: that a pass failed is noted all the same."""
        try:
            return tuple(self._chain.sources())
        except Exception:
            log.exception("%s: the driver cannot tell of its endpoints", self._chain.name)
            return ()

    async def failed(self, reason: str) -> None:
        """Take in that a pass failed; raises nothing."""
        self.failures += 1
        log.log(logging.WARNING if self.failures == 1 else logging.DEBUG, "%s: %s", self._chain.name, reason)
        if self.failures >= _FAILURES:
            last = self._heads.get(self._chain.id)
            tip, tip_time = (last.tip, last.tip_time) if last else (None, None)
            state = ChainState(self._chain.id, ChainHealth.DEGRADED, reason, tip, tip_time, self._clock.now(), sources=self._sources())
            try:
                await self._note(state)
            except PePayError:
                pass
            except Exception:
                # Whatever goes wrong with telling it, the chain is looked at again.
                log.exception("%s: that it is degraded could not be told", self._chain.name)

    async def _note(self, state: ChainState, *, anyway: bool = False) -> None:
        """Remember a state; write it down when it tells something new, with an event when the chain's health has changed."""
        before = self._heads.get(self._chain.id)
        self._heads.put(state)
        turned = before is None or (before.health, _states(before)) != (state.health, _states(state))
        if not (turned or anyway) and self._saved_at is not None and state.checked_at - self._saved_at < _SAVED:
            return

        async def work(tx: Transaction) -> None:
            # Whoever was held up for longer than the lease lasts tells nothing of a chain that another process watches by now.
            await tx.leases.insist(self._lease, self._holder)
            stored = await tx.chains.state(self._chain.id)
            await tx.chains.save_state(state)
            was, now = _BADNESS.get(stored.health, 0) if stored else 0, _BADNESS.get(state.health, 0)
            if was != now:
                await self._announce(tx, state, events.CHAIN_DEGRADED if now > was else events.CHAIN_RECOVERED)

        await self._store.run(work)
        self._saved_at = state.checked_at

    async def _announce(self, tx: Transaction, state: ChainState, kind: str) -> None:
        obj: dict[str, Any] = {
            "object": "chain",
            "id": self._chain.id,
            "name": self._chain.name,
            "livemode": not self._chain.testnet,
            "state": str(state.health),
            "reason": state.reason,
            "endpoints": source_objects(state.sources),
            "tip": state.tip,
            "tip_time": seconds(state.tip_time),
        }
        for merchant in await tx.merchants.all():
            await self._outbox.publish(tx, kind, merchant=merchant.id, livemode=not self._chain.testnet, subject=self._chain.id, obj=obj)


def _states(state: ChainState) -> list[tuple[str, SourceState]]:
    return [(each.label, each.state) for each in state.sources if not each.well]
