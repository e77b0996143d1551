from dataclasses import dataclass
from typing import Any

import pytest

from pepay_core.api import Token
from pepay_core.domain.errors import UnknownAsset
from pepay_core.plugins.catalogue import Catalogue


@dataclass
class Given:
    plugin: str
    value: Any


@dataclass
class Driver:
    id: str


@pytest.fixture
def catalogue():
    filled = Catalogue()
    filled.add_chains([Given("evm", Driver("eip155:1")), Given("evm", Driver("eip155:56")), Given("solana", Driver("solana:main"))])
    filled.add_tokens(
        [
            Given("evm", Token("eip155:1/slip44:60", "ETH", 18, "ethereum")),
            Given("evm", Token("eip155:56/slip44:714", "BNB", 18, "binancecoin")),
            Given("more", Token("eip155:1/erc20:0xaa", "USDC", 6, "usd-coin")),
        ]
    )
    return filled


def test_chains_and_tokens_are_found_by_their_exact_ids(catalogue):
    assert catalogue.chain("eip155:1").id == "eip155:1"
    assert catalogue.token("eip155:1/erc20:0xaa").symbol == "USDC"


@pytest.mark.parametrize("asset", ["", "eip155:1", "eip155:1/erc20:0xAA", "eip155:1/erc20:0xab"])
def test_an_asset_that_nobody_contributes_is_unknown(asset, catalogue):
    with pytest.raises(UnknownAsset):
        catalogue.token(asset)


def test_a_chain_that_nobody_contributes_is_unknown(catalogue):
    with pytest.raises(UnknownAsset):
        catalogue.chain("eip155:2")


def test_a_family_is_all_chains_that_share_wallets(catalogue):
    assert [chain.id for chain in catalogue.family("eip155")] == ["eip155:1", "eip155:56"]
    assert catalogue.family("bip122") == []


def test_the_tokens_of_a_chain_are_those_and_no_others(catalogue):
    assert [token.symbol for token in catalogue.tokens_on("eip155:1")] == ["ETH", "USDC"]
    assert catalogue.tokens_on("solana:main") == []


def test_a_token_may_come_from_another_plugin_than_its_chain(catalogue):
    assert catalogue.owner("token", "eip155:1/erc20:0xaa") == "more"
    assert catalogue.of("more") == ("token eip155:1/erc20:0xaa",)


def test_dropping_a_plugin_takes_the_tokens_that_others_have_on_its_chains(catalogue):
    catalogue.drop("evm")

    assert list(catalogue.chains) == ["solana:main"]
    assert catalogue.tokens == {}
    assert catalogue.of("more") == ()


def test_dropping_a_plugin_leaves_the_others_alone(catalogue):
    catalogue.drop("more")

    assert [token.symbol for token in catalogue.tokens.values()] == ["ETH", "BNB"]


def test_a_chain_that_one_plugin_gives_twice_is_refused_and_preferring_it_does_not_help():
    catalogue = Catalogue({"eip155:1": "evm"})

    problems = catalogue.add_chains([Given("evm", Driver("eip155:1")), Given("evm", Driver("eip155:1"))])

    assert catalogue.chains == {}
    assert {each.reason for each in problems} == {"chain eip155:1 is contributed twice"}


def test_preferring_a_plugin_that_does_not_contribute_decides_nothing():
    catalogue = Catalogue({"eip155:1": "other"})

    problems = catalogue.add_chains([Given("one", Driver("eip155:1")), Given("two", Driver("eip155:1"))])

    assert len(problems) == 2
    assert catalogue.chains == {}
