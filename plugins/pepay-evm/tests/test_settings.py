from __future__ import annotations

from decimal import Decimal

import pytest

from pepay_core.api import Finality, FinalityBand
from pepay_core.plugins.validating import Invalid, validate
from pepay_evm.settings import EvmSettings

URL = "https://rpc.example.com/v2/very-secret-key"
USDC = "0xaf88d065e77c8cC2239327C5EDb3A432268e5831"
DEV = {"chain": "eip155:31337", "rpc": [URL], "native": {"symbol": "ETH", "rate_id": "ethereum"}}
TOKEN = {"symbol": "USDC", "address": USDC, "decimals": 6, "rate_id": "usd-coin"}


def settings(**networks):
    return validate(EvmSettings, {"networks": networks}, section="plugin.evm")


def only(**networks):
    (network,) = settings(**networks).resolved()
    return network


def problem(**networks):
    with pytest.raises(Invalid) as caught:
        settings(**networks)
    assert "very-secret-key" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "chain", "native", "decimals"),
    [
        ("ethereum", "eip155:1", "eip155:1/slip44:60", 6),
        ("bsc", "eip155:56", "eip155:56/slip44:714", 18),
        ("avalanche", "eip155:43114", "eip155:43114/slip44:9005", 6),
        ("arbitrum", "eip155:42161", "eip155:42161/slip44:60", 6),
    ],
)
def test_the_mainnets_need_only_an_endpoint(key, chain, native, decimals):
    network = only(**{key: {"rpc": [URL]}})
    assert (network.id, network.native.id, network.native.decimals) == (chain, native, 18)
    assert [(token.symbol, token.decimals) for token in network.tokens if not token.optional] == [("USDC", decimals), ("USDT", decimals)]
    assert not network.testnet
    assert not network.idle


def test_another_network_is_described_in_full():
    network = only(dev={**DEV, "name": "Dev", "testnet": True, "confirmations": 2, "tokens": [TOKEN], "explorer": "https://scan.example.com/"})
    assert (network.name, network.number, network.native.id) == ("Dev", 31337, "eip155:31337/slip44:60")
    assert network.native.decimals == 18
    assert network.finality == Finality.confirmations(2)
    assert [token.id for token in network.tokens] == [f"eip155:31337/erc20:{USDC.lower()}"]
    assert network.explorer == "https://scan.example.com"


def test_a_testnet_mines_when_there_is_something_to_mine_unless_it_says_otherwise():
    assert only(dev={**DEV, "testnet": True}).idle
    assert not only(dev={**DEV, "testnet": True, "idle": False}).idle
    assert not only(dev=DEV).idle


def test_tokens_are_added_to_those_that_are_built_in():
    dai = {"symbol": "DAI", "address": "0xDA10009cBd5D07dd0CeCc66161FC93D7c9000da1", "decimals": 18, "rate_id": "dai"}
    assert [token.symbol for token in only(arbitrum={"rpc": [URL], "tokens": [dai]}).tokens if not token.optional] == ["USDC", "USDT", "DAI"]


def test_how_far_a_token_is_believed_is_configured():
    dai = {"symbol": "DAI", "address": "0xDA10009cBd5D07dd0CeCc66161FC93D7c9000da1", "decimals": 18, "rate_id": "dai"}
    assert only(arbitrum={"rpc": [URL]}).verify_from == Decimal(1000)
    for flag, standard, strict in ((None, False, False), (True, True, False), (False, False, True)):
        network = only(arbitrum={"rpc": [URL], "verify_from": "0.5", "tokens": [{**dai, "standard": flag} if flag is not None else dai]})
        added = network.tokens[-1].id
        assert (added in network.standard, added in network.strict, network.verify_from) == (standard, strict, Decimal("0.5"))
        assert network.tokens[0].id in network.standard
    doubted = only(arbitrum={"rpc": [URL], "tokens": [{**TOKEN, "standard": False}]})
    assert [token.symbol for token in doubted.tokens if token.id in doubted.strict] == ["USDC"]
    assert doubted.strict.isdisjoint(doubted.standard)


@pytest.mark.parametrize(
    ("rule", "finality"),
    [
        (3, Finality.confirmations(3)),
        ("finalized", Finality.finalized()),
        ([{"up_to": "100", "blocks": 2}, {"finality": "finalized"}], Finality((FinalityBand(Decimal(100), 2), FinalityBand(None, None)))),
        ([{"blocks": 5}], Finality.confirmations(5)),
    ],
)
def test_confirmations_are_a_number_or_a_word_or_bands(rule, finality):
    assert only(dev={**DEV, "confirmations": rule}).finality == finality


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rpc": []}, ["networks.dev", "rpc"]),
        ({"rpc": ["ftp://very-secret-key"]}, ["networks.dev", "rpc", "https://"]),
        ({"rpc": ["http://[very-secret-key"]}, ["networks.dev", "rpc"]),
        ({"rcp": [URL]}, ["networks.dev", "rcp"]),
        ({"chain": "eip155:0"}, ["networks.dev", "chain"]),
        ({"chain": "solana:1"}, ["networks.dev", "chain"]),
        ({"chain": None}, ["networks.dev", "chain"]),
        ({"native": None}, ["networks.dev", "native"]),
        ({"confirmations": 0}, ["networks.dev", "confirmations"]),
        ({"confirmations": "soon"}, ["networks.dev", "confirmations"]),
        ({"confirmations": [{"up_to": "100", "blocks": 2}]}, ["networks", "dev", "the last band"]),
        ({"confirmations": [{"up_to": "100", "blocks": 2}, {"up_to": "50", "blocks": 3}, {"blocks": 9}]}, ["dev", "small amounts"]),
        ({"confirmations": [{"up_to": "1e3", "blocks": 2}, {"blocks": 9}]}, ["networks.dev", "up_to"]),
        ({"confirmations": [{"blocks": 2, "finality": "finalized"}]}, ["networks.dev", "blocks"]),
        ({"tokens": [{**TOKEN, "address": USDC.replace("a", "A")}]}, ["networks.dev", "address", "checksum"]),
        ({"tokens": [{key: value for key, value in TOKEN.items() if key != "decimals"}]}, ["networks.dev", "decimals"]),
        ({"tokens": [TOKEN, {**TOKEN, "address": USDC.lower()}]}, ["dev", "same address"]),
        ({"explorer": "javascript:alert(1)"}, ["networks.dev", "explorer"]),
        ({"public_rpc": ["http://public.example.com"]}, ["networks.dev", "public_rpc", "https"]),
        ({"public_rpc": ["https://u:p@public.example.com"]}, ["networks.dev", "public_rpc"]),
        ({"public_rpc": ["https://public.example.com/?key=1"]}, ["networks.dev", "public_rpc"]),
        ({"public_rpc": [URL]}, ["networks", "dev", "public_rpc"]),
        ({"verify_from": "1e3"}, ["networks.dev", "verify_from"]),
        ({"tokens": [{**TOKEN, "standard": "maybe"}]}, ["networks.dev", "standard"]),
    ],
)
def test_an_error_names_the_network_and_the_key_and_no_secret(change, words):
    message = problem(dev={**DEV, **change})
    assert [word for word in words if word not in message] == []


def test_two_networks_cannot_be_the_same_chain():
    message = problem(one=DEV, two=DEV)
    assert "one" in message
    assert "two" in message
    assert "eip155:31337" in message


def test_a_built_in_network_keeps_its_chain_its_coin_and_its_decimals():
    assert "arbitrum" in problem(arbitrum={"rpc": [URL], "chain": "eip155:1"})
    assert "decimals" in problem(arbitrum={"rpc": [URL], "native": {"symbol": "ETH", "rate_id": "ethereum", "decimals": 6}})
    assert "has 6 decimals, not 18" in problem(mine={"rpc": [URL], "chain": "eip155:42161", "tokens": [{**TOKEN, "decimals": 18}]})


def test_endpoints_are_kept_out_of_every_representation():
    made = settings(dev=DEV)
    assert "very-secret-key" not in f"{made!r} {made} {made.resolved()!r}"
