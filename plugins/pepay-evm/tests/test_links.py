from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pepay_core.api import Block, Destination, Finality, PaymentRequest, Transfer
from pepay_core.testing import erc20 as contracts
from pepay_evm import links
from pepay_evm.addresses import checksummed
from pepay_evm.networks import MAINNETS, Network, coin, erc20

PAYER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
TO = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
USDC = "0xaf88d065e77c8cC2239327C5EDb3A432268e5831"


@pytest.fixture
def chain(make_chain):
    return make_chain("http://127.0.0.1:1", tokens=(erc20("eip155:31337", "USDC", USDC, 6, "usd-coin"),), explorer="https://scan.example.com")


def request(asset, units=1_500_000):
    return PaymentRequest(asset, units, Destination(TO))


async def test_a_native_payment_has_an_erc_681_link(chain):
    assert chain.payment_uri(request(chain.native)) == f"ethereum:{TO}@31337?value=1500000"


async def test_a_token_payment_has_an_erc_681_link_to_its_contract(chain):
    uri = chain.payment_uri(request(f"eip155:31337/erc20:{USDC.lower()}"))
    assert uri == f"ethereum:{USDC}@31337/transfer?address={TO}&uint256=1500000"


async def test_an_asset_of_another_network_has_no_link(chain):
    assert chain.payment_uri(request("eip155:1/slip44:60")) is None
    assert chain.payment_uri(request(f"eip155:1/erc20:{USDC.lower()}")) is None


async def test_a_wallet_gets_a_native_transaction(chain):
    made = await chain.payment_request(request(chain.native), TO)
    assert made.family == "eip155"
    assert made.payload == {"from": TO, "to": TO, "value": "0x16e360", "data": "0x", "chainId": "0x7a69"}


async def test_a_wallet_gets_a_token_transaction_that_the_contract_understands(chain, anvil):
    made = await chain.payment_request(request(f"eip155:31337/erc20:{USDC.lower()}"), TO)
    assert (made.payload["to"], made.payload["value"]) == (USDC, "0x0")
    token = anvil.deploy(contracts.coin("USDC", 6, 10**12))
    anvil.send(token, data=made.payload["data"], gas=100_000)
    anvil.mine()
    assert int(anvil.call(token, contracts.balance_of(TO)), 16) == 1_500_000


def read(uri):
    """Read a payment URI by the grammar of ERC-681."""
    found = re.fullmatch(r"ethereum:(0x[0-9a-fA-F]{40})@(\d+)(?:/(\w+))?\?(.+)", uri)
    target, chain, function, query = found.groups()
    return target, int(chain), function, dict(pair.split("=") for pair in query.split("&"))


@given(units=st.integers(1, 2**256 - 1), number=st.integers(1, 2**53), raw=st.binary(min_size=20, max_size=20))
async def test_a_link_says_exactly_where_and_how_much(units, number, raw):
    to = checksummed("0x" + raw.hex())
    chain = f"eip155:{number}"
    token = erc20(chain, "USDC", USDC, 6, "usd-coin")
    network = Network("any", "Any", chain, coin(chain, "ETH", "ethereum"), Finality.finalized(), 1.0, (token,))
    asked = [PaymentRequest(asset, units, Destination(to)) for asset in (network.native.id, token.id)]
    native, transfer = (read(links.payment_uri(network, each)) for each in asked)
    assert native == (to, number, None, {"value": str(units)})
    assert transfer == (USDC, number, "transfer", {"address": to, "uint256": str(units)})


VECTORS = [
    ("ethereum", None, 2_014_000_000_000_000_000, f"ethereum:{TO}@1?value=2014000000000000000"),
    ("arbitrum", "USDC", 1_000_000, f"ethereum:{USDC}@42161/transfer?address={TO}&uint256=1000000"),
    ("bsc", "USDC", 10**18, f"ethereum:0x8AC76a51cc950d9822D68b83fE1Ad97B32Cd580d@56/transfer?address={TO}&uint256=1000000000000000000"),
    ("avalanche", "USDT", 1, f"ethereum:0x9702230A8Ea53601f5cD2dc00fDBc13d4dF4A8c7@43114/transfer?address={TO}&uint256=1"),
]


@pytest.mark.parametrize(("key", "symbol", "units", "uri"), VECTORS)
def test_links_on_the_built_in_networks(key, symbol, units, uri):
    network = MAINNETS[key]
    asset = next(token.id for token in network.tokens if token.symbol == symbol) if symbol else network.native.id
    assert links.payment_uri(network, PaymentRequest(asset, units, Destination(TO))) == uri


# --- what a wallet is asked ------------------------------------------------------


async def test_a_wallet_is_asked_the_same_payment_in_two_ways(chain):
    for asset in (chain.native, f"eip155:31337/erc20:{USDC.lower()}"):
        made = await chain.payment_request(request(asset), PAYER)
        (single,), (batch,) = made.requests["eth_sendTransaction"], made.requests["wallet_sendCalls"]
        assert single == made.payload
        assert batch == {
            "version": "2.0.0",
            "from": PAYER,
            "chainId": "0x7a69",
            "atomicRequired": False,
            "calls": [{key: made.payload[key] for key in ("to", "value", "data")}],
        }


async def test_a_wallet_is_told_of_the_network_and_of_no_endpoint_of_ours(make_chain):
    secret = "https://rpc.example.com/v2/very-secret-key"
    chain = make_chain(secret, explorer="https://scan.example.com")
    made = await chain.payment_request(request(chain.native), PAYER)
    assert made.requests["wallet_switchEthereumChain"] == [{"chainId": "0x7a69"}]
    assert made.requests["wallet_addEthereumChain"] == [
        {
            "chainId": "0x7a69",
            "chainName": "Dev",
            "nativeCurrency": {"name": "ETH", "symbol": "ETH", "decimals": 18},
            "blockExplorerUrls": ["https://scan.example.com"],
        }
    ]
    assert "very-secret-key" not in json.dumps(made.requests)
    public = make_chain(secret, public_rpc=("https://public.example.com",))
    (added,) = (await public.payment_request(request(chain.native), PAYER)).requests["wallet_addEthereumChain"]
    assert added["rpcUrls"] == ["https://public.example.com"]
    assert "blockExplorerUrls" not in added


async def test_a_transfer_has_a_page_in_the_explorer(chain, make_chain):
    block = Block(1, "0x01", datetime(2026, 1, 1, tzinfo=UTC))
    transfer = Transfer(chain.id, "0xabc", "0", chain.native, Destination(TO), 1, block)
    assert chain.explorer_url(transfer) == "https://scan.example.com/tx/0xabc"
    assert make_chain("http://127.0.0.1:1").explorer_url(transfer) is None
