"""What holds on both back ends: a driver and a wallet cannot tell them apart."""

import asyncio
import os

import pytest

from pepay_sandbox import token
from pepay_sandbox.jsonrpc import RpcError

BUYER = "0x" + "12" * 20
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


def padded(address):
    return "0x" + address.removeprefix("0x").lower().rjust(64, "0")


async def test_it_is_chain_31337_and_says_so(chain):
    assert await chain.client.call("eth_chainId") == hex(31337)
    assert await chain.client.call("net_version") == "31337"
    assert chain.id == "eip155:31337"


async def test_it_listens_on_loopback_only(chain):
    assert chain.rpc.startswith("http://127.0.0.1:")


async def test_no_account_on_it_is_funded_by_default(chain):
    assert await chain.client.call("eth_accounts") == []
    assert await chain.client.call("eth_getBalance", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "latest") == "0x0"


async def test_a_funded_wallet_pays_in_the_native_coin(chain, wallet):
    receipt = await chain.receipt(await wallet.pay(f"{chain.id}/slip44:60", BUYER, 12345))

    assert receipt["status"] == "0x1"
    assert receipt["logs"] == []
    assert await chain.client.call("eth_getBalance", BUYER, "latest") == hex(12345)


async def test_the_test_token_pays_and_its_transfer_is_a_log(chain, wallet):
    usdc = await wallet.deploy_token()
    receipt = await chain.receipt(await wallet.pay(f"{chain.id}/erc20:{usdc.address}", BUYER, 5_000_000))

    [log] = receipt["logs"]
    assert log["address"] == usdc.address
    assert log["topics"] == [TRANSFER, padded(wallet.address), padded(BUYER)]
    assert int(log["data"], 16) == 5_000_000
    assert int(await chain.client.call("eth_call", {"to": usdc.address, "data": token.balance_of(BUYER)}, "latest"), 16) == 5_000_000


async def test_the_test_token_says_its_name_symbol_and_decimals(chain, wallet):
    usdc = await wallet.deploy_token()

    async def text(selector):
        answer = bytes.fromhex((await chain.client.call("eth_call", {"to": usdc.address, "data": selector}, "latest"))[2:])
        return answer[64 : 64 + int.from_bytes(answer[32:64], "big")].decode()

    assert await text("0x06fdde03") == "USD Coin (test)"
    assert await text("0x95d89b41") == "USDC"
    assert int(await chain.client.call("eth_call", {"to": usdc.address, "data": "0x313ce567"}, "latest"), 16) == 6


async def test_logs_are_found_by_range_address_topic_and_block(chain, wallet):
    usdc = await wallet.deploy_token()
    other = await wallet.deploy_token()
    receipt = await chain.receipt(await wallet.pay(f"{chain.id}/erc20:{usdc.address}", BUYER, 7))
    await chain.receipt(await wallet.pay(f"{chain.id}/erc20:{other.address}", BUYER, 8))
    everything = {"fromBlock": "0x0", "toBlock": "latest"}
    to_buyer = [TRANSFER, None, [padded("0x" + "99" * 20), padded(BUYER)]]

    async def amounts(**wanted):
        return [int(log["data"], 16) for log in await chain.client.call("eth_getLogs", wanted)]

    assert await amounts(**everything, topics=to_buyer) == [7, 8]
    assert await amounts(**everything, topics=to_buyer, address=[usdc.address]) == [7]
    assert await amounts(**everything, topics=to_buyer, address=usdc.address) == [7]
    assert await amounts(**everything, topics=[TRANSFER, padded(BUYER)]) == []
    assert await amounts(fromBlock=receipt["blockNumber"], toBlock=receipt["blockNumber"], topics=[[TRANSFER]]) == [7]
    assert await amounts(blockHash=receipt["blockHash"]) == [7]


async def test_the_bloom_of_a_block_admits_what_its_logs_hold(chain, wallet):
    from eth_bloom import BloomFilter

    usdc = await wallet.deploy_token()
    receipt = await chain.receipt(await wallet.pay(f"{chain.id}/erc20:{usdc.address}", BUYER, 7))
    block = await chain.client.call("eth_getBlockByNumber", receipt["blockNumber"], False)
    bloom = BloomFilter(int(block["logsBloom"], 16))

    assert block["logsBloom"] == receipt["logsBloom"]
    assert bytes.fromhex(usdc.address[2:]) in bloom
    assert bytes.fromhex(padded(BUYER)[2:]) in bloom
    assert bytes(20) not in bloom


async def test_a_transfer_of_more_than_there_is_fails_and_leaves_no_log(chain, wallet):
    usdc = await wallet.deploy_token()
    call = {"from": BUYER, "to": usdc.address, "data": token.transfer(wallet.address, 1)}

    with pytest.raises(RpcError) as reverted:
        await chain.client.call("eth_call", call, "latest")
    assert reverted.value.code == 3
    assert reverted.value.data.startswith("0xdb42144d")

    with pytest.raises(RpcError, match="reverted"):
        await chain.client.call("eth_estimateGas", call)


async def test_a_transaction_that_cannot_be_mined_is_declined(chain, wallet):
    with pytest.raises(RpcError) as unreadable:
        await chain.client.call("eth_sendRawTransaction", "0x1234")
    assert unreadable.value.code in {-32602, -32003}

    with pytest.raises(RpcError, match=r"(?i)insufficient"):
        await wallet.pay(f"{chain.id}/slip44:60", BUYER, 10**40)


async def test_an_unknown_method_and_unknown_things_are_answered_as_nodes_do(chain):
    with pytest.raises(RpcError) as unknown:
        await chain.client.call("eth_doesNotExist")
    assert unknown.value.code == -32601

    nothing = "0x" + "11" * 32
    assert await chain.client.call("eth_getTransactionReceipt", nothing) is None
    assert await chain.client.call("eth_getTransactionByHash", nothing) is None
    assert await chain.client.call("eth_getBlockByHash", nothing, False) is None
    assert await chain.client.call("eth_getBlockByNumber", "0xffffff", False) is None
    with pytest.raises(RpcError):
        await chain.client.call("eth_getLogs", {"blockHash": nothing})


async def test_a_revert_to_a_snapshot_takes_blocks_back_and_the_next_ones_are_others(chain, wallet):
    snapshot = await chain.client.call("evm_snapshot")
    hashed = await wallet.pay(f"{chain.id}/slip44:60", BUYER, 5)
    gone = await chain.receipt(hashed)

    assert await chain.client.call("evm_revert", snapshot) is True
    assert await chain.client.call("eth_getTransactionReceipt", hashed) is None
    assert await chain.client.call("eth_getBalance", BUYER, "latest") == "0x0"
    assert await chain.client.call("eth_getBlockByHash", gone["blockHash"], False) is None

    again = await chain.receipt(await wallet.pay(f"{chain.id}/slip44:60", BUYER, 6))
    assert again["blockNumber"] == gone["blockNumber"]
    assert again["blockHash"] != gone["blockHash"]


async def test_blocks_are_linked_and_time_does_not_go_back(chain):
    await chain.mine(3)
    head = int(await chain.client.call("eth_blockNumber"), 16)
    blocks = [await chain.client.call("eth_getBlockByNumber", hex(number), False) for number in range(head + 1)]
    times = [int(block["timestamp"], 16) for block in blocks]

    assert head >= 3
    assert times == sorted(times)
    assert [block["parentHash"] for block in blocks[1:]] == [block["hash"] for block in blocks[:-1]]


async def test_a_wallet_that_pays_often_at_once_uses_each_nonce_once(chain, wallet):
    hashes = await asyncio.gather(*[wallet.pay(f"{chain.id}/slip44:60", BUYER, units) for units in range(1, 9)])
    receipts = [await chain.receipt(each) for each in hashes]

    assert {receipt["status"] for receipt in receipts} == {"0x1"}
    assert await chain.client.call("eth_getBalance", BUYER, "latest") == hex(sum(range(1, 9)))


async def test_blocks_come_by_themselves_where_an_interval_is_set(node, open_chain):
    chain = await open_chain(node, block_seconds=1)
    start = int(await chain.client.call("eth_blockNumber"), 16)

    async with asyncio.timeout(10):
        while int(await chain.client.call("eth_blockNumber"), 16) < start + 2:  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # the node has nothing that would tell us


async def test_both_back_ends_give_answers_of_the_same_shape(open_chain, request):
    shapes = {}
    for kind in ("py-evm", "anvil"):
        if kind == "anvil":
            request.getfixturevalue("anvil_here")
        chain = await open_chain(kind)
        shapes[kind] = await _shapes(chain)

    for name, wanted in shapes["anvil"].items():
        given = shapes["py-evm"][name]
        # Fields of later forks and of nodes' own making: no driver can count on them.
        optional = {"requestsHash", "blobGasPrice", "blockTimestamp", "totalDifficulty", "withdrawals", "gasPrice", "blobGasUsed"}
        assert set(wanted) - set(given) <= optional, name
        assert set(given) - set(wanted) <= optional, name
        for field in set(wanted) & set(given):
            assert _kind(given[field]) == _kind(wanted[field]), f"{name}.{field}"


def _kind(value):
    if isinstance(value, str):
        return "quantity or data" if value.startswith("0x") else "text"
    return type(value).__name__


async def _shapes(chain):
    from pepay_sandbox.wallet import TestWallet

    wallet = await TestWallet.open(chain)
    usdc = await wallet.deploy_token()
    receipt = await chain.receipt(await wallet.pay(f"{chain.id}/erc20:{usdc.address}", BUYER, 5))
    full = await chain.client.call("eth_getBlockByHash", receipt["blockHash"], True)
    history = await chain.client.call("eth_feeHistory", "0x2", "latest", [50])
    return {
        "receipt": receipt,
        "log": receipt["logs"][0],
        "block": full,
        "transaction in block": full["transactions"][0],
        "transaction": await chain.client.call("eth_getTransactionByHash", receipt["transactionHash"]),
        "fee history": {name: value for name, value in history.items() if "lob" not in name},
    }


async def test_anvil_is_gone_when_the_chain_is_left(session, anvil_here):
    from pepay_sandbox.local_chain import local_chain

    async with local_chain(session, node="anvil") as chain:
        url = chain.rpc
    with pytest.raises(OSError, match=r"(?i)connect"):
        await session.post(url, data=b"{}")


async def test_what_anvil_moves_to_disk_is_bounded_and_goes_with_it(session, anvil_here, monkeypatch, tmp_path):
    from pepay_sandbox.local_chain import local_chain

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with local_chain(session, node="anvil", block_seconds=0) as chain:
        await chain.client.call("anvil_mine", hex(1200))
        assert 0 < sum(len(files) for _, _, files in os.walk(tmp_path)) <= 500
    assert list(tmp_path.iterdir()) == []


async def test_an_anvil_that_dies_at_start_is_reported_with_its_last_words_and_in_nobodys_way(session, monkeypatch, tmp_path, caplog):
    from pepay_core.api import NotReady
    from pepay_sandbox.local_chain import local_chain

    broken = tmp_path / "anvil"
    broken.write_text("#!/bin/sh\necho 'no such flag'\nexit 2\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PEPAY_ANVIL", str(broken))

    with pytest.raises(NotReady, match="no such flag"):
        async with local_chain(session, node="anvil"):
            pass
    async with local_chain(session, node="auto") as chain:
        assert chain.node == "py-evm"
    assert "no such flag; the chain is py-evm's instead" in caplog.text


async def test_asking_for_an_anvil_that_is_not_there_names_the_remedy(session, monkeypatch, tmp_path):
    from pepay_core.api import ConfigError
    from pepay_sandbox.local_chain import local_chain

    monkeypatch.setenv("PEPAY_ANVIL", str(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match="PEPAY_ANVIL"):
        async with local_chain(session, node="anvil"):
            pass

    async with local_chain(session, node="auto", block_seconds=0) as chain:
        assert chain.node == "py-evm"


async def test_a_chain_says_where_it_answers_websockets_if_it_does(chain, node, session):
    if node == "py-evm":
        assert chain.ws is None
        return
    async with session.ws_connect(chain.ws) as socket:
        await socket.send_json({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []})
        assert (await socket.receive_json(timeout=20))["result"] == "0x7a69"
