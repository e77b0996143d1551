"""What a buyer's wallet is asked pays exactly the invoice, and what the buyer says about it proves nothing."""

from __future__ import annotations

import pytest
from engines import ETH

from pepay_core.domain.errors import InvalidAddress
from pepay_core.testing import erc20

METHODS = ["wallet_switchEthereumChain", "wallet_addEthereumChain", "eth_sendTransaction", "wallet_sendCalls"]


async def ask(pepay, invoice, asset, payer):
    return await pepay.runtime.invoicing.transaction_for(invoice["id"], asset, payer)


@pytest.mark.parametrize("symbol", ["ETH", "USDC"])
async def test_what_the_wallet_signs_pays_the_invoice_exactly(pepay, symbol):
    asset = ETH if symbol == "ETH" else pepay.usdc_asset
    invoice = await pepay.invoice(pay_with=asset)
    payer = pepay.node.accounts[3]
    pepay.node.send(pepay.usdc, data=erc20.transfer(payer, 10**9), gas=100_000)
    pepay.mine()

    asked = await ask(pepay, invoice, asset, payer)
    assert (asked["object"], asked["family"], list(asked["requests"])) == ("unsigned_transaction", "eip155", METHODS)
    (transaction,) = asked["requests"]["eth_sendTransaction"]
    assert transaction == asked["payload"]
    sent = pepay.node.rpc("eth_sendTransaction", transaction)
    pepay.mine(2)

    said = await pepay.runtime.invoicing.submitted(invoice["id"], sent)
    assert said["status"] == "paid"
    assert (await pepay.get(invoice))["amount_paid"] == "49.99" if symbol == "USDC" else said["status"] == "paid"


async def test_the_batch_of_a_smart_account_is_the_same_payment(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset)
    asked = await ask(pepay, invoice, pepay.usdc_asset, pepay.node.accounts[0])
    (batch,) = asked["requests"]["wallet_sendCalls"]
    (one,) = batch["calls"]
    pepay.node.rpc("eth_sendTransaction", {"from": batch["from"], **one})
    pepay.mine(2)
    await pepay.look()
    assert (await pepay.get(invoice))["status"] == "paid"


async def test_who_pays_must_be_an_address(pepay):
    invoice = await pepay.invoice(pay_with=ETH)
    with pytest.raises(InvalidAddress) as refused:
        await ask(pepay, invoice, ETH, "nobody")
    assert refused.value.field == "payer"


async def test_a_hash_that_is_wrong_or_foreign_or_failed_changes_nothing(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset)
    node, to = pepay.node, pepay.option(invoice, "USDC")["destination"]
    before = await pepay.get(invoice)
    foreign = node.send(node.accounts[5], 10**18)
    # The look-alike of a payment: somebody without tokens tries, and the transaction fails.
    failed = node.send(pepay.usdc, data=erc20.transfer(to, 49_990_000), sender=node.accounts[6], gas=100_000)
    pepay.mine(3)
    assert int(node.receipt(failed)["status"], 16) == 0
    pending = node.send(pepay.usdc, data=erc20.transfer(to, 49_990_000))

    for hash_ in ("0x" + "ab" * 32, foreign, failed, pending):
        said = await pepay.runtime.invoicing.submitted(invoice["id"], hash_)
        assert (said["status"], said["payments"]) == ("unpaid", [])
        assert await pepay.get(invoice) == before
    assert await pepay.events(invoice) == ["invoice.created"]
    assert await pepay.balances(invoice) == {}
