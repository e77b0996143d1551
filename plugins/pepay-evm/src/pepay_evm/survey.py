"""Comparing the endpoints of a network with each other: who lags, who is on a fork, and who may serve again."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from pepay_core.api import Block, ChainUnavailable, Tip
from pepay_evm import decoding
from pepay_evm.rpc import Call, NodeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from pepay_core.api import Clock
    from pepay_evm.networks import Network
    from pepay_evm.pool import Rpc
    from pepay_evm.rpc import Endpoint

_T = TypeVar("_T")
_EVERY: Final = 5.0  # seconds, or two blocks if that is more
_WITHIN: Final = 8.0
_BELOW: Final = 3  # blocks below the lowest head, where endpoints must agree
_TOLERATED: Final = 30.0  # seconds of blocks by which heads may differ
_OLDEST: Final = 60.0  # seconds, or twenty blocks: a head older than that is stale while others have newer ones
_STALE: Final = 15.0
_LONGEST_STALE: Final = 60.0
_FORKED: Final = 30.0


class Survey:
    """Looks at all endpoints now and then; with one endpoint there is nothing to compare, and nothing is asked."""

    def __init__(self, network: Network, rpc: Rpc, clock: Clock) -> None:
        self._network = network
        self._rpc = rpc
        self._clock = clock
        self._next = 0.0
        self._tolerance = max(3, math.ceil(_TOLERATED / network.block_seconds))
        self._stride = 1 if network.idle else max(1, math.ceil(_EVERY / network.block_seconds))
        self._height = -1
        self._finalized: int | None = None
        self._alone = False
        # Endpoints of an idle network that are behind, with their height and since when; and those that have been so for too long.
        self._behind: dict[Endpoint, tuple[int, float]] = {}
        self._halted: set[Endpoint] = set()
        self.split: str | None = None
        """What the endpoints contradict each other about, while no majority decides it."""

    def hasten(self) -> None:
        """Compare again at the next opportunity."""
        self._next = 0.0

    async def take_if_due(self) -> None:
        """Compare, if it is time."""
        if self._rpc.several and (self.split is not None or self._clock.monotonic() >= self._next or self._probes_due()):
            await self.take()

    async def take(self) -> None:
        """Ask every endpoint that may be asked for its newest block, and for one that all of them must share."""
        self._next = self._clock.monotonic() + max(_EVERY, 2 * self._network.block_seconds)
        asked = [endpoint for endpoint in self._rpc.endpoints if self._rpc.standing(endpoint).may_be_compared]
        heads = await self._heads(asked)
        for endpoint, head in heads.items():
            self._rpc.standing(endpoint).head = head.block
        fresh = self._judge_heads({endpoint: head.block for endpoint, head in heads.items()})
        for attempt in (1, 2):
            # A reorganisation in the middle of asking looks like a fork, once.
            if await self._judge_forks(fresh, last=attempt == 2):
                break
        self._witness([heads[endpoint] for endpoint in fresh if not self._rpc.standing(endpoint).quarantined])

    def witnessed(self, tip: Tip) -> Tip:
        """Return a tip with what a second endpoint has reached as well; unchanged where no second one can be expected to answer."""
        if not self._rpc.several or self._alone:
            return tip
        finalized = None if tip.finalized is None or self._finalized is None else min(tip.finalized, self._finalized)
        return replace(tip, finalized=finalized, witnessed=self._height)

    def far_ahead(self, endpoint: Endpoint, height: int) -> bool:
        """Tell whether a height is further above what all others have than can be."""
        others = [self._rpc.standing(each) for each in self._rpc.endpoints if each is not endpoint and each not in self._halted]
        heads = [each.head.height for each in others if each.usable and each.expected and each.head is not None]
        return bool(heads) and len(self._rpc.endpoints) - self._network.idle > 1 and height > max(heads) + self._tolerance

    def wants(self, height: int) -> bool:
        """Tell whether the chain has grown so much since the last time that it is worth comparing again."""
        return self._rpc.several and not self._alone and height - self._height >= self._stride

    def _witness(self, heads: Sequence[Tip]) -> None:
        """Remember how far two endpoints have come."""
        self._alone = False
        if len(heads) > 1:
            self._height = sorted(head.block.height for head in heads)[-2]
            finalized = sorted(head.finalized for head in heads if head.finalized is not None)
            self._finalized = finalized[-2] if len(finalized) > 1 else None
            return
        standings = [self._rpc.standing(endpoint) for endpoint in self._rpc.endpoints]
        serving = sum(each.usable and each.expected for each in standings)
        self._alone = serving <= 1 and sum(each.expected for each in standings) <= 1

    def _probes_due(self) -> bool:
        standings = [self._rpc.standing(endpoint) for endpoint in self._rpc.endpoints]
        return any(each.quarantined and each.may_be_asked for each in standings)

    def _judge_heads(self, heads: Mapping[Endpoint, Block]) -> dict[Endpoint, Block]:
        """Quarantine whose newest block is old, far behind the others or far ahead of them; return the others."""
        now = self._clock.now()
        limit = max(_OLDEST, 20 * self._network.block_seconds)
        old = set() if self._network.idle else {each for each, head in heads.items() if (now - head.time).total_seconds() > limit}
        if len(old) == len(heads):
            old = set()  # the chain itself stands still
        fresh = {endpoint: head for endpoint, head in heads.items() if endpoint not in old}
        for endpoint in old:
            age = int((now - heads[endpoint].time).total_seconds())
            self._rpc.standing(endpoint).quarantine(f"{endpoint.label} is stale: its newest block is {age} s old", _STALE, longest=_LONGEST_STALE)
        heights = sorted(head.height for head in fresh.values())
        for endpoint, head in dict(fresh).items():
            # The one but highest: a single endpoint that pretends to be ahead makes no other look stale.
            peer = heights[-2] if len(heights) > 1 else head.height
            standing = self._rpc.standing(endpoint)
            standing.behind = max(peer - head.height, 0)
            standing.halted = None
            if standing.behind > self._tolerance:
                standing.quarantine(f"{endpoint.label} is stale: it is {standing.behind} blocks behind", _STALE, longest=_LONGEST_STALE)
                del fresh[endpoint]
            elif len(heights) > 2 and head.height > peer + self._tolerance and heights[-2] - heights[-3] <= self._tolerance:
                standing.quarantine(f"{endpoint.label} is {head.height - peer} blocks ahead of all others", _FORKED)
                del fresh[endpoint]
        self._judge_progress(fresh, limit)
        return fresh

    def _judge_progress(self, heads: Mapping[Endpoint, Block], limit: float) -> None:
        """Prefer the one of two endpoints that makes progress, where the age of a block tells nothing.

        The other may be the honest one, which knows that there is nothing new: it is not quarantined, and nothing is final without it.
        """
        self._halted.clear()
        newest = max((head.height for head in heads.values()), default=0)
        now, before = self._clock.monotonic(), self._behind
        lower = [endpoint for endpoint, head in heads.items() if head.height < newest] if self._network.idle and len(heads) == 2 else []
        self._behind = {}
        for endpoint in lower:
            height = heads[endpoint].height
            known = before.get(endpoint)
            self._behind[endpoint] = since = known if known and known[0] == height else (height, now)
            if now - since[1] > limit:
                self._halted.add(endpoint)
                standing = self._rpc.standing(endpoint)
                standing.behind = newest - height
                standing.halted = f"{endpoint.label} has shown no new block for {int(now - since[1])} s, and is {standing.behind} behind"

    async def _judge_forks(self, heads: Mapping[Endpoint, Block], *, last: bool) -> bool:
        """Quarantine who differs from the majority; tell whether all agreed, or it was judged for the last time."""
        if not heads:
            return True
        height = max(min(head.height for head in heads.values()) - _BELOW, 0)
        held = await self._blocks(list(heads), hex(height))
        groups: dict[str, list[Endpoint]] = defaultdict(list)
        for endpoint, block in held.items():
            if block.height == height:
                groups[block.hash].append(endpoint)
        ranked = sorted(groups.values(), key=len, reverse=True)
        if len(ranked) > 1 and not last:
            return False
        self.split = None
        if not ranked:
            return True
        majority, others = ranked[0], [endpoint for group in ranked[1:] for endpoint in group]
        if len(majority) <= len(others):
            self._divided(height, ranked)
            return True
        for endpoint in others:
            self._rpc.standing(endpoint).quarantine(f"{endpoint.label} is on a fork: it has another block {height} than the others", _FORKED)
        # Alone, one that was out is let in again only where no other can be expected to say something else.
        missed = any(self._rpc.standing(each).expected for each in self._rpc.endpoints if each not in majority)
        if len(majority) > 1 or not missed:
            for endpoint in majority:
                self._rpc.standing(endpoint).readmit()
        return True

    def _divided(self, height: int, groups: Sequence[Sequence[Endpoint]]) -> None:
        """Let those in service decide against those that ask to be let in again; otherwise nobody is believed."""
        serving = [group for group in groups if any(not self._rpc.standing(endpoint).quarantined for endpoint in group)]
        if len(serving) == 1:
            for group in groups:
                if group is not serving[0]:
                    for endpoint in group:
                        self._rpc.standing(endpoint).quarantine(f"{endpoint.label} is on a fork: it has another block {height}", _FORKED)
            return
        names = " and ".join(", ".join(endpoint.label for endpoint in group) for group in groups)
        self.split = f"{names} contradict each other about block {height}, and there is no majority"

    async def _heads(self, endpoints: Sequence[Endpoint]) -> dict[Endpoint, Tip]:
        """Return the newest block of each endpoint that answers, with the finalized height where it matters."""
        return await self._all(endpoints, lambda endpoint: read_tip(endpoint, finalized=self._network.wants_finalized))

    async def _blocks(self, endpoints: Sequence[Endpoint], place: str) -> dict[Endpoint, Block]:
        """Return the block that each endpoint has at a place, of those that answer."""

        async def block(endpoint: Endpoint) -> Block | None:
            (answer,) = await endpoint.ask([Call("eth_getBlockByNumber", (place, False))])
            if answer is None:
                return None
            header = decoding.header(answer, full=False)
            return Block(header.height, header.hash, header.time)

        return await self._all(endpoints, block)

    async def _all(self, endpoints: Sequence[Endpoint], work: Callable[[Endpoint], Awaitable[_T | None]]) -> dict[Endpoint, _T]:
        async def ask(endpoint: Endpoint) -> _T | None:
            try:
                return await self._rpc.ask(endpoint, work, within=_WITHIN)
            except ChainUnavailable:
                return None

        found = await asyncio.gather(*(ask(endpoint) for endpoint in endpoints))
        return {endpoint: each for endpoint, each in zip(endpoints, found, strict=True) if each is not None}


async def read_tip(endpoint: Endpoint, *, finalized: bool) -> Tip:
    """Return an endpoint's newest block, and the finalized height where it is asked for and known."""
    calls = [Call("eth_getBlockByNumber", ("latest", False))]
    if finalized:
        calls.append(Call("eth_getBlockByNumber", ("finalized", False), lenient=True))
    latest, *rest = await endpoint.ask(calls)
    if latest is None:
        raise ChainUnavailable(f"{endpoint.label} has no blocks")
    newest = decoding.header(latest, full=False)
    height = None
    if rest and rest[0] is not None and not isinstance(rest[0], NodeError):
        # The two may be answered a moment apart: what is final is never above what is there.
        height = min(decoding.header(rest[0], full=False).height, newest.height)
    return Tip(Block(newest.height, newest.hash, newest.time), height)
