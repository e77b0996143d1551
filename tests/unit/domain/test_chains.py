from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pepay_core.domain.chains import Block, Destination, Finality, FinalityBand, Tip, Transfer
from pepay_core.domain.sources import Testimony as Said

AT = datetime(2026, 1, 1, tzinfo=UTC)
BLOCK = Block(100, "0xabc", AT)
BANDS = Finality((FinalityBand(Decimal(100), 2), FinalityBand(Decimal(1000), 12), FinalityBand(None, None)))


def transfer(**changes):
    fields = {
        "chain": "eip155:1",
        "tx": "0x01",
        "index": "0",
        "asset": "eip155:1/slip44:60",
        "to": Destination("0x02"),
        "units": 1,
        "block": BLOCK,
    }
    return Transfer(**{**fields, **changes})


def tip(height, finalized=None):
    return Tip(Block(height, "0x", AT), finalized)


# --- transfers -------------------------------------------------------------------


@given(st.integers(1, 2**256 - 1))
def test_a_transfer_carries_any_amount_exactly(units):
    assert transfer(units=units).units == units


@pytest.mark.parametrize("units", [0, -1, 2**256, 1.0, Decimal(1), "1", True, None])
def test_a_transfer_is_a_positive_integer_of_base_units(units):
    with pytest.raises(TypeError):
        transfer(units=units)


@pytest.mark.parametrize("index", ["", 0, None, b"0"])
def test_a_transfer_has_an_ordinal_as_text(index):
    with pytest.raises(TypeError):
        transfer(index=index)


def test_a_key_is_what_a_reorganisation_does_not_change():
    moved = transfer(block=Block(105, "0xdef", AT))
    assert moved.key == transfer().key
    assert moved != transfer()


@pytest.mark.parametrize("change", [{"chain": "eip155:2"}, {"tx": "0x02"}, {"index": "1"}, {"asset": "eip155:1/erc20:0x03"}])
def test_every_part_of_a_key_tells_transfers_apart(change):
    assert transfer(**change).key != transfer().key


def test_a_changed_transfer_is_checked_again():
    with pytest.raises(TypeError):
        replace(transfer(), units=0)


# --- finality --------------------------------------------------------------------


@pytest.mark.parametrize(("height", "reached"), [(99, True), (100, True), (101, False)])
def test_the_block_of_a_transfer_is_its_first_confirmation(height, reached):
    assert Finality.confirmations(2).reached(height=height, tip=tip(101), value=None) is reached


def test_one_confirmation_is_the_block_itself():
    assert Finality.confirmations(1).reached(height=100, tip=tip(100), value=None)
    assert not Finality.confirmations(1).reached(height=101, tip=tip(100), value=None)


@pytest.mark.parametrize(("finalized", "reached"), [(None, False), (99, False), (100, True), (101, True)])
def test_a_finalized_rule_needs_the_chains_own_word(finalized, reached):
    assert Finality.finalized().reached(height=100, tip=tip(10_000, finalized), value=None) is reached


@pytest.mark.parametrize(("value", "blocks"), [("0", 2), ("99.99", 2), ("100", 2), ("100.01", 12), ("1000", 12), ("1000.01", None)])
def test_the_first_band_that_covers_the_value_decides(value, blocks):
    assert BANDS.band(Decimal(value)).blocks == blocks


def test_an_unknown_value_gets_the_strictest_band():
    assert BANDS.band(None).blocks is None


def test_a_band_decides_for_each_amount_on_its_own():
    seen_from = tip(101, finalized=90)
    assert BANDS.reached(height=100, tip=seen_from, value=Decimal(50))
    assert not BANDS.reached(height=100, tip=seen_from, value=Decimal(500))
    assert not BANDS.reached(height=100, tip=seen_from, value=Decimal(5000))
    assert BANDS.reached(height=90, tip=seen_from, value=Decimal(5000))


@pytest.mark.parametrize("bands", [(), (FinalityBand(Decimal(100), 2),), (FinalityBand(None, 2), FinalityBand(Decimal(100), 3))])
def test_every_amount_must_have_a_rule(bands):
    with pytest.raises(ValueError, match="last band"):
        Finality(bands)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 1000))
def test_finality_is_never_lost_as_the_chain_grows(height, grown, blocks):
    rule = Finality.confirmations(blocks)
    if rule.reached(height=height, tip=tip(height + grown), value=None):
        assert rule.reached(height=height, tip=tip(height + grown + 1), value=None)


# --- what others say -------------------------------------------------------------


@pytest.mark.parametrize("value", [Decimal(1), Decimal(1000), Decimal("1000.01"), None])
@pytest.mark.parametrize("alone_up_to", [None, Decimal(0), Decimal(1000)])
@pytest.mark.parametrize("testimony", [None, *Said])
def test_only_agreement_and_having_nobody_to_ask_allow_any_amount(testimony, alone_up_to, value):
    believed = Finality((FinalityBand(None, 1),), alone_up_to).believes(testimony, value)
    if testimony in {None, Said.AGREED}:
        assert believed
    elif testimony is Said.UNHEARD:
        assert believed is (alone_up_to is None or (value is not None and value <= alone_up_to))
    else:
        assert not believed


def test_a_merchants_bands_do_not_change_who_must_agree():
    network = Finality((FinalityBand(None, 12),), Decimal(50))
    own = Finality.confirmations(1)
    assert network.preferring(own) == Finality((FinalityBand(None, 1),), Decimal(50))
    assert network.preferring(None) is network


def test_depth_ends_at_what_a_second_source_has_reached():
    rule, block = Finality.confirmations(3), Block(12, "0xc", AT)
    assert rule.reached(height=10, tip=Tip(block), value=None)
    assert rule.reached(height=10, tip=Tip(block, witnessed=13), value=None)
    assert not rule.reached(height=10, tip=Tip(block, witnessed=11), value=None)
