"""Blocks that leave the chain take their money with them, and it comes back once."""

from __future__ import annotations

import random

import pytest
from engines import ETH

from pepay_core.testing import erc20

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


async def test_a_payment_that_is_dropped_is_taken_back_everywhere(pepay):
    invoice = await pepay.invoice(pay_with=ETH)
    pepay.pay(invoice, "ETH")
    pepay.mine(2)
    await pepay.look()
    assert await pepay.balances(invoice) == {"buyer": -(10**13 * 1667), "receivable": 0, "wallet": 10**13 * 1667}

    pepay.node.reorg(3)
    pepay.mine()
    await pepay.look()

    back = await pepay.get(invoice)
    assert (back["status"], back["fulfil"], back["amount_paid"], back["paid_at"]) == ("unpaid", False, "0.00", None)
    assert await pepay.balances(invoice) == {"buyer": 0, "receivable": 0, "wallet": 0}
    assert (await pepay.events(invoice))[-2:] == ["payment.reverted", "invoice.reverted"]


async def test_a_transaction_that_is_mined_again_is_the_same_payment(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset)
    to = pepay.option(invoice, "USDC")["destination"]
    hash_ = pepay.node.send(pepay.usdc, data=erc20.transfer(to, 49_990_000))
    raw = pepay.node.rpc("eth_getTransactionByHash", hash_)
    pepay.mine()
    await pepay.look()
    first = (await pepay.get(invoice))["payments"][0]

    pepay.node.reorg(1)
    pepay.mine(2)
    await pepay.look()
    assert (await pepay.get(invoice))["status"] == "unpaid"
    again = pepay.node.rpc(
        "eth_sendTransaction",
        {
            "from": raw["from"],
            "to": raw["to"],
            "data": raw["input"],
            "nonce": raw["nonce"],
            "gas": raw["gas"],
            "maxFeePerGas": raw["maxFeePerGas"],
            "maxPriorityFeePerGas": raw["maxPriorityFeePerGas"],
        },
    )
    pepay.mine(2)
    await pepay.look()

    paid = await pepay.get(invoice)
    assert again == hash_
    assert [(each["id"], each["status"]) for each in paid["payments"]] == [(first["id"], "confirmed")]
    assert paid["payments"][0]["block"] > first["block"]
    assert (await pepay.balances(invoice))["wallet"] == 49_990_000


async def test_a_transaction_that_only_changes_its_block_is_not_taken_back(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset)
    to = pepay.option(invoice, "USDC")["destination"]
    snapshot = pepay.node.snapshot()
    sender = pepay.node.accounts[0]
    call = {
        "from": sender,
        "to": pepay.usdc,
        "data": erc20.transfer(to, 49_990_000),
        "gas": hex(200_000),
        "maxFeePerGas": hex(10**11),
        "maxPriorityFeePerGas": hex(10**9),
    }
    nonce = pepay.node.rpc("eth_getTransactionCount", sender, "latest")
    first = pepay.node.rpc("eth_sendTransaction", {**call, "nonce": nonce})
    pepay.mine()
    await pepay.look()
    assert (await pepay.get(invoice))["status"] == "processing"

    pepay.node.revert(snapshot)
    pepay.mine()
    second = pepay.node.rpc("eth_sendTransaction", {**call, "nonce": nonce})
    pepay.mine()
    await pepay.look()

    assert first == second
    assert (await pepay.get(invoice))["status"] == "processing"
    assert "payment.reverted" not in await pepay.events(invoice)


async def test_an_idle_chain_that_is_rolled_back_is_believed_after_some_looks(pepay):
    invoice = await pepay.invoice(pay_with=ETH)
    snapshot = pepay.node.snapshot()
    pepay.pay(invoice, "ETH")
    await pepay.look()
    assert (await pepay.get(invoice))["status"] == "processing"

    pepay.node.revert(snapshot)
    for _ in range(3):
        await pepay.look()

    assert (await pepay.get(invoice))["status"] == "unpaid"


@pytest.mark.parametrize("seed", range(4))
async def test_after_any_reorganisations_the_credits_are_what_the_chain_holds(pepay, seed):
    chance = random.Random(seed)
    invoices = [await pepay.invoice(amount_usd="10", pay_with=pepay.usdc_asset) for _ in range(3)]
    addresses = {pepay.option(each, "USDC")["destination"]: each for each in invoices}
    start = pepay.node.height
    for _ in range(12):
        for to in chance.choices(list(addresses), k=chance.randint(0, 3)):
            pepay.node.send(pepay.usdc, data=erc20.transfer(to, chance.randint(1, 4_000_000)))
        pepay.mine()
        if chance.random() < 0.4 and pepay.node.height - start > 3:
            pepay.node.reorg(chance.randint(1, min(3, pepay.node.height - start)))
        if chance.random() < 0.6:
            await pepay.look()
    pepay.mine(3)
    await pepay.look()

    for to, invoice in addresses.items():
        topics = [TRANSFER, None, "0x" + to[2:].lower().rjust(64, "0")]
        logs = pepay.node.rpc("eth_getLogs", {"fromBlock": hex(start + 1), "toBlock": "latest", "address": pepay.usdc, "topics": topics})
        held = sum(int(each["data"], 16) for each in logs)
        found = await pepay.get(invoice)
        credited = sum(int(each["amount_base_units"]) for each in found["payments"] if each["status"] == "confirmed")
        assert credited == held
        assert (await pepay.balances(invoice)).get("wallet", 0) == held
