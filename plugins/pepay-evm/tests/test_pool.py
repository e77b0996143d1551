"""Which endpoint is asked, which one rests, and which one is out."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from faults import FaultProxy, Mode

from pepay_core.api import ChainUnavailable, SourceState, Watchlist
from pepay_core.testing.anvil import Anvil
from pepay_core.testing.clock import FakeClock
from pepay_evm.chain import EvmChain
from pepay_evm.rpc import Call, NodeError, RateLimited


@pytest.fixture
def clock(anvil):
    anvil.mine(20)
    newest = int(anvil.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    return FakeClock(datetime.fromtimestamp(newest, UTC) + timedelta(seconds=1))


@pytest.fixture
async def three(anvil):
    async with FaultProxy(anvil.url) as one, FaultProxy(anvil.url) as two, FaultProxy(anvil.url) as third:
        yield [one, two, third]


@pytest.fixture
def fork():
    with Anvil() as node:
        node.send(node.accounts[1], 1)  # empty blocks of nodes that were started in the same second are the same blocks
        node.mine(30)
        yield node


@pytest.fixture
def driver(http, make_network, clock):
    """Return a function that makes a driver on a clock that stands still."""

    def make(*proxies, **changes):
        return EvmChain(make_network(*(each.url for each in proxies), **changes), http, clock)

    return make


def states(chain):
    return [each.state for each in chain.sources()]


SERVING, STANDBY, RESTING, OUT = SourceState.SERVING, SourceState.STANDBY, SourceState.RESTING, SourceState.QUARANTINED


# --- rate limits -----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
async def test_who_limits_rests_for_as_long_as_it_asks_and_others_serve(driver, three, clock, seed):
    chain = driver(*three)
    await chain.tip()
    three[0]._chance.seed(seed)
    three[0].mode, three[0].retry_after = Mode.LIMITED, 30
    await clock.advance(6)
    await chain.tip()
    assert states(chain) == [RESTING, SERVING, STANDBY]
    assert "limits how often" in chain.sources()[0].reason

    asked = three[0].asks
    for _ in range(4):
        await clock.advance(6)
        await chain.tip()
    assert three[0].asks == asked
    three[0].mode = Mode.HONEST
    await clock.advance(7)
    await chain.tip()
    assert states(chain) == [STANDBY, SERVING, STANDBY]


async def test_an_only_endpoint_that_limits_is_left_alone_too(driver, three, clock):
    chain = driver(three[0])
    three[0].mode, three[0].retry_after = Mode.LIMITED, 20
    with pytest.raises(ChainUnavailable):
        await chain.tip()
    asked = three[0].asks
    for _ in range(5):
        with pytest.raises(ChainUnavailable, match="limits how often"):
            await chain.tip()
    assert three[0].asks == asked
    three[0].mode = Mode.HONEST
    await clock.advance(21)
    assert (await chain.tip()).block.height == 20


@pytest.mark.parametrize(
    ("error", "limited"),
    [
        ({"code": -32005, "message": "daily request count exceeded, request rate limited"}, True),
        ({"code": -32005, "message": "limit exceeded", "data": {"rate": {"backoff_seconds": 5}}}, True),
        ({"code": -32029, "message": "Too Many Requests"}, True),
        ({"code": 429, "message": "Your app has exceeded its compute units per second capacity"}, True),
        ({"code": -32005, "message": "query returned more than 10000 results"}, False),
        ({"code": -32005, "message": "limit exceeded"}, False),
        ({"code": -32602, "message": "block range is too wide"}, False),
    ],
)
async def test_a_limit_on_how_often_is_told_from_a_limit_on_how_much(make_chain, proxy, error, limited):
    endpoint = make_chain(proxy.url)._rpc.endpoints[0]
    proxy.tamper = lambda _calls, answers: [{"jsonrpc": "2.0", "id": each["id"], "error": error} for each in answers]
    with pytest.raises(RateLimited if limited else NodeError):
        await endpoint.ask([Call("eth_blockNumber")])


# --- batches ---------------------------------------------------------------------


@pytest.mark.parametrize("most", [0, 1, 3, 10])
async def test_what_a_node_does_not_take_at_once_is_asked_in_parts(anvil, make_chain, proxy, most):
    anvil.mine(9)
    endpoint = make_chain(proxy.url)._rpc.endpoints[0]

    def refuse(calls, answers):
        if len(calls) > most + 1:
            return {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batch too large"}}
        return answers

    proxy.tamper = refuse
    calls = [Call("eth_getBlockByNumber", (hex(height), False)) for height in range(10)]
    assert [int(each["number"], 16) for each in await endpoint.ask(calls)] == list(range(10))
    proxy.batches.clear()
    await endpoint.ask(calls)
    assert max(map(len, proxy.batches)) <= most + 1


# --- quarantine ------------------------------------------------------------------


async def test_a_fork_is_found_by_the_majority_and_let_in_again_when_it_agrees(driver, three, clock, fork):
    chain = driver(*three)
    three[0].mode, three[0].fork = Mode.FORK, fork.url
    for _ in range(2):
        assert (await chain.tip()).block.height == 20
        await clock.advance(6)
    assert states(chain)[0] is OUT
    assert "on a fork" in chain.sources()[0].reason or "ahead" in chain.sources()[0].reason

    three[0].mode = Mode.HONEST
    await clock.advance(61)
    await chain.tip()
    assert OUT not in states(chain)


async def test_each_further_quarantine_lasts_longer(driver, three, clock, fork):
    chain = driver(*three)
    three[0].mode, three[0].fork = Mode.FORK, fork.url
    waits = []
    last = None
    for second in range(300):
        await chain.tip()
        asked = three[0].asks
        if last is not None and asked != last:
            waits.append(second)
        last = asked
        await clock.advance(1)
    gaps = [after - before for before, after in itertools.pairwise(waits)]
    assert gaps == sorted(gaps)
    assert gaps[-1] >= 100


async def test_two_that_contradict_each_other_leave_nothing_to_believe(driver, three, clock, fork):
    chain = driver(*three[:2])
    await chain.tip()
    three[0].mode, three[0].fork = Mode.FORK, fork.url
    await clock.advance(6)
    for _ in range(2):
        with pytest.raises(ChainUnavailable, match="contradict each other"):
            await chain.tip()
    three[0].mode = Mode.HONEST
    assert (await chain.tip()).block.height == 20


async def test_a_node_that_lags_far_behind_is_stale_and_one_that_lags_a_little_is_not_served(anvil, driver, three, clock):
    anvil.mine(60)
    chain = driver(*three)
    three[0].mode, three[0].depth = Mode.LAG, 5
    await chain.tip()
    await clock.advance(6)
    assert (await chain.tip()).block.height == 80
    assert states(chain) != [SERVING, STANDBY, STANDBY]
    assert OUT not in states(chain)
    three[0].depth = 50
    await clock.advance(6)
    await chain.tip()
    assert states(chain)[0] is OUT
    assert "behind" in chain.sources()[0].reason


async def test_the_age_of_the_head_counts_where_the_chain_is_not_idle(anvil, driver, three, clock):
    chain = driver(*three, idle=False)
    await clock.advance(600)
    anvil.rpc("evm_setNextBlockTimestamp", int(clock.now().timestamp()))
    anvil.mine()
    three[2].mode, three[2].depth = Mode.LAG, 1
    assert (await chain.tip()).block.height == 21
    assert states(chain) == [SERVING, STANDBY, OUT]
    assert "s old" in chain.sources()[2].reason


async def test_of_two_the_one_that_goes_on_serves_where_the_age_of_a_block_tells_nothing(anvil, driver, three, clock):
    chain = driver(*three)
    start = (await chain.tip()).block
    three[2].mode = Mode.DOWN
    await clock.advance(6)
    await chain.tip()
    await clock.advance(130)
    three[0].mode, three[0].fixed = Mode.LAG, start.height
    for _ in range(20):
        anvil.mine(3)
        await clock.advance(6)
        tip = await chain.tip()
    # What only one of them has reached can be seen, and counts for nothing.
    assert (tip.block.height, tip.witnessed) == (80, 20)
    assert (await chain.scan(Watchlist([]), start, tip.block)).cursor.height > start.height
    assert states(chain)[:2] == [RESTING, SERVING]
    assert "no new block for" in chain.sources()[0].reason

    three[0].mode = Mode.HONEST
    await clock.advance(6)
    tip = await chain.tip()
    assert (tip.block.height, tip.witnessed) == (80, 80)
    assert RESTING not in states(chain)[:2]


async def test_an_endpoint_of_an_idle_network_may_be_the_last_to_hear_of_a_block(anvil, driver, three, clock):
    chain = driver(*three[:2])
    await chain.tip()
    await clock.advance(600)
    anvil.mine()
    three[0].mode, three[0].depth = Mode.LAG, 1
    assert (await chain.tip()).block.height == 20
    assert states(chain) == [SERVING, STANDBY]


async def test_who_pretends_to_be_far_ahead_is_not_believed(driver, three, clock, fork):
    fork.mine(200)
    chain = driver(*three)
    await chain.tip()
    three[0].mode, three[0].fork = Mode.FORK, fork.url
    for _ in range(3):
        try:
            assert (await chain.tip()).block.height == 20
        except ChainUnavailable as exc:
            assert "far ahead" in exc.message  # noqa: PT017 - either is right
        await clock.advance(6)
    assert states(chain)[0] is OUT


async def test_depth_is_counted_from_what_two_have_reached(anvil, driver, three, clock):
    chain = driver(*three[:2])
    await chain.tip()
    three[1].mode, three[1].depth = Mode.LAG, 2
    await clock.advance(6)
    tip = await chain.tip()
    assert (tip.block.height, tip.witnessed) == (20, 18)


async def test_one_endpoint_is_compared_with_nobody(driver, three, clock):
    chain = driver(three[0])
    for _ in range(5):
        tip = await chain.tip()
        await clock.advance(30)
    assert (three[0].asked["eth_getBlockByNumber"], tip.witnessed) == (10, None)
    assert await chain.corroborate([]) == {}


# --- reorganisations -------------------------------------------------------------


async def test_one_forked_endpoint_alone_takes_nothing_back(anvil, driver, three, clock, fork):
    chain = driver(*three)
    start = (await chain.tip()).block
    anvil.mine()
    until = (await chain.tip()).block
    three[0].mode, three[0].fork = Mode.FORK, fork.url
    with pytest.raises(ChainUnavailable):
        await chain.scan(Watchlist([]), start, until)
    assert states(chain)[0] is OUT
    assert (await chain.scan(Watchlist([]), start, until)).cursor == until


async def test_steps_do_not_wait_for_each_other(driver, three):
    chain = driver(*three)
    tips = await asyncio.gather(*(chain.tip() for _ in range(5)))
    assert {each.block.height for each in tips} == {20}
