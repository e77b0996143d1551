from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pepay_core.api import Block, Destination, PaymentRequest, Transfer
from pepay_core.testing import erc20 as contracts
from pepay_evm.networks import erc20

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


async def test_a_transfer_has_a_page_in_the_explorer(chain, make_chain):
    block = Block(1, "0x01", datetime(2026, 1, 1, tzinfo=UTC))
    transfer = Transfer(chain.id, "0xabc", "0", chain.native, Destination(TO), 1, block)
    assert chain.explorer_url(transfer) == "https://scan.example.com/tx/0xabc"
    assert make_chain("http://127.0.0.1:1").explorer_url(transfer) is None
