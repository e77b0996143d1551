from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from pepay_core.domain.assets import Address, AssetId, ChainId
from pepay_core.domain.chains import Block, Destination, Transfer
from pepay_core.domain.recognising import recognised

T0 = datetime(2026, 11, 1, 12, tzinfo=UTC)
ETH = AssetId("eip155:1/slip44:60")
BLOCK = Block(7, "0xb7", T0)


def inner(ordinal, units=5, *, tx="0x1", to="0xa", block=BLOCK, index="t{}"):
    return Transfer(ChainId("eip155:1"), tx, index.format(ordinal), ETH, Destination(Address(to)), units, block)


def grown(units=5, *, to="0xa", block=BLOCK):
    return Transfer(ChainId("eip155:1"), f"balance:{to}:{block.hash}", "0", ETH, Destination(Address(to)), units, block)


def test_what_is_known_by_a_balance_keeps_that_name_when_its_transactions_are_seen():
    assert recognised([inner(0, 2), inner(1, 3)], [grown(5)]) == (grown(5),)


def test_what_is_known_by_its_transactions_keeps_those_names_when_a_balance_is_seen():
    assert recognised([grown(5)], [inner(0, 2), inner(1, 3)]) == (inner(0, 2), inner(1, 3))


def test_what_is_new_keeps_its_own_name():
    for found in ([inner(0), inner(1)], [grown()], [inner(0), grown(to="0xb")]):
        assert recognised(found, []) == tuple(found)
        assert recognised(found, found) == tuple(found)


def test_another_address_another_block_and_another_fork_are_other_money():
    other, later, fork = "0xb", Block(8, "0xb8", T0), Block(7, "0xc7", T0)
    for found in (inner(0, to=other), inner(0, block=later), inner(0, block=fork)):
        assert recognised([found], [grown()]) == (found,)
    for found in (grown(to=other), grown(block=later), grown(block=fork)):
        assert recognised([found], [inner(0)]) == (found,)


def test_what_a_transaction_carries_itself_and_events_are_never_what_a_balance_stands_for():
    carried, event = inner(0, index="{}"), inner(3, index="{}")
    assert recognised([carried, event], [grown()]) == (carried, event)
    assert recognised([grown()], [carried, event]) == (grown(),)


def test_another_asset_is_never_what_a_balance_stands_for():
    token = replace(inner(0), asset=AssetId("eip155:1/erc20:0x1"))
    assert recognised([token], [grown()]) == (token,)


PLACES = st.tuples(st.sampled_from("abc"), st.integers(7, 9))


@given(st.lists(st.tuples(PLACES, st.integers(1, 3)), max_size=8), st.lists(st.booleans(), min_size=2, max_size=6))
def test_whatever_kinds_of_endpoints_look_in_whatever_order_the_money_is_credited_once(sent, looks):
    moves = [
        inner(number, units, tx=f"0x{number}", to=f"0x{to}", block=Block(height, f"0xb{height}", T0))
        for number, ((to, height), units) in enumerate(sent)
    ]
    sums = {}
    for move in moves:
        sums[move.to, move.block] = sums.get((move.to, move.block), 0) + move.units
    balances = [grown(units, to=to.address, block=block) for (to, block), units in sums.items()]
    credited = {}
    for traced in looks:
        for transfer in recognised(moves if traced else balances, credited.values()):
            credited[transfer.key] = transfer
        assert sum(each.units for each in credited.values()) == sum(sums.values())
