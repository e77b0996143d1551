"""The built-in networks, held against a list of facts that was written down apart from them; and blocks that are not Ethereum's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pepay_core.api import Destination, NotReady, Watchlist
from pepay_core.testing import erc20
from pepay_evm import decoding
from pepay_evm.addresses import parse
from pepay_evm.networks import MAINNETS, contract_of
from pepay_evm.networks import erc20 as token_of

FACTS = json.loads(Path(__file__).with_name("networks.json").read_text())
PAYEE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def test_the_facts_are_about_the_networks_that_are_built_in():
    assert set(FACTS) == set(MAINNETS)


@pytest.mark.parametrize("key", FACTS)
def test_a_network_is_what_the_facts_say(key):
    network, facts = MAINNETS[key], FACTS[key]
    symbol, decimals, rate, coin = facts["native"]
    native = network.native
    assert (network.id, network.number) == (f"eip155:{facts['chain']}", facts["chain"])
    assert (native.symbol, native.decimals, native.rate_id, native.id) == (symbol, decimals, rate, f"{network.id}/{coin}")
    assert (network.block_seconds, network.explorer, network.wants_finalized) == (facts["block_seconds"], facts["explorer"], facts["finalized"])
    assert not network.testnet
    assert not network.idle
    for kind, optional in (("accepted", False), ("known", True)):
        found = {each.symbol: [contract_of(each.id), each.decimals, each.rate_id] for each in network.tokens if each.optional is optional}
        # Every address in the facts has the checksum of EIP-55, which a slip of the pen does not survive.
        assert found == {name: [parse(address).lower(), *rest] for name, (address, *rest) in facts[kind].items()}


@pytest.mark.parametrize("key", FACTS)
def test_what_is_built_in_is_believed_up_to_an_amount_and_priced_like_what_it_stands_for(key):
    network = MAINNETS[key]
    assert network.standard == {token.id for token in network.tokens}
    assert network.strict == frozenset()
    assert {token.stable for token in network.tokens if token.symbol.startswith("USD")} == {"USD"}


def test_the_dollars_of_bnb_smart_chain_have_eighteen_decimals():
    assert {token.decimals for token in MAINNETS["bsc"].tokens} == {18}


# --- blocks that are not Ethereum's ----------------------------------------------

BLOOM = "0x" + "00" * 256
HASH, PARENT = "0x" + "ab" * 32, "0x" + "cd" * 32

# What a block of BNB Smart Chain has: its validators and their signature make the extra data long, and the difficulty says whose turn it was.
# fmt: off
BSC = {
    "number": "0x2faf080", "hash": HASH, "parentHash": PARENT, "timestamp": "0x67890abc", "milliTimestamp": "0x1946a3a0d5e", "logsBloom": BLOOM,
    "extraData": "0xd98301050b846765746889676f312e32332e33856c696e7578000000" + "5e" * 517, "difficulty": "0x2", "totalDifficulty": "0x5f",
    "nonce": "0x0000000000000000", "mixHash": "0x" + "00" * 32, "baseFeePerGas": "0x0", "blobGasUsed": "0x0", "excessBlobGas": "0x0",
    "gasLimit": "0x42c1d80", "gasUsed": "0x0", "miner": "0x" + "12" * 20, "parentBeaconBlockRoot": "0x" + "00" * 32, "receiptsRoot": HASH,
    "requestsHash": HASH, "sha3Uncles": HASH, "size": "0x5a1", "stateRoot": HASH, "transactionsRoot": HASH, "uncles": [], "withdrawals": [],
    "withdrawalsRoot": HASH, "transactions": [],
}
# One of Arbitrum: many blocks to a second, the number of the Ethereum block beside its own, and transactions of types of its own.
ARBITRUM = {
    "number": "0x11e1a300", "hash": HASH, "parentHash": PARENT, "timestamp": "0x67890abc", "logsBloom": BLOOM, "extraData": "0x" + "7f" * 32,
    "difficulty": "0x1", "l1BlockNumber": "0x14d1120", "sendCount": "0x1f4b9", "sendRoot": HASH, "mixHash": HASH, "nonce": "0x00000000001d5e2a",
    "baseFeePerGas": "0x989680", "gasLimit": "0x4000000000000", "gasUsed": "0x0", "miner": "0xa4b000000000000000000073657175656e636572",
    "receiptsRoot": HASH, "sha3Uncles": HASH, "size": "0x3a1", "stateRoot": HASH, "totalDifficulty": "0x1", "transactionsRoot": HASH, "uncles": [],
    "transactions": [{
        "type": "0x6a", "hash": "0x" + "11" * 32, "blockHash": HASH, "blockNumber": "0x11e1a300", "chainId": "0xa4b1",
        "from": "0x00000000000000000000000000000000000a4b05", "to": "0x00000000000000000000000000000000000a4b05", "value": "0x0",
        "gas": "0x0", "gasPrice": "0x0", "input": "0x6bf6a42d", "nonce": "0x0", "r": "0x0", "s": "0x0", "v": "0x0", "transactionIndex": "0x0",
    }],
}
# One of Avalanche: the data outside the block, its hash, and fees of its own.
AVALANCHE = {
    "number": "0x3473bc0", "hash": HASH, "parentHash": PARENT, "timestamp": "0x67890abc", "timestampMilliseconds": "0x1946a3a0d5e",
    "logsBloom": BLOOM,
    "extraData": "0x" + "0a" * 24, "extDataHash": HASH, "blockExtraData": "0x", "extDataGasUsed": "0x0", "blockGasCost": "0x0", "difficulty": "0x1",
    "baseFeePerGas": "0x5d21dba00", "gasLimit": "0xe4e1c0", "gasUsed": "0x0", "miner": "0x0100000000000000000000000000000000000000",
    "mixHash": "0x" + "00" * 32, "nonce": "0x0000000000000000", "receiptsRoot": HASH, "sha3Uncles": HASH, "size": "0x2a1", "stateRoot": HASH,
    "totalDifficulty": "0x1", "transactionsRoot": HASH, "uncles": [], "transactions": [], "minDelayExcess": "0x7a1200",
}
# fmt: on


@pytest.mark.parametrize("block", [BSC, ARBITRUM, AVALANCHE], ids=["bsc", "arbitrum", "avalanche"])
def test_a_block_is_read_by_what_it_has_in_common_with_all_others(block):
    header = decoding.header(block, full=True)
    assert (header.height, header.hash, header.parent) == (int(block["number"], 16), HASH, PARENT)
    assert int(header.time.timestamp()) == 0x67890ABC


def test_a_transaction_of_a_type_of_its_own_is_read_like_any_other():
    header = decoding.header(ARBITRUM, full=True)
    read = decoding.listed_transaction(header.transactions[0], block=HASH)
    assert (read.to, read.value) == ("0x00000000000000000000000000000000000a4b05", 0)


@pytest.mark.parametrize("quirks", [BSC, ARBITRUM, AVALANCHE], ids=["bsc", "arbitrum", "avalanche"])
async def test_payments_are_found_in_blocks_with_the_quirks_of_a_network(anvil, make_chain, proxy, quirks):
    own = {"number", "hash", "parentHash", "timestamp", "logsBloom", "transactions"}
    proxy.on("eth_getBlockByNumber", lambda _, block: block and {**block, **{key: value for key, value in quirks.items() if key not in own}})
    anvil.mine()
    chain = make_chain(proxy.url)
    await chain.open()
    start = (await chain.tip()).block
    anvil.send(PAYEE, 5)
    anvil.mine()
    scan = await chain.scan(Watchlist([Destination(PAYEE)]), start, (await chain.tip()).block)
    assert [transfer.units for transfer in scan.transfers] == [5]


async def test_several_blocks_of_one_second_are_as_many_blocks(anvil, make_chain, proxy):
    """As on Arbitrum and BNB Smart Chain: time does not order blocks, their parents do."""
    proxy.on("eth_getBlockByNumber", lambda _, block: block and {**block, "timestamp": "0x67890abc"})
    anvil.mine()
    chain = make_chain(proxy.url)
    start = (await chain.tip()).block
    for units in (1, 2, 3):
        anvil.send(PAYEE, units)
        anvil.mine()
    scan = await chain.scan(Watchlist([Destination(PAYEE)]), start, (await chain.tip()).block)
    assert [transfer.units for transfer in scan.transfers] == [1, 2, 3]
    assert len({block.time for block in scan.headers}) == 1


def lacking(*methods):
    """Return what a node does that has some methods disabled."""

    def disabled(calls, answers):
        for answer in answers:
            if calls[answer["id"]]["method"] in methods:
                answer.pop("result", None)
                answer["error"] = {"code": -32005, "message": "limit exceeded"}
        return answers

    return disabled


async def test_where_an_endpoint_tells_no_events_receipts_are_read(anvil, make_chain, proxy):
    """As the public endpoints of BNB Smart Chain."""
    contract = anvil.deploy(erc20.coin("USDC", 18, 10**30))
    proxy.tamper = lacking("eth_getLogs")
    chain = make_chain(proxy.url, tokens=(token_of("eip155:31337", "USDC", contract, 18, "usd-coin"),))
    await chain.open()
    start = (await chain.tip()).block
    anvil.send(contract, data=erc20.transfer(PAYEE, 5), gas=100_000)
    anvil.mine()
    scan = await chain.scan(Watchlist([Destination(PAYEE)]), start, (await chain.tip()).block)
    assert [transfer.units for transfer in scan.transfers] == [5]


async def test_an_endpoint_that_tells_neither_events_nor_receipts_is_of_no_use(make_chain, proxy):
    proxy.tamper = lacking("eth_getLogs", "eth_getBlockReceipts")
    with pytest.raises(NotReady, match="eth_getLogs"):
        await make_chain(proxy.url).open()
