from __future__ import annotations

from decimal import Decimal

import pytest

from pepay_core.domain.assets import Token, asset_id, canonical_asset, chain_id, chain_of, family_of
from pepay_core.domain.errors import InvalidInput

USDC = "eip155:42161/erc20:0xaf88d065e77c8cc2239327c5edb3a432268e5831"
SOLANA = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"


def token(**changes):
    return Token(**{"id": USDC, "symbol": "USDC", "decimals": 6, "rate_id": "usd-coin", **changes})


@pytest.mark.parametrize("text", ["eip155:1", "eip155:42161", SOLANA, "cosmos:Binance-Chain-Tigris", "toy:1"])
def test_chain_ids_are_those_of_caip_2(text):
    assert chain_id(text) == text


@pytest.mark.parametrize(
    "text", ["", "1", "eip155", "eip155:", ":1", "EIP155:1", "ab:1", "eip155:1 ", "eip155:1/slip44:60", "eip155:" + "1" * 33, "eip155:٣"]
)
def test_other_texts_are_not_chain_ids(text):
    with pytest.raises(InvalidInput):
        chain_id(text)


@pytest.mark.parametrize("text", ["eip155:1/slip44:60", USDC, f"{SOLANA}/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"])
def test_asset_ids_are_those_of_caip_19(text):
    assert asset_id(text) == text
    assert asset_id(canonical_asset(text)) == canonical_asset(text)


@pytest.mark.parametrize(
    "text", ["", "eip155:1", "eip155:1/", "eip155:1/slip44", "eip155:1/slip44:", "eip155:1/slip44:60/1", "ETH", USDC + "\n", USDC + "="]
)
def test_other_texts_are_not_asset_ids(text):
    with pytest.raises(InvalidInput):
        asset_id(text)


def test_an_error_repeats_only_the_beginning_of_what_was_typed():
    with pytest.raises(InvalidInput) as caught:
        asset_id("x" * 10_000)
    assert len(str(caught.value)) < 300


def test_evm_references_have_one_spelling_and_solana_references_keep_theirs():
    assert canonical_asset(USDC.replace("af88", "AF88")) == USDC
    mint = f"{SOLANA}/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
    assert canonical_asset(mint) == mint


def test_an_asset_names_its_chain_and_family():
    assert (chain_of(USDC), family_of(chain_of(USDC))) == ("eip155:42161", "eip155")
    assert (token().chain, family_of(SOLANA)) == ("eip155:42161", "solana")


@pytest.mark.parametrize(
    ("rate_id", "currency"), [("usd-coin", "USD"), ("tether", "USD"), ("euro-coin", "EUR"), ("ethereum", None), ("usd-coin-2", None)]
)
def test_a_stablecoin_is_known_by_its_rate_and_not_by_its_symbol(rate_id, currency):
    assert token(rate_id=rate_id, symbol="USDC").stable == currency


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({}, "0.01"),
        ({"rate_id": "ethereum", "symbol": "ETH", "decimals": 18}, "0.00001"),
        ({"rate_id": "binancecoin", "symbol": "BNB", "decimals": 18}, "0.0001"),
        ({"rate_id": "chainlink", "symbol": "LINK", "decimals": 18}, "0.000001"),
        ({"rate_id": "chainlink", "symbol": "LINK", "decimals": 2}, "0.01"),
        ({"decimals": 0}, "1"),
    ],
)
def test_what_is_asked_is_rounded_to_a_short_step_never_finer_than_a_base_unit(changes, step):
    assert token(**changes).step == Decimal(step)
