"""Where the record of a chain begins that is reached for the first time."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.domain.assets import family_of
from pepay_core.domain.coverage import covered_until, extended
from pepay_core.domain.errors import Conflict

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.contracts.chain import Chain
    from pepay_core.domain.chains import Block, Tip
    from pepay_core.services.ports import Store, Transaction

log = logging.getLogger(__name__)

KEPT: Final = 256
"""Every one of this many newest blocks stays a checkpoint; of the older ones, each whose height is a multiple of it."""

REACH: Final = timedelta(hours=1)
"""How far back a record may begin. What came before is found by a rescan, or by the pass over what is watched no longer."""

_CALL: Final = 30.0  # seconds that a driver may take for one answer
_SKEW: Final = timedelta(minutes=1)  # by which the times of blocks may differ from ours
_FURTHEST: Final = 2**20  # blocks


async def begin(chain: Chain, store: Store, tip: Tip, now: datetime) -> Block:
    """Begin the record of a chain, and return the block that is looked on from; raises Conflict where somebody else has begun it.

    That is the tip; or a block from before the first of what is watched was issued, because chains of a family share their addresses: a
    buyer may have paid on this one, which could not be reached yet, what was asked for on another. Some older blocks are kept as well,
    because a reorganisation may reach behind the first one.
    """
    async with store.read() as tx:
        issued = await tx.destinations.watched(family_of(chain.id), live=not chain.testnet, now=now)
    first = min((each.issued_at for each in issued.destinations), default=None)
    block = tip.block if first is None else await _before(chain, tip.block, max(first - _SKEW, now - REACH))
    older = await _older(chain, block)
    until = covered_until(block, tip, now, idle=chain.idle)

    async def work(tx: Transaction) -> None:
        await tx.chains.hold(chain.id)
        if await tx.chains.newest_checkpoint(chain.id) is not None:
            raise Conflict(f"{chain.id} was begun by another watcher")
        await tx.chains.add_checkpoints(chain.id, [*older, block])
        await tx.chains.set_coverage(chain.id, extended((), chain.id, block, block, until, ""), block.height)

    await store.run(work)
    log.info("%s: watching from block %d", chain.name, block.height + 1)
    return block


async def _before(chain: Chain, newest: Block, moment: datetime) -> Block:
    """Return a block from before a moment, or the oldest on the way there that the chain can be asked for."""
    block, distance = newest, 1
    while block.time > moment and block.height > 0 and distance <= _FURTHEST:
        async with asyncio.timeout(_CALL):
            block = await chain.block(max(newest.height - distance, 0)) or block
        distance *= 2
    return block


async def _older(chain: Chain, block: Block) -> list[Block]:
    distances = (KEPT, 128, 64, 32, 16, 8, 4, 2, 1)
    heights = sorted({max(block.height - distance, 0) for distance in distances} - {block.height})
    async with asyncio.timeout(_CALL):
        found = [await chain.block(height) for height in heights]
    return [each for each in found if each is not None]
