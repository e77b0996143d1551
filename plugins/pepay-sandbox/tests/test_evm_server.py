"""The node of our own: what anvil is not asked."""

import asyncio
import json
import secrets

import pytest
from eth_account import Account

from pepay_sandbox.jsonrpc import RpcError
from pepay_sandbox.wallet import TestWallet

BUYER = "0x" + "12" * 20


async def post(session, chain, body):
    async with session.post(chain.rpc, data=body) as answer:
        return json.loads(await answer.read())


def signed(account, **fields):
    usual = {
        "chainId": 31337,
        "nonce": 0,
        "gas": 21000,
        "maxFeePerGas": 3 * 10**9,
        "maxPriorityFeePerGas": 10**9,
        "value": 1,
        "to": bytes.fromhex(BUYER[2:]),
    }
    return "0x" + account.sign_transaction(usual | fields).raw_transaction.hex()


@pytest.fixture
async def account(small_chain):
    account = Account.from_key(secrets.token_bytes(32))
    await small_chain.fund(account.address, 10**18)
    return account


async def test_a_batch_is_answered_in_order_with_each_call_on_its_own(session, small_chain):
    calls = [{"jsonrpc": "2.0", "id": 7, "method": "eth_chainId"}, {"jsonrpc": "2.0", "id": 8, "method": "nope", "params": []}, 5]

    first, second, third = await post(session, small_chain, json.dumps(calls))

    assert first == {"jsonrpc": "2.0", "id": 7, "result": "0x7a69"}
    assert (second["id"], second["error"]["code"]) == (8, -32601)
    assert (third["id"], third["error"]["code"]) == (None, -32600)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", -32700),
        ("[]", -32600),
        ('"eth_chainId"', -32600),
        ('{"id":1,"method":7}', -32600),
        ('{"id":1,"method":"eth_chainId","params":{"a":1}}', -32602),
        ('{"id":1,"method":"eth_chainId","params":[1]}', -32602),
        ('{"id":1,"method":"eth_getBlockByNumber"}', -32602),
        ('{"id":1,"method":"eth_getBlockByNumber","params":["soon",false]}', -32602),
        ('{"id":1,"method":"eth_getBalance","params":["0x12","latest"]}', -32602),
        ('{"id":1,"method":"eth_getBalance","params":["0x1212121212121212121212121212121212121212","0xffff"]}', -32602),
        ('{"id":1,"method":"eth_getLogs","params":[{"topics":"0x"}]}', -32602),
        ('{"id":1,"method":"eth_getLogs","params":[{"blockHash":"0x12","fromBlock":"0x0"}]}', -32602),
        ('{"id":1,"method":"eth_call","params":["0x"]}', -32602),
    ],
)
async def test_a_request_that_makes_no_sense_gets_the_error_that_says_why(session, small_chain, body, code):
    answer = await post(session, small_chain, body)

    assert answer["error"]["code"] == code
    assert answer["error"]["message"]


async def test_time_in_blocks_grows_strictly_however_fast_they_come(small_chain):
    await small_chain.mine(5)
    head = int(await small_chain.client.call("eth_blockNumber"), 16)
    times = [int((await small_chain.client.call("eth_getBlockByNumber", hex(number)))["timestamp"], 16) for number in range(head + 1)]

    assert times == sorted(set(times))


async def test_the_tags_stand_behind_the_head_as_on_a_real_chain(small_chain):
    await small_chain.mine(70)

    async def height(tag):
        return int((await small_chain.client.call("eth_getBlockByNumber", tag, False))["number"], 16)

    assert [await height(tag) for tag in ("earliest", "finalized", "safe", "latest", "pending")] == [0, 6, 38, 70, 71]


async def test_what_waits_is_seen_as_pending_until_it_is_mined(open_chain):
    chain = await open_chain("py-evm", block_seconds=3600)
    account = Account.from_key(secrets.token_bytes(32))
    await chain.fund(account.address, 10**18)

    hashed = await chain.client.call("eth_sendRawTransaction", signed(account))
    later = await chain.client.call("eth_sendRawTransaction", signed(account, nonce=2))

    assert (await chain.client.call("eth_getTransactionByHash", hashed))["blockHash"] is None
    assert await chain.client.call("eth_getTransactionCount", account.address, "pending") == "0x1"
    assert (await chain.client.call("eth_getBlockByNumber", "pending", False))["transactions"] == [hashed, later]

    await chain.mine()
    assert (await chain.client.call("eth_getTransactionReceipt", hashed))["status"] == "0x1"
    assert await chain.client.call("eth_getTransactionReceipt", later) is None


async def test_a_better_paid_transaction_replaces_one_of_the_same_nonce(open_chain):
    chain = await open_chain("py-evm", block_seconds=3600)
    account = Account.from_key(secrets.token_bytes(32))
    await chain.fund(account.address, 10**18)
    first = await chain.client.call("eth_sendRawTransaction", signed(account))

    with pytest.raises(RpcError, match="underpriced"):
        await chain.client.call("eth_sendRawTransaction", signed(account, value=2))
    second = await chain.client.call("eth_sendRawTransaction", signed(account, value=2, maxFeePerGas=4 * 10**9))
    await chain.mine()

    assert await chain.client.call("eth_getTransactionReceipt", first) is None
    assert (await chain.client.call("eth_getTransactionReceipt", second))["status"] == "0x1"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"chainId": 1}, "chain id"),
        ({"gas": 20_000}, "intrinsic gas"),
        ({"gas": 30_000_001}, "block gas limit"),
        ({"value": 10**19}, "insufficient funds"),
    ],
)
async def test_a_transaction_that_can_never_be_mined_is_declined_with_the_reason(small_chain, account, fields, reason):
    with pytest.raises(RpcError, match=reason) as declined:
        await small_chain.client.call("eth_sendRawTransaction", signed(account, **fields))

    assert declined.value.code == -32003


async def test_a_nonce_is_used_once(small_chain, account):
    await small_chain.client.call("eth_sendRawTransaction", signed(account))

    with pytest.raises(RpcError, match="nonce too low"):
        await small_chain.client.call("eth_sendRawTransaction", signed(account, value=2))


async def test_a_transaction_that_reverts_is_mined_as_failed_and_pays_its_gas(small_chain, account):
    wallet = await TestWallet.open(small_chain)
    usdc = await wallet.deploy_token()
    reverting = signed(account, to=bytes.fromhex(usdc.address[2:]), value=0, gas=100_000, data="0xa9059cbb" + "11" * 32 + "22" * 32)

    receipt = await small_chain.receipt(await small_chain.client.call("eth_sendRawTransaction", reverting))

    assert receipt["status"] == "0x0"
    assert receipt["logs"] == []
    assert int(await small_chain.client.call("eth_getBalance", account.address, "latest"), 16) < 10**18


async def test_a_legacy_transaction_is_taken_and_shown_as_one(small_chain, account):
    fields = {"chainId": 31337, "nonce": 0, "gas": 21000, "gasPrice": 2 * 10**9, "value": 5, "to": bytes.fromhex(BUYER[2:])}
    raw = "0x" + account.sign_transaction(fields).raw_transaction.hex()

    hashed = await small_chain.client.call("eth_sendRawTransaction", raw)

    shown = await small_chain.client.call("eth_getTransactionByHash", hashed)
    assert (shown["type"], shown["gasPrice"], shown["chainId"]) == ("0x0", hex(2 * 10**9), "0x7a69")
    assert shown["from"] == account.address.lower()


async def test_a_node_that_is_busy_does_not_hold_up_the_event_loop(small_chain):
    mining = asyncio.create_task(small_chain.client.call("anvil_mine", "0x3e8"))
    turns = 0
    while not mining.done():
        await asyncio.sleep(0)
        turns += 1

    assert turns > 10


async def test_another_port_that_is_taken_is_an_error_and_not_another_port(small_chain, open_chain):
    port = int(small_chain.rpc.rpartition(":")[2])

    with pytest.raises(OSError, match="in use"):
        await open_chain("py-evm", port=port)
