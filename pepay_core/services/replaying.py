"""Reading blocks again that were looked at before: what rescan, audit and the cold pass have in common.

Blocks may leave the chain while they are read again. So a stretch near the tip ends at a block that the watcher stands on, and what comes
of it is used only while the watcher still does; what lies deeper than all that the watcher keeps at hand does not leave any more.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pepay_core.domain.assets import family_of
from pepay_core.domain.errors import ChainUnavailable, Conflict, CursorOrphaned, InvalidInput
from pepay_core.services.addressees import Addressees
from pepay_core.services.beginning import KEPT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection
    from datetime import datetime

    from pepay_core.contracts.chain import Chain
    from pepay_core.domain.chains import Block, Departure, Destination, Transfer
    from pepay_core.domain.coverage import IssuedDestination
    from pepay_core.domain.ids import MerchantId
    from pepay_core.services.ports import Store, Transaction

STRETCH: Final = 2_000
"""How many blocks are read before what they brought is used."""

_CALL: Final = 30.0
_PAGE: Final = 1_000
_EARLIER: Final = 30.0  # seconds that a block's time may lie before the moment at which a destination was issued that it pays: clocks differ


@dataclass(frozen=True, slots=True)
class Stretch:
    """Blocks above ``after`` up to ``until``, what they brought and what left it, in chain order. ``near``: they may still leave the chain."""

    after: Block
    until: Block
    transfers: tuple[Transfer, ...]
    near: bool
    departures: tuple[Departure, ...] = ()


class Replay:
    """One chain's blocks for a set of destinations, read through an open driver."""

    def __init__(self, store: Store, chain: Chain, issued: Collection[IssuedDestination]) -> None:
        self.chain = chain
        self.addressees = Addressees(chain, issued)
        self._store = store
        self._since: dict[Destination, datetime] = {}
        for each in issued:
            self._since[each.destination] = min(each.issued_at, self._since.get(each.destination, each.issued_at))

    async def stretches(self, first: int, last: int) -> AsyncIterator[Stretch]:
        """Read blocks ``first`` to ``last``, stretch after stretch; raises InvalidInput when the watcher has not come to ``last`` yet."""
        if not 0 <= first <= last:
            raise InvalidInput("the range must begin at 0 or above, and end where it begins or above", field="from_block")
        async with self._store.read() as tx:
            newest = await tx.chains.newest_checkpoint(self.chain.id)
        if newest is None or newest.height < last:
            reached = "no block" if newest is None else f"block {newest.height}"
            raise InvalidInput(f"{self.chain.name} was looked at up to {reached} so far", field="to_block")
        # Nothing arrives in the first block of all.
        after = await self._block(max(first - 1, 0), above=False)
        while after.height < last:
            stretch = await self._read(after, min(after.height + STRETCH, last))
            yield stretch
            after = stretch.until

    async def insist(self, tx: Transaction, stretch: Stretch) -> None:
        """Raise Conflict when a stretch near the tip is no longer what the watcher stands on; until the transaction ends, it will be."""
        if not stretch.near:
            return
        await tx.chains.hold(self.chain.id)
        if await tx.chains.checkpoint(self.chain.id, above=stretch.until.height) != stretch.until:
            raise Conflict(f"blocks of {self.chain.name} have left the chain while they were read again")

    async def _read(self, after: Block, last: int) -> Stretch:
        async with self._store.read() as tx:
            newest = await tx.chains.newest_checkpoint(self.chain.id)
        near = newest is not None and newest.height - last < KEPT
        until = await self._block(last, above=True, kept=near)
        cursor, transfers, departures = after, list["Transfer"](), list["Departure"]()
        while cursor.height < until.height:
            try:
                async with asyncio.timeout(_CALL):
                    scan = await self.chain.scan(self.addressees.list, cursor, until)
            except CursorOrphaned:
                raise ChainUnavailable(f"{self.chain.name} changed while it was read again") from None
            transfers += scan.transfers
            departures += scan.departures
            cursor = scan.cursor
        return Stretch(after, until, tuple(transfers), near, tuple(departures))

    async def _block(self, height: int, *, above: bool, kept: bool = False) -> Block:
        """Return the block at a height, or the nearest one below or above it that is kept."""
        if not kept:
            async with asyncio.timeout(_CALL):
                found = await self.chain.block(height)
            if found is not None:
                return found
        async with self._store.read() as tx:
            stored = await (tx.chains.checkpoint(self.chain.id, above=height) if above else tx.chains.checkpoint(self.chain.id, below=height))
        if stored is None:
            raise ChainUnavailable(f"{self.chain.name} cannot be asked for block {height}")
        return stored

    def was_issued(self, transfer: Transfer) -> bool:
        """Tell whether a destination had been given out when it was paid: an address may have had a life before that."""
        return (self._since[transfer.to] - transfer.block.time).total_seconds() <= _EARLIER


async def ever_issued(store: Store, chain: Chain, merchant: MerchantId | None = None) -> list[IssuedDestination]:
    """Return all destinations that were ever issued for a chain, of one merchant where one is given."""
    issued: list[IssuedDestination] = []
    after = 0
    while True:
        async with store.read() as tx:
            page, after = await tx.destinations.ever(family_of(chain.id), live=not chain.testnet, after=after, limit=_PAGE)
        if not page:
            return issued
        issued += [each for each in page if merchant in {None, each.merchant}]
