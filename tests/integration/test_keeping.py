"""A watcher goes on whatever happens to its chain, and says how it fares."""

from __future__ import annotations

import pytest

from pepay_core.domain.coverage import ChainHealth, ChainState
from pepay_core.domain.errors import ChainUnavailable
from pepay_core.plugins.catalogue import Catalogue
from pepay_core.services.heads import Heads
from pepay_core.services.minting import Ids
from pepay_core.services.openings import Openings
from pepay_core.services.publishing import Outbox
from pepay_core.services.supervising import Keeper
from pepay_core.services.watching import Watcher
from pepay_core.testing.clock import FakeClock
from pepay_core.testing.toy import TOY, ToyChain, ToyNet


class Unreachable(ToyChain):
    """A chain that nobody can ask."""

    async def tip(self):
        raise ChainUnavailable("nobody answers")


class Silent(Unreachable):
    """One whose driver breaks when it is asked for its endpoints."""

    def sources(self):
        raise TypeError("not to be told")


class Nonsensical(Unreachable):
    """One whose driver tells nonsense of its endpoints."""

    def sources(self):
        return [None]


def keeper_of(store, clock, heads, holder, driver=Unreachable):
    watcher = Watcher(driver(ToyNet()), store, None, None, Catalogue(), clock)
    return Keeper(watcher, store, heads, Outbox(clock, Ids(clock), lambda _event: None), Openings(), clock, holder=holder)


@pytest.fixture
def keeper(store):
    return keeper_of(store, FakeClock(), Heads(), "test")


async def test_a_chain_that_nobody_can_ask_is_degraded_and_asked_again(keeper, store):
    waits = [await keeper._step() for _ in range(5)]

    async with store.read() as tx:
        state = await tx.chains.state(TOY)
    assert all(wait > 0 for wait in waits)
    assert (state.health, state.reason, state.pace) == (ChainHealth.DEGRADED, "nobody answers", None)


@pytest.mark.parametrize("driver", [Silent, Nonsensical])
async def test_a_watcher_does_not_end_with_what_it_cannot_tell(store, driver):
    heads = Heads()
    keeper = keeper_of(store, FakeClock(), heads, "test", driver)
    assert [await keeper._step() > 0 for _ in range(5)] == [True] * 5
    assert (heads.get(TOY).health, heads.get(TOY).reason) == (ChainHealth.DEGRADED, "nobody answers")


async def test_a_process_that_waits_for_the_lease_knows_what_the_one_that_has_it_found(store):
    clock, heads = FakeClock(), Heads()
    first, second = keeper_of(store, clock, Heads(), "first"), keeper_of(store, clock, heads, "second")
    await first._step()
    assert await second._step() > 0
    assert heads.get(TOY) is None

    found = ChainState(TOY, ChainHealth.HEALTHY, None, 7, clock.now(), clock.now())
    async with store.begin() as tx:
        await tx.chains.save_state(found)
    await second._step()

    assert heads.usable(TOY)
    assert heads.height(TOY) == 7
