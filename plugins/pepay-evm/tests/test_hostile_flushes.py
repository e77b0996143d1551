"""What tokens and treasuries can try while a flush is running, and what must not come of it."""

import pytest
from depot import NATIVE, Depot, word
from hostile import (
    CLOSED_CALLS,
    CLOSED_CREATION,
    GAS_BURNER_CREATION,
    LIAR_CREATION,
    PICKY_CALLS,
    PICKY_CREATION,
    REENTRANT_CALLS,
    REENTRANT_CREATION,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pepay_core.testing import erc20
from pepay_core.testing.anvil import new_anvil
from pepay_evm.bytecode import DEPOSIT_FACTORY_CALLS
from pepay_evm.deposits import FACTORY, Treasury

TREASURY = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
THIEF = "0x00000000000000000000000000000000DeaDBeef"
MINT = REENTRANT_CALLS["mint(address,uint256)"]


@pytest.fixture
def depot(anvil):
    return Depot(anvil)


def mint(depot, token, to, units):
    assert depot.run(token, f"{MINT}{word(to)}{word(units)}")["status"] == "0x1"


def call_back(thief, loot, refs):
    listed = "".join(ref.hex() for ref in refs)
    return f"{REENTRANT_CALLS['prepare(address,address,bytes32[])']}{word(thief)}{word(loot)}{word(96)}{word(len(refs))}{listed}"


def test_a_token_that_calls_back_into_the_factory_gets_nothing_for_its_maker(depot):
    treasury, usdc = Treasury.new(TREASURY), depot.coin()
    token = depot.coin(REENTRANT_CREATION + word(FACTORY))
    refs = [treasury.ref(index) for index in range(3)]
    for index in range(3):
        mint(depot, token, treasury.deposit(index), 5)
        depot.run(usdc, erc20.transfer(treasury.deposit(index), 1_000_000))
        depot.run(treasury.deposit(index), value=10**18)
    # With something at a deposit of the thief's own, a flush of it would really run, and leave its job behind.
    bait = "0x" + depot.node.call(FACTORY, DEPOSIT_FACTORY_CALLS["depositOf(address,bytes32)"] + word(THIEF) + word(0))[-40:]
    depot.run(bait, value=1)
    depot.run(usdc, erc20.transfer(bait, 1))
    before = depot.node.balance(TREASURY)
    for loot in (usdc, NATIVE, token):
        # It asks for the deposits that wait behind the one being flushed, for this very one, and for one of the thief's own.
        depot.run(token, call_back(THIEF, loot, [*refs, bytes(32)]))

        depot.flush(TREASURY, token, refs)
        depot.flush(TREASURY, usdc, refs)

        assert depot.held(usdc, THIEF) == depot.held(token, THIEF) == depot.node.balance(THIEF) == 0
        assert int(depot.node.call(token, REENTRANT_CALLS["refusals()"]), 16) > 0
        for index in range(3):
            mint(depot, token, treasury.deposit(index), 5)
    assert depot.held(usdc, TREASURY) == 3_000_000
    assert depot.node.balance(TREASURY) == before + 3 * 10**18


def test_a_token_that_says_it_was_moved_and_was_not_is_told_apart(depot):
    treasury, token = Treasury.new(TREASURY), depot.coin(LIAR_CREATION)
    mint(depot, token, treasury.deposit(0), 5)

    receipt = depot.flush(TREASURY, token, [treasury.ref(0)])

    assert not depot.events(receipt)
    assert len(depot.events(receipt, "Refused")) == 1
    assert depot.failed(TREASURY, token, [treasury.ref(0)]) == 1


def test_one_deposit_that_its_token_holds_back_does_not_stop_the_others(depot):
    treasury, token = Treasury.new(TREASURY), depot.coin(PICKY_CREATION)
    refs = [treasury.ref(index) for index in range(5)]
    for index in range(5):
        mint(depot, token, treasury.deposit(index), 5)
    depot.run(treasury.deposit(2), value=10**18)
    depot.run(token, f"{PICKY_CALLS['block_(address,bool)']}{word(treasury.deposit(2))}{word(1)}")

    assert depot.failed(TREASURY, token, refs) == 0b00100
    receipt = depot.flush(TREASURY, token, refs)

    assert depot.held(token, TREASURY) == 20
    assert [log["topics"][2] for log in depot.events(receipt, "Refused")] == ["0x" + word(treasury.deposit(2))]
    assert (depot.held(token, treasury.deposit(2)), depot.node.balance(treasury.deposit(2))) == (5, 10**18)
    # The coins beside the held token are not held with it.
    before = depot.node.balance(TREASURY)
    depot.flush(TREASURY, NATIVE, [treasury.ref(2)])
    assert depot.node.balance(TREASURY) == before + 10**18


def test_a_token_that_burns_its_gas_burns_no_more_than_the_caller_gave_it(depot):
    treasury, token = Treasury.new(TREASURY), depot.coin(GAS_BURNER_CREATION)
    refs = [treasury.ref(index) for index in range(3)]
    for index in range(3):
        mint(depot, token, treasury.deposit(index), 5)

    receipt = depot.flush(TREASURY, token, refs, gas_each=100_000)

    assert receipt["status"] == "0x1"
    assert len(depot.events(receipt, "Refused")) == 3
    assert int(receipt["gasUsed"], 16) < 3 * 220_000


def test_a_treasury_that_takes_no_coins_keeps_them_waiting_and_loses_nothing(depot):
    contract = depot.node.deploy(CLOSED_CREATION)
    treasury, token = Treasury.new(contract), depot.coin()
    address = treasury.deposit(0)
    depot.run(address, value=10**18)
    depot.run(token, erc20.transfer(address, 7))

    for asset in (NATIVE, token):
        receipt = depot.flush(contract, asset, [treasury.ref(0)])
        assert len(depot.events(receipt, "Refused")) == 1
        assert not depot.events(receipt)
        assert (depot.node.balance(address), depot.held(token, address)) == (10**18, 7)

    depot.run(contract, CLOSED_CALLS["open()"])
    depot.flush(contract, token, [treasury.ref(0)])
    assert (depot.node.balance(contract), depot.held(token, contract)) == (10**18, 7)


@pytest.mark.parametrize("token", [THIEF, "0x" + f"{2:040x}", "0x" + f"{4:040x}"], ids=["an account", "a hash function", "the identity"])
def test_what_is_no_token_moves_nothing(depot, token):
    treasury = Treasury.new(TREASURY)
    depot.run(treasury.deposit(0), value=10**18)

    receipt = depot.flush(TREASURY, token, [treasury.ref(0)])

    assert len(depot.events(receipt, "Refused")) == 1
    assert depot.node.balance(treasury.deposit(0)) == 10**18


# --- properties ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared():
    """Return a factory, three tokens and two treasuries that many examples use, each from the same snapshot."""
    with new_anvil() as node:
        depot = Depot(node)
        tokens = [NATIVE, depot.coin(), depot.coin(erc20.silent_coin("USDT", 6, 10**15))]
        yield depot, tokens, [Treasury.new(TREASURY), Treasury.new(THIEF)]


payments = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(1, 10**9)), max_size=8)
batches = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2), st.lists(st.integers(0, 5), max_size=8)), min_size=1, max_size=4)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payments=payments, batches=batches)
def test_in_any_order_money_is_conserved_and_only_its_treasury_receives_it(shared, payments, batches):
    depot, tokens, treasuries = shared
    node = depot.node
    snapshot = node.snapshot()
    mine, other = treasuries

    def balance(token, owner):
        return node.balance(owner) if token == NATIVE else depot.held(token, owner)

    places = [mine.deposit(index) for index in range(6)]
    start = {token: balance(token, mine.address) for token in tokens}
    waiting = {(index, number): 0 for index in range(6) for number in range(3)}
    for index, number, units in payments:
        token = tokens[number]
        depot.run(
            places[index] if token == NATIVE else token, "0x" if token == NATIVE else erc20.transfer(places[index], units), units * (token == NATIVE)
        )
        waiting[index, number] += units
    moved = [0, 0, 0]
    for whose, number, chosen in batches:
        # Whoever names another treasury with the same refs has named other addresses.
        named = (mine, other)[whose]
        receipt = depot.flush(named.address, tokens[number], [mine.ref(index) for index in chosen])
        assert receipt["status"] == "0x1"
        told = sum(int(log["data"], 16) for log in depot.events(receipt))
        expected = 0
        for index in set(chosen) if whose == 0 else ():
            for which in {0, number}:
                expected += waiting[index, which]
                moved[which] += waiting[index, which]
                waiting[index, which] = 0
        assert told == expected

    assert {key: balance(tokens[key[1]], places[key[0]]) for key in waiting} == waiting
    assert [balance(token, mine.address) - start[token] for token in tokens] == moved
    assert [balance(token, other.address) for token in tokens] == [0, 0, 0]
    assert [balance(token, FACTORY) for token in tokens] == [0, 0, 0]
    node.revert(snapshot)
