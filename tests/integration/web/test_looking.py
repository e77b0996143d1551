"""A process that watches no chain has one looked at by the process that does."""

from __future__ import annotations

import asyncio

import pytest

from pepay_core.clock import SystemClock
from pepay_core.domain.errors import ChainUnavailable
from pepay_core.services.heads import Heads
from pepay_core.services.looking import have_looked
from pepay_core.services.openings import Openings
from pepay_core.services.publishing import Outbox
from pepay_core.services.supervising import Keeper
from pepay_core.services.waking import look_wanted
from pepay_core.testing.toy import TOY


@pytest.fixture
def keeper(web):
    """Return keepers of the same chain in several processes; those that watch it have it open."""

    def make(holder, openings):
        runtime = web.runtime
        outbox = Outbox(runtime.clock, runtime.ids, lambda _event: None)
        return Keeper(runtime.keepers[TOY]._watcher, runtime.store, Heads(), outbox, openings, SystemClock(), holder=holder)

    return make


async def test_what_is_asked_of_one_process_is_looked_at_by_the_other_at_once(web, keeper):
    idle, wakes = keeper("api", Openings()), web.runtime.store.wakes
    asked = asyncio.Event()
    with wakes.on(asked.set, look_wanted(TOY)):
        early = asyncio.create_task(idle.look_now())
        await asked.wait()
    # Nobody has heard that: what the watcher writes down by itself is an answer all the same.
    watching = asyncio.create_task(keeper("worker", web.runtime.openings).run())
    try:
        await early
        for _ in range(3):
            await web.net.mine(2)
            await idle.look_now()
            async with web.runtime.store.read() as tx:
                known = {(await tx.chains.state(TOY)).tip, (await tx.chains.newest_checkpoint(TOY)).height}
            assert known == {web.net.read()[-1].block.height}
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def test_who_watches_a_chain_that_was_never_reached_says_so_at_once(web, keeper):
    keeper = keeper("worker", Openings())
    keeper._running = True
    with pytest.raises(ChainUnavailable, match="not been reached yet: see `pepay chain status`"):
        await keeper.look_now()


async def test_where_nobody_watches_it_is_told_what_to_do(web):
    with pytest.raises(ChainUnavailable, match="see that `pepay serve --role worker` runs"):
        await have_looked(web.runtime.store, web.runtime.catalogue.chain(TOY), patience=0.05)
