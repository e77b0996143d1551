"""The cold pass: once a day, a look at addresses that are not watched any more, for a year after their watch has ended.

Where a chain can tell balances, what lies at an address is compared with what lay there on the last pass and with what was credited
since; only where the two differ are the blocks between the passes read again, for those addresses alone. Elsewhere the blocks are read
again for all of them. What is found is credited as the watcher would have credited it, and told by the same events.

Two limits. Money that comes after the year is found by nobody but :meth:`Rescanning.rescan`. And where balances are compared, money that
comes and is moved on by its owner between two passes leaves the balance as it was.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.domain.assets import family_of
from pepay_core.domain.chains import Feature
from pepay_core.domain.errors import PePayError
from pepay_core.domain.jsontext import decode, encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pepay_core.contracts.chain import Chain
    from pepay_core.contracts.context import Clock
    from pepay_core.domain.assets import AssetId
    from pepay_core.domain.chains import Block, Destination
    from pepay_core.domain.coverage import IssuedDestination
    from pepay_core.domain.payments import Payment
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.openings import Openings
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.rescanning import Rescanning

log = logging.getLogger(__name__)

EVERY: Final = timedelta(days=1)
YEAR: Final = timedelta(days=365)

DEPTH: Final = 64
"""How many blocks below the newest one balances are compared: those blocks do not leave the chain, and nodes still know their state."""

# Those whose watch ends before the next pass are looked at while it still lasts, so that there is something to compare with.
_SOON: Final = timedelta(days=2)
_PAGE: Final = 500
_CALL: Final = 120.0
_LEASE: Final = timedelta(hours=2)

_Places = dict["tuple[Destination, AssetId]", int]


@dataclass(frozen=True, slots=True)
class Visit:
    """One cold pass: the block at which it looked, how many addresses it looked at, which seemed to have changed, and what was found."""

    block: Block
    addresses: int
    changed: int
    credited: tuple[Payment, ...]


class Revisiting:
    """Makes the cold passes of all chains."""

    def __init__(self, store: Store, catalogue: Catalogue, rescanning: Rescanning, openings: Openings, clock: Clock, *, holder: str) -> None:
        self._store = store
        self._catalogue = catalogue
        self._rescanning = rescanning
        self._openings = openings
        self._clock = clock
        self._holder = holder

    async def run(self, interval: float = 600.0) -> None:
        """Make each pass that is due, for ever; what fails is tried again after ``interval`` seconds."""
        while True:
            await self._clock.sleep(interval)
            for chain in list(self._catalogue.chains.values()):
                try:
                    await self.visit(chain)
                except (PePayError, TimeoutError) as exc:
                    log.warning("%s: the cold pass did not succeed: %s", chain.name, exc)
                except Exception:
                    log.exception("%s: the cold pass failed", chain.name)

    async def visit(self, chain: Chain) -> Visit | None:
        """Make a chain's pass if it is due and nobody else makes it; raises ChainUnavailable, and then it is still due."""
        lease, now = f"cold:{chain.id}", self._clock.now()
        if not await self._store.run(lambda tx: tx.leases.take(lease, self._holder, now, now + _LEASE)):
            return None
        try:
            async with self._store.read() as tx:
                before = _read_mark(await tx.facts.get(lease))
                newest = await tx.chains.newest_checkpoint(chain.id)
                block = await tx.chains.checkpoint(chain.id, below=newest.height - DEPTH) if newest else None
            if block is None or (before and (now - before.at < EVERY or block.height <= before.height)):
                return None
            async with self._openings.reached(chain):
                return await self._visit(chain, before.height if before else None, block, now)
        finally:
            await self._store.run(lambda tx: tx.leases.drop(lease, self._holder))

    async def _visit(self, chain: Chain, before: int | None, block: Block, now: datetime) -> Visit:
        period = (block.time - YEAR, block.time + _SOON)
        compared = Feature.BALANCES in chain.features
        async with self._store.read() as tx:
            recent = await tx.payments.within(chain.id, before + 1, block.height) if before is not None else []
        after, looked_at = 0, 0
        suspects: list[IssuedDestination] = []
        lying: _Places = {}
        while True:
            async with self._store.read() as tx:
                page, after = await tx.destinations.ever(family_of(chain.id), live=not chain.testnet, after=after, limit=_PAGE, cold=period)
            if not page:
                break
            looked_at += len(page)
            cold = [each for each in page if each.watch_until <= block.time]
            if compared:
                changed, found = await self._compared(chain, page, block, recent, before or 0)
                lying |= found
                suspects += [each for each in cold if each.destination in changed]
            else:
                suspects += cold
        credited: tuple[Payment, ...] = ()
        if suspects and before is not None:
            log.info("%s: %d addresses are looked at again in blocks %d to %d", chain.name, len(suspects), before + 1, block.height)
            credited = (await self._rescanning.rescan(chain.id, before + 1, block.height, destinations=suspects)).credited

        async def remember(tx: Transaction) -> None:
            await tx.chains.set_cold_balances(chain.id, block.height, lying)
            await tx.facts.put(f"cold:{chain.id}", encode({"height": block.height, "at": now.isoformat()}).decode())

        await self._store.run(remember)
        return Visit(block, looked_at, len(suspects), credited)

    async def _compared(
        self, chain: Chain, page: Sequence[IssuedDestination], block: Block, recent: Sequence[Payment], before: int
    ) -> tuple[set[Destination], _Places]:
        """Return where something lies that cannot be accounted for, and every balance that is another than on the last pass."""
        places = {each.destination: None for each in page}
        assets = [token.id for token in self._catalogue.tokens_on(chain.id) if token.id not in chain.refused]
        async with asyncio.timeout(_CALL):
            now = await chain.balances(list(places), assets, block)
        async with self._store.read() as tx:
            stored = await tx.chains.cold_balances(chain.id, {each.address for each in places})
        stored = {key: each for key, each in stored.items() if key[0] in places}
        changed: set[Destination] = set()
        lying: _Places = {}
        for key in {*now, *stored}:
            units, height = stored.get(key, (0, before))
            lies = now.get(key, 0)
            if lies and lies != units + _credited_since(recent, key, height):
                changed.add(key[0])
            if lies != units:
                lying[key] = lies
        return changed, lying


@dataclass(frozen=True, slots=True)
class _Mark:
    height: int
    at: datetime


def _read_mark(text: str | None) -> _Mark | None:
    if text is None:
        return None
    read: Mapping[str, str | int] = decode(text.encode())
    return _Mark(int(read["height"]), datetime.fromisoformat(str(read["at"])))


def _credited_since(payments: Sequence[Payment], place: tuple[Destination, AssetId], height: int) -> int:
    found = (each.transfer for each in payments if (each.transfer.to, each.transfer.asset) == place)
    return sum(each.units for each in found if each.block.height > height)
