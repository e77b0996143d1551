"""Headers that are what their hashes say."""

from __future__ import annotations

import pytest

from pepay_core.api import Watchlist
from pepay_evm import seals
from pepay_evm.decoding import Malformed
from pepay_evm.seals import Seal

# Block 1 of Ethereum, from before every fork that added a field, as any node gives it.
FIRST = {
    "number": "0x1",
    "hash": "0x88e96d4537bea4d9c05d12549907b32561d3bf31f45aae734cdc119f13406cb6",
    "parentHash": "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": "0x05a56e2d52c817161883f50c441c3228cfe54d9f",
    "stateRoot": "0xd67e4d450343046425ae4271474353857ab860dbc0a1dde64b41b5cd3a532bf3",
    "transactionsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "receiptsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "logsBloom": "0x" + "0" * 512,
    "difficulty": "0x3ff800000",
    "gasLimit": "0x1388",
    "gasUsed": "0x0",
    "timestamp": "0x55ba4224",
    "extraData": "0x476574682f76312e302e302f6c696e75782f676f312e342e32",
    "mixHash": "0x969b900de27b6ac6a67742365dd65f55a0526c41fd18e1b16f1a1215c2e66f59",
    "nonce": "0x539bd4979fef1ec4",
    "size": "0x219",
    "totalDifficulty": "0x7ff800000",
    "transactions": [],
    "uncles": [],
}


def test_the_hash_of_a_real_header_is_computed():
    assert seals.form_of(FIRST) == "ethereum"


def test_the_hash_of_a_development_nodes_headers_is_computed(anvil):
    anvil.send(anvil.accounts[1], 5)
    anvil.mine(2)
    for height in range(3):
        assert seals.form_of(anvil.rpc("eth_getBlockByNumber", hex(height), False)) == "ethereum"


@pytest.mark.parametrize(
    "field", ["parentHash", "logsBloom", "number", "timestamp", "stateRoot", "receiptsRoot", "miner", "gasLimit", "extraData", "nonce", "hash"]
)
def test_every_field_is_sealed(field):
    seal = Seal()
    seal.check(FIRST, "a node")
    assert seal.form == "ethereum"
    last = "1" if FIRST[field][-1] != "1" else "2"
    with pytest.raises(Malformed, match="not what its hash says"):
        seal.check({**FIRST, field: FIRST[field][:-1] + last}, "a node")


def test_a_header_without_a_field_or_with_another_networks_is_not_what_its_hash_says():
    seal = Seal()
    seal.check(FIRST, "a node")
    for wrong in ({**FIRST, "nonce": None}, {**FIRST, "baseFeePerGas": "0x7"}, {**FIRST, "extDataHash": "0x" + "0" * 64, "miner": "0x"}):
        with pytest.raises(Malformed):
            seal.check(wrong, "a node")


def test_what_is_beside_the_header_is_not_part_of_it():
    seal = Seal()
    seal.check(FIRST, "a node")
    seal.check({**FIRST, "size": "0x0", "transactions": ["0x"], "l1BlockNumber": "0x9", "withdrawals": []}, "a node")
    assert seal.form == "ethereum"


def test_headers_of_an_unknown_form_are_passed_as_they_are():
    seal = Seal()
    for _ in range(100):
        seal.check({**FIRST, "hash": "0x" + "1" * 64}, "a node")
    assert seal.form is None


def test_new_fields_end_the_check_when_a_second_endpoint_has_them_too():
    seal = Seal()
    seal.expect(2)
    seal.check(FIRST, "one")
    grown = {**FIRST, "hash": "0x" + "1" * 64, "somethingNewRoot": "0x" + "0" * 64}
    with pytest.raises(Malformed):
        seal.check(grown, "one")
    with pytest.raises(Malformed):
        seal.check(grown, "one")
    seal.check(grown, "two")
    assert seal.form is None
    seal.check(grown, "one")


async def test_a_forged_filter_is_refused_by_the_driver(anvil, make_chain, proxy):
    chain = make_chain(proxy.url)
    start = (await chain.tip()).block
    anvil.mine(2)
    tip = (await chain.tip()).block

    def forged(_params, block):
        return {**block, "logsBloom": "0x" + "f" * 512} if block else block

    proxy.on("eth_getBlockByNumber", forged)
    with pytest.raises(Malformed, match="not what its hash says"):
        await chain._rpc.endpoints[0].ask([_latest()])
    proxy.on("eth_getBlockByNumber", lambda _params, block: block)
    assert (await chain.scan(Watchlist([]), start, tip)).cursor == tip


def _latest():
    from pepay_evm.rpc import Call

    return Call("eth_getBlockByNumber", ("latest", False))
