"""What endpoints together say of a transfer that one of them reported."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from faults import FaultProxy, Mode

from pepay_core.api import Destination, SourceState, Transfer, Watchlist
from pepay_core.api import Testimony as Said
from pepay_core.testing import erc20
from pepay_core.testing.clock import FakeClock
from pepay_evm.chain import EvmChain
from pepay_evm.networks import erc20 as token_of

PAYEE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


class Case:
    """Three endpoints, and two transfers that one of them reported."""

    def __init__(self, proxies, chain, clock, native, token):
        self.proxies, self.chain, self.clock, self.native, self.token = proxies, chain, clock, native, token

    async def say(self, transfer):
        return (await self.chain.corroborate([transfer]))[transfer.key]

    def states(self):
        return [each.state for each in self.chain.sources()]


@pytest.fixture
async def case(anvil, http, make_network):
    token = anvil.deploy(erc20.coin("USDC", 6, 10**12))
    clock = FakeClock(datetime.fromtimestamp(int(anvil.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16), UTC) + timedelta(seconds=5))
    async with FaultProxy(anvil.url) as one, FaultProxy(anvil.url) as two, FaultProxy(anvil.url) as third:
        proxies = [one, two, third]
        network = make_network(*(each.url for each in proxies), tokens=(token_of("eip155:31337", "USDC", token, 6, "usd-coin"),))
        chain = EvmChain(network, http, clock)
        for each in proxies:
            each.victims, each.token = [PAYEE], token
        start = (await chain.tip()).block
        anvil.send(PAYEE, 5)
        anvil.send(token, data=erc20.transfer(PAYEE, 7), gas=100_000)
        anvil.mine(2)
        scan = await chain.scan(Watchlist([Destination(PAYEE)]), start, (await chain.tip()).block)
        native, paid = sorted(scan.transfers, key=lambda each: each.units)
        yield Case(proxies, chain, clock, native, paid)


async def test_two_that_hold_it_agree_and_the_third_is_not_asked(case):
    before = [each.asks for each in case.proxies]
    assert await case.say(case.native) is Said.AGREED
    assert await case.say(case.token) is Said.AGREED
    assert sum(each.asks > count for each, count in zip(case.proxies, before, strict=True)) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"units": 8},
        {"to": Destination("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")},
        {"index": "2"},
        {"index": "0"},
        {"tx": "0x" + "5" * 64},
    ],
)
async def test_what_differs_in_anything_is_refuted(case, change):
    assert await case.say(replace(case.token, **change)) is Said.REFUTED


async def test_a_transfer_in_a_block_that_nobody_has_is_contradicted(case):
    phantom = replace(case.native, block=replace(case.native.block, hash="0x" + "6" * 64))
    assert await case.say(phantom) is Said.CONTRADICTED
    assert SourceState.QUARANTINED not in case.states()


async def test_who_is_alone_with_its_word_is_outvoted_and_out(case):
    case.proxies[0].mode = Mode.OMIT
    assert await case.say(case.token) is Said.AGREED
    assert case.states()[0] is SourceState.QUARANTINED
    assert "contradicts the others" in case.chain.sources()[0].reason


async def test_a_liars_report_is_refuted_and_the_liar_out(case):
    case.proxies[0].mode = Mode.INFLATE
    assert await case.say(replace(case.token, units=7000)) is Said.REFUTED
    assert case.states()[0] is SourceState.QUARANTINED


async def test_two_that_differ_and_nobody_to_decide_is_a_contradiction(case):
    case.proxies[0].mode, case.proxies[2].mode = Mode.OMIT, Mode.DOWN
    assert await case.say(case.token) is Said.CONTRADICTED
    assert SourceState.QUARANTINED not in case.states()


async def test_who_is_silent_is_waited_for_two_minutes(case):
    case.proxies[1].mode = case.proxies[2].mode = Mode.DOWN
    assert await case.say(case.token) is Said.AWAITED
    await case.clock.advance(119)
    assert await case.say(case.token) is Said.AWAITED
    await case.clock.advance(2)
    assert await case.say(case.token) is Said.UNHEARD
    case.proxies[1].mode = Mode.HONEST
    assert await case.say(case.token) is Said.AGREED


async def test_who_lags_cannot_tell(case):
    case.proxies[1].mode = case.proxies[2].mode = Mode.LAG
    assert await case.say(case.token) is Said.AWAITED


async def test_what_only_a_balance_proves_is_asked_of_balances(case):
    block = case.native.block
    by_balance = Transfer(case.native.chain, f"balance:{PAYEE}:{block.hash}", "0", case.native.asset, Destination(PAYEE), 5, block)
    assert await case.say(by_balance) is Said.AGREED
    # Nothing has left in that block, so what is missing never came.
    assert await case.say(replace(by_balance, units=6)) is Said.REFUTED
    case.proxies[0].mode = Mode.ENRICH
    assert await case.say(by_balance) is Said.AGREED


async def test_what_a_contract_sent_is_asked_of_the_transaction_and_of_balances(case):
    inside = replace(case.native, index="t0_1")
    assert await case.say(inside) is Said.AGREED
    assert await case.say(replace(inside, units=6)) is Said.REFUTED
    assert await case.say(replace(inside, tx="0x" + "5" * 64)) is Said.REFUTED


async def test_many_are_asked_about_in_few_requests(case):
    before = sum(each.asked.get("eth_chainId", 0) for each in case.proxies)
    several = [replace(case.token, tx=f"0x{number:064x}") for number in range(60)]
    said = await case.chain.corroborate(several)
    assert set(said.values()) == {Said.REFUTED}
    assert sum(each.asked["eth_chainId"] for each in case.proxies) - before == 4
