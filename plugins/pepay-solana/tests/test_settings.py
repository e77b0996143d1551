from __future__ import annotations

import pytest
from pydantic import ValidationError

from pepay_core.api import FinalityBand
from pepay_solana.addresses import TOKEN, TOKEN_2022
from pepay_solana.clusters import mints
from pepay_solana.settings import SolanaSettings

GENESIS = "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY"
MINT = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"
RPC = ["https://rpc.example.com/secret-key"]


def resolved(**clusters):
    return SolanaSettings.model_validate({"clusters": clusters}).resolved()


def local(**changes):
    (cluster,) = resolved(local={"genesis": GENESIS, "rpc": RPC, **changes})
    return cluster


def test_mainnet_needs_only_an_endpoint():
    (mainnet,) = resolved(mainnet={"rpc": RPC})
    assert mainnet.id == "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
    assert mainnet.native.id == f"{mainnet.id}/slip44:501"
    assert (mainnet.native.decimals, mainnet.native.rate_id) == (9, "solana")
    assert {mint.token.symbol: (mint.token.decimals, mint.token.rate_id, mint.program) for mint in mints(mainnet)} == {
        "USDC": (6, "usd-coin", TOKEN),
        "USDT": (6, "tether", TOKEN),
        "PYUSD": (6, "paypal-usd", TOKEN_2022),
        "EURC": (6, "euro-coin", TOKEN),
    }
    assert mainnet.finality.bands == (FinalityBand(None, None),)
    assert not mainnet.testnet


def test_a_built_in_cluster_is_known_by_its_genesis_too():
    (cluster,) = resolved(fast={"rpc": RPC, "genesis": "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"})
    assert (cluster.name, cluster.key, cluster.testnet, cluster.idle) == ("Solana Devnet", "fast", True, False)


def test_any_other_cluster_is_its_genesis():
    cluster = local(testnet=True, tokens=[{"symbol": "USDC", "mint": MINT, "decimals": 6, "rate_id": "usd-coin", "program": "token-2022"}])
    assert cluster.id == f"solana:{GENESIS[:32]}"
    assert (cluster.testnet, cluster.idle, cluster.name) == (True, True, "local")
    assert [(mint.address, mint.program, mint.token.id) for mint in mints(cluster)] == [(MINT, TOKEN_2022, f"{cluster.id}/token:{MINT}")]


@pytest.mark.parametrize(
    ("rule", "bands"),
    [
        ("finalized", [(None, None)]),
        ("confirmed", [(None, 1)]),
        ([{"up_to": "100", "commitment": "confirmed"}, {"commitment": "finalized"}], [("100", 1), (None, None)]),
        ([{"up_to": "5.50", "blocks": 3}, {"finality": "finalized"}], [("5.50", 3), (None, None)]),
    ],
)
def test_commitment_is_a_rule_of_finality(rule, bands):
    found = local(commitment=rule).finality.bands
    assert [(None if band.up_to is None else str(band.up_to), band.blocks) for band in found] == bands


@pytest.mark.parametrize(
    ("clusters", "message"),
    [
        ({"local": {"rpc": RPC}}, "needs the key 'genesis'"),
        ({"mainnet": {"rpc": RPC, "genesis": GENESIS}}, "give another cluster another name"),
        ({"mainnet": {"rpc": RPC, "testnet": True}}, "not a test cluster"),
        ({"mainnet": {"rpc": RPC}, "again": {"rpc": RPC, "genesis": "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"}}, "are both solana:"),
        ({"mainnet": {"rpc": []}}, "at least 1 item"),
        ({"mainnet": {"rpc": ["ftp://x"]}}, "must be a URL"),
        ({"mainnet": {"rpc": RPC, "ws": ["https://x"]}}, "must be a URL"),
        ({"local": {"rpc": RPC, "genesis": "not a hash"}}, "32 bytes in base58"),
        ({"mainnet": {"rpc": RPC, "commitment": "processed"}}, "commitment"),
        ({"mainnet": {"rpc": RPC, "commitment": [{"up_to": "1", "blocks": 1}]}}, "the last band"),
        ({"mainnet": {"rpc": RPC, "commitment": [{"blocks": 1, "commitment": "confirmed"}]}}, "give one of"),
        ({"mainnet": {"rpc": RPC, "tokens": [{"symbol": "X", "mint": MINT, "decimals": 6, "rate_id": "x"}] * 2}}, "two tokens have the same mint"),
        (
            {
                "mainnet": {
                    "rpc": RPC,
                    "tokens": [{"symbol": "X", "mint": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "decimals": 9, "rate_id": "x"}],
                }
            },
            "has 6 decimals, not 9",
        ),
        ({"mainnet": {"rpc": RPC, "comitment": "confirmed"}}, "comitment"),
    ],
)
def test_what_cannot_be_meant_is_refused(clusters, message):
    with pytest.raises(ValidationError, match=message) as caught:
        resolved(**clusters)
    assert "secret-key" not in str(caught.value)
