"""solana-py against the cluster: typed answers to what a wallet asks, and subscriptions."""

import asyncio

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.core import RPCException
from solana.rpc.models import MemcmpOpts, TokenAccountOpts
from solana.rpc.websocket_api import SolanaWsClient
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.rpc.config import RpcTransactionLogsFilterMentions
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from pepay_sandbox.solana import instructions

WAIT = 20


@pytest.fixture
async def client(cluster):
    async with AsyncClient(cluster.url, commitment=Confirmed) as client:
        yield client


@pytest.fixture
async def socket(cluster):
    async with SolanaWsClient(cluster.ws_url) as socket:
        yield socket


@pytest.fixture
def buyer(cluster):
    return cluster.wallet()


@pytest.fixture
def shop(cluster):
    return Keypair().pubkey()


async def next_of(socket):
    async with asyncio.timeout(WAIT):
        return (await socket.recv()).result


async def test_the_chain_is_described_in_the_forms_that_the_client_reads(cluster, client):
    cluster.settle()
    genesis = (await client.get_genesis_hash()).value
    info = (await client.get_epoch_info()).value
    blocks = (await client.get_blocks(0, 10)).value
    block = (await client.get_block(blocks[-1])).value

    assert str(genesis) == cluster.genesis
    assert await client.is_connected()
    assert (await client.get_version()).value.solana_core
    assert (info.absolute_slot, info.block_height) == (cluster.slot - 1, cluster.slot - 1)
    assert (await client.get_slot(Processed)).value == cluster.slot
    assert blocks == list(range(11))
    assert (block.block_height, block.parent_slot) == (10, 9)
    assert (await client.get_block_time(10)).value == block.block_time
    assert (await client.get_minimum_balance_for_rent_exemption(165)).value == 2_039_280
    assert (await client.get_recent_prioritization_fees()).value


async def test_a_payment_is_sent_followed_and_read_back(cluster, client, buyer, shop):
    latest = (await client.get_latest_blockhash()).value
    paying = instructions.send_lamports(str(buyer.pubkey()), str(shop), 2_000_000)
    signed = instructions.signed([paying], [buyer], str(latest.blockhash))

    fee = (await client.get_fee_for_message(signed.message)).value
    tried = (await client.simulate_transaction(signed, sig_verify=True)).value
    signature = (await client.send_transaction(signed)).value
    cluster.tick()
    await client.confirm_transaction(signature, Confirmed, sleep_seconds=0.01, last_valid_block_height=latest.last_valid_block_height)
    found = (await client.get_transaction(signature, "jsonParsed", max_supported_transaction_version=0)).value
    [entry] = (await client.get_signatures_for_address(shop)).value
    [status] = (await client.get_signature_statuses([signature])).value

    assert (fee, tried.err, tried.units_consumed) == (5000, None, 150)
    assert found.transaction.meta.fee == fee
    assert found.transaction.meta.post_balances[1] == 2_000_000
    assert found.transaction.transaction.message.instructions[0].parsed["info"]["lamports"] == 2_000_000
    assert (entry.signature, entry.err, str(entry.confirmation_status)) == (signature, None, "TransactionConfirmationStatus.Confirmed")
    assert status.confirmations == 1
    assert (await client.get_balance(shop)).value == 2_000_000
    assert (await client.get_balance(shop, Finalized)).value == 0
    for encoding in ("json", "base64", "base58"):
        assert (await client.get_transaction(signature, encoding, max_supported_transaction_version=0)).value.slot == found.slot


async def test_tokens_are_read_in_both_programs(cluster, client, buyer):
    owner = buyer.pubkey()
    for fee, program in ((0, instructions.programs.TOKEN), (100, instructions.programs.TOKEN_2022)):
        mint = cluster.create_mint(6, fee_bps=fee)
        account = Pubkey.from_string(cluster.mint_to(mint, str(owner), 7_500_000))
        [held] = (await client.get_token_accounts_by_owner_json_parsed(owner, TokenAccountOpts(mint=Pubkey.from_string(mint)))).value
        [largest] = (await client.get_token_largest_accounts(Pubkey.from_string(mint))).value
        said = (await client.get_account_info_json_parsed(Pubkey.from_string(mint))).value.data.parsed["info"]

        assert held.pubkey == account
        assert str(held.account.owner) == program
        assert (await client.get_token_account_balance(account)).value.ui_amount_string == "7.5"
        assert (await client.get_token_supply(Pubkey.from_string(mint))).value.amount == "7500000"
        assert largest.amount.amount == "7500000"
        assert [each["extension"] for each in said.get("extensions", [])] == (["transferFeeConfig"] if fee else [])


async def test_what_would_fail_is_declined_with_the_reason(client, cluster, buyer, shop):
    latest = (await client.get_latest_blockhash()).value
    signed = instructions.signed([instructions.send_lamports(str(buyer.pubkey()), str(shop), 10**15)], [buyer], str(latest.blockhash))

    with pytest.raises(RPCException) as refused:
        await client.send_transaction(signed)

    [failure] = refused.value.args
    assert "custom program error: 0x1" in failure.message
    assert any("insufficient lamports" in line for line in failure.data.logs)


async def test_a_wallet_is_told_of_slots_accounts_logs_and_signatures(cluster, socket, buyer, shop):
    raw = cluster.build([instructions.send_lamports(str(buyer.pubkey()), str(shop), 3_000_000)], [buyer])
    signature = VersionedTransaction.from_bytes(raw).signatures[0]
    kinds = {
        await socket.account_subscribe(pubkey=shop, commitment=Processed): "account",
        await socket.logs_subscribe(filter_=RpcTransactionLogsFilterMentions(shop), commitment=Confirmed): "logs",
        await socket.signature_subscribe(signature=signature, commitment=Finalized): "signature",
        await socket.slot_subscribe(): "slot",
    }
    names = {subscription.subscription_id: kind for subscription, kind in kinds.items()}
    heard = []

    async def hear(count):
        for _ in range(count):
            async with asyncio.timeout(WAIT):
                message = await socket.recv()
            heard.append((names[message.subscription], message.result))

    cluster.send_raw(raw)
    await hear(1)
    cluster.tick()
    await hear(2)
    cluster.tick(31)
    await hear(32)

    assert heard[0][0] == "account"
    assert heard[0][1].value.lamports == 3_000_000
    assert sorted(kind for kind, _ in heard[1:3]) == ["logs", "slot"]
    [logs] = [result for kind, result in heard if kind == "logs"]
    assert (logs.value.signature, logs.value.err) == (signature, None)
    [told] = [result for kind, result in heard if kind == "signature"]
    assert told.value.err is None
    assert sum(kind == "slot" for kind, _ in heard) == 32


async def test_a_program_is_watched_by_what_its_accounts_hold(cluster, socket, buyer, shop):
    mint = cluster.create_mint(6)
    cluster.mint_to(mint, str(buyer.pubkey()), 9_000_000)
    cluster.create_token_account(str(shop), mint)

    wanted = [165, MemcmpOpts(offset=0, bytes=mint), MemcmpOpts(offset=32, bytes=str(shop))]
    await socket.program_subscribe(
        program_id=Pubkey.from_string(instructions.programs.TOKEN), commitment=Confirmed, encoding="jsonParsed", filters=wanted
    )

    cluster.transfer_tokens(buyer, str(shop), mint, 1_000_000)
    cluster.tick()
    told = await next_of(socket)

    assert str(told.value.pubkey) == cluster.token_account(str(shop), mint)
    assert told.value.account.data.parsed["info"]["tokenAmount"]["amount"] == "1000000"


async def test_a_subscription_that_is_ended_is_silent(cluster, socket):
    first, second = await socket.root_subscribe(), await socket.slot_subscribe()
    await socket.unsubscribe(first)
    cluster.tick(2)

    async with asyncio.timeout(WAIT):
        heard = [(await socket.recv()).subscription for _ in range(2)]

    assert heard == [second.subscription_id] * 2


async def test_a_signature_that_has_landed_already_is_told_at_once(cluster, socket, buyer, shop):
    paid = cluster.transfer(buyer, str(shop), 3_000_000)
    cluster.tick()

    await socket.signature_subscribe(signature=Signature.from_string(paid), commitment=Confirmed)

    assert (await next_of(socket)).value.err is None
