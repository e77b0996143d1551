"""`pepay tx explain`: the right one of its answers for a transaction of each class, from the real engine on a real chain."""

from __future__ import annotations

from datetime import timedelta

import pytest
from engines import CHAIN, ETH

from pepay_core.domain.errors import ChainUnavailable, InvalidInput, UnknownAsset
from pepay_core.services.explanations import explanation_object
from pepay_core.services.founding import found
from pepay_core.testing import erc20
from pepay_evm.decoding import TRANSFER

STRANGER = "0x000000000000000000000000000000000000dEaD"


async def explain(pepay, transaction, **options):
    options = {"merchant": pepay.caller.merchant, "livemode": False, **options}
    explained = await pepay.runtime.explaining.explain(transaction, **options)
    return explanation_object(explained, pepay.runtime.catalogue)


def said(explanation):
    return explanation["answer"], explanation["reason"], [(each["answer"], each["reason"]) for each in explanation["transfers"]]


@pytest.fixture
async def invoice(pepay):
    """Return an invoice with an address at which nothing ever lay: the first of the wallet is the node's own account."""
    await pepay.invoice(pay_with=ETH)
    return await pepay.invoice(pay_with=ETH)


@pytest.fixture
def to(pepay, invoice):
    return pepay.option(invoice, "ETH")["destination"]


async def covered(pepay, blocks=1):
    pepay.mine(blocks)
    await pepay.look()


async def test_what_was_never_sent_is_not_on_the_chain(pepay):
    explanation = await explain(pepay, "0x" + "ab" * 32)

    assert said(explanation) == ("not_on_chain", None, [])
    assert explanation["chain"] is None
    assert explanation["asked"] == [{"chain": CHAIN, "answer": "not_on_chain", "problem": None}]


async def test_what_waits_to_be_mined_is_pending(pepay, to):
    sent = pepay.node.send(to, 10**15)

    assert said(await explain(pepay, sent)) == ("pending", None, [])


async def test_what_is_in_a_block_that_nobody_looked_at_yet_is_not_covered_yet(pepay, invoice):
    sent = pepay.pay(invoice, "ETH")

    explanation = await explain(pepay, sent)

    assert (explanation["answer"], explanation["block"]) == ("not_covered_yet", pepay.node.height)


async def test_what_was_mined_before_the_first_look_is_before_the_first_block(pepay):
    block = pepay.node.rpc("eth_getBlockByNumber", "0x2", False)

    explanation = await explain(pepay, block["transactions"][0])

    assert (explanation["answer"], explanation["rescan"]) == ("before_first_block", {"from_block": 2, "to_block": 2})


async def test_what_went_to_somebody_else_is_not_addressed_to_us(pepay, invoice):
    sent = pepay.node.send(STRANGER, 10**15)
    await covered(pepay)

    assert invoice
    assert said(await explain(pepay, sent)) == ("not_addressed_to_us", None, [])


async def test_what_was_credited_names_its_invoice_for_each_transfer(pepay, invoice):
    sent = pepay.pay(invoice, "ETH")
    await pepay.look()

    explanation = await explain(pepay, sent.upper().replace("0X", "0x"))

    payment = (await pepay.get(invoice))["payments"][0]
    assert said(explanation) == ("credited", None, [("credited", None)])
    (part,) = explanation["transfers"]
    assert (part["invoice"], part["payment"], part["amount"]) == (invoice["id"], payment["id"], payment["amount"])


async def test_money_that_a_contract_passed_on_is_found_where_the_driver_finds_it(pepay, invoice, to):
    disperse = pepay.node.deploy(erc20.DISPERSE)
    other = pepay.option(await pepay.invoice(pay_with=pepay.usdc_asset), "USDC")["destination"]
    pepay.node.send(pepay.usdc, data=erc20.transfer(disperse, 70_000_000))
    await covered(pepay)
    sent = pepay.node.send(disperse, data=erc20.disperse_tokens(pepay.usdc, [(to, 20_000_000), (other, 49_990_000)]))
    await covered(pepay)

    explanation = await explain(pepay, sent)

    assert invoice
    assert said(explanation) == ("credited", None, [("unmatched", "wrong_asset"), ("credited", None)])


async def test_another_asset_than_the_one_that_was_asked_is_unmatched(pepay, invoice, to):
    sent = pepay.node.send(pepay.usdc, data=erc20.transfer(to, 49_990_000))
    await covered(pepay)

    explanation = await explain(pepay, sent)

    assert said(explanation) == ("unmatched", "wrong_asset", [("unmatched", "wrong_asset")])
    assert explanation["transfers"][0]["invoice"] == invoice["id"]


async def test_a_token_that_is_not_configured_is_unmatched_whatever_it_calls_itself(pepay, to):
    look_alike = pepay.node.deploy(erc20.coin("USDC", 6, 10**15))
    sent = pepay.node.send(look_alike, data=erc20.transfer(to, 49_990_000))
    await covered(pepay)

    explanation = await explain(pepay, sent)

    assert said(explanation) == ("unmatched", "unregistered_token", [("unmatched", "unregistered_token")])
    (part,) = explanation["transfers"]
    assert (part["asset"], part["symbol"], part["amount_base_units"]) == (f"{CHAIN}/erc20:{look_alike}", None, "49990000")


@pytest.mark.parametrize("asset", ["ETH", "USDC"])
async def test_a_transaction_that_failed_moved_nothing(pepay, to, asset):
    if asset == "ETH":
        pepay.node.rpc("anvil_setCode", to, "0x60006000fd")
        sent = pepay.node.send(to, 10**15, gas=100_000)
    else:
        sent = pepay.node.send(pepay.usdc, data=erc20.transfer(to, 10**30), gas=100_000)
    await covered(pepay)

    assert said(await explain(pepay, sent)) == ("unmatched", "failed", [("unmatched", "failed")])


async def test_nothing_sent_is_nothing_paid(pepay, to):
    native = pepay.node.send(to, 0)
    token = pepay.node.send(pepay.usdc, data=erc20.transfer(to, 0))
    await covered(pepay)

    for sent in (native, token):
        assert said(await explain(pepay, sent)) == ("unmatched", "zero_value", [("unmatched", "zero_value")])


async def test_a_token_of_which_there_is_one_is_no_money(pepay, to):
    forger = pepay.node.deploy(erc20.FORGER)
    topics = [TRANSFER, f"0x{1:064x}", f"0x{to[2:].lower():0>64}", f"0x{7:064x}"]
    sent = pepay.node.send(forger, data=erc20.forge(topics, "0x"), gas=500_000)
    await covered(pepay)

    assert said(await explain(pepay, sent)) == ("unmatched", "not_fungible", [("unmatched", "not_fungible")])


async def test_a_transfer_that_brought_nothing_is_no_payment(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset)
    to = pepay.option(invoice, "USDC")["destination"]
    pepay.pay(invoice, "USDC")
    pepay.node.rpc("anvil_impersonateAccount", to)
    pepay.node.set_balance(to, 10**18)
    # From the address to itself: its balance stays what it was.
    sent = pepay.node.send(pepay.usdc, data=erc20.transfer(to, 5_000_000), sender=to)
    await covered(pepay)

    assert said(await explain(pepay, sent)) == ("unmatched", "nothing_arrived", [("unmatched", "nothing_arrived")])


async def test_late_money_that_is_held_is_unmatched_until_the_merchant_accepts_it(pepay):
    await pepay.invoice(pay_with=ETH)
    await pepay.runtime.preferring.change(pepay.caller, {"late_policy": "hold"})
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset, expires_in=60)
    await pepay.clock.advance(61)
    await covered(pepay)
    await pepay.close_due()
    sent = pepay.pay(invoice, "USDC")
    await covered(pepay)
    held = said(await explain(pepay, sent))

    await pepay.runtime.invoicing.resolve(pepay.caller, invoice["id"], "accept", None)

    assert held == ("unmatched", "late", [("unmatched", "late")])
    assert said(await explain(pepay, sent)) == ("credited", None, [("credited", None)])


async def test_money_for_a_canceled_invoice_is_unmatched(pepay, invoice):
    await pepay.runtime.invoicing.cancel(pepay.caller, invoice["id"])
    sent = pepay.pay(invoice, "ETH")
    await covered(pepay)

    assert said(await explain(pepay, sent))[:2] == ("unmatched", "closed")


async def test_money_whose_block_left_the_chain_was_reverted(pepay, invoice):
    sent = pepay.pay(invoice, "ETH")
    await pepay.look()
    pepay.node.reorg(1)
    await covered(pepay, 2)

    assert said(await explain(pepay, sent)) == ("unmatched", "reverted", [("unmatched", "reverted")])


async def test_real_money_for_a_test_invoice_is_unmatched(pepay, invoice):
    pepay.runtime.catalogue.chain(CHAIN).testnet = False
    sent = pepay.pay(invoice, "ETH")
    await pepay.look()

    assert said(await explain(pepay, sent, livemode=True))[:2] == ("unmatched", "wrong_environment")


async def test_what_an_address_received_before_it_was_given_out_says_so(pepay, invoice):
    sent = pepay.pay(invoice, "ETH")
    await pepay.look()
    async with pepay.runtime.store.begin() as tx:
        await tx.payments._raw("DELETE FROM pepay_entry")
        await tx.payments._raw("DELETE FROM pepay_payment")
        later = pepay.clock.now() + timedelta(hours=1)
        await tx.payments._raw("UPDATE pepay_destination SET issued_at = {} WHERE invoice = {}", later, invoice["id"])

    assert said(await explain(pepay, sent)) == ("unmatched", "before_issued", [("unmatched", "before_issued")])


async def test_what_is_covered_and_ours_and_not_in_the_database_was_missed_and_can_be_rescanned(pepay, invoice):
    sent = pepay.pay(invoice, "ETH")
    await pepay.look()
    async with pepay.runtime.store.begin() as tx:
        await tx.payments._raw("DELETE FROM pepay_entry")
        await tx.payments._raw("DELETE FROM pepay_payment")

    explanation = await explain(pepay, sent)
    again = explanation["rescan"]
    await pepay.runtime.rescanning.rescan(explanation["chain"], again["from_block"], again["to_block"])

    assert said(explanation) == ("missed", None, [("missed", None)])
    assert explanation["transfers"][0]["invoice"] == invoice["id"]
    assert said(await explain(pepay, sent)) == ("credited", None, [("credited", None)])


async def test_another_merchant_is_told_nothing(pepay, invoice):
    sent = pepay.pay(invoice, "ETH")
    await pepay.look()
    runtime = pepay.runtime
    other = await found(runtime.store, runtime.keys, runtime.ids, pepay.clock, "Other shop")

    assert said(await explain(pepay, sent, merchant=other.merchant.id)) == ("not_addressed_to_us", None, [])
    assert said(await explain(pepay, sent, merchant=None, livemode=None))[0] == "credited"


async def test_chains_of_the_other_environment_are_not_asked(pepay):
    with pytest.raises(InvalidInput, match="no such chain"):
        await explain(pepay, "0x" + "ab" * 32, livemode=True)
    with pytest.raises(UnknownAsset):
        await explain(pepay, "0x" + "ab" * 32, chain_id="eip155:1")


async def test_what_cannot_be_a_transaction_is_refused_and_a_chain_that_is_down_says_so(pepay, anvil):
    with pytest.raises(InvalidInput, match="64 hexadecimal digits"):
        await explain(pepay, "0x12")
    anvil.stop()
    with pytest.raises(ChainUnavailable):
        await explain(pepay, "0x" + "ab" * 32)
