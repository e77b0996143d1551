"""A buyer in trouble helps himself: on the real engine, on a real chain, within what the merchant allows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from engines import ETH

from pepay_core.domain.errors import Conflict, InvalidAddress, InvalidInput, InvoiceClosed, NotFound
from pepay_core.services.settling import Change
from pepay_core.testing import erc20

BUYER = "0x00000000000000000000000000000000000B0b01"


@pytest.fixture
def engine():
    """What is stored is proved on both engines elsewhere; here it is about what happens."""
    return "sqlite"


async def allow(pepay, **rules):
    await pepay.runtime.preferring.change(pepay.caller, {"self_service": rules})


async def expired(pepay, asset=None, **fields):
    """An invoice whose time is over, unpaid."""
    invoice = await pepay.invoice(pay_with=asset or pepay.usdc_asset, expires_in=600, **fields)
    pepay.clock.jump(timedelta(seconds=601))
    pepay.mine()
    await pepay.look()
    await pepay.close_due()
    return await pepay.get(invoice)


async def paid(pepay, invoice, symbol, units=None):
    """Pay, and let it become final."""
    pepay.pay(invoice, symbol, units)
    pepay.mine(2)
    await pepay.look()
    return await pepay.get(invoice)


def helping(pepay, invoice):
    return pepay.runtime.self_serving.help_for(invoice["id"])


# --- a new quote after the end -------------------------------------------------------------


async def test_an_expired_order_goes_on_at_its_old_address_and_is_paid(pepay):
    invoice = await expired(pepay)
    assert invoice["status"] == "expired"
    assert (await helping(pepay, invoice))["new_quote"]

    again = await pepay.runtime.self_serving.new_quote(invoice["id"], pepay.usdc_asset)

    assert (again["id"], again["status"], again["resolution"]) == (invoice["id"], "unpaid", "none")
    assert again["expires_at"] == int(pepay.clock.now().timestamp()) + 3600
    assert pepay.option(again, "USDC")["destination"] == pepay.option(invoice, "USDC")["destination"]
    assert pepay.option(again, "USDC")["quote"]["valid_until"] == again["expires_at"]
    after = await paid(pepay, await pepay.get(invoice), "USDC")
    assert (after["status"], after["timing"], after["fulfil"]) == ("paid", "on_time", True)
    assert await pepay.events(invoice) == [
        "invoice.created",
        "invoice.expired",
        "invoice.reopened",
        "payment.detected",
        "payment.confirmed",
        "invoice.paid",
    ]


async def test_a_reopened_order_expires_again_when_its_chains_are_covered_past_the_new_deadline(pepay):
    invoice = await expired(pepay)
    await pepay.runtime.self_serving.new_quote(invoice["id"], pepay.usdc_asset)
    await pepay.close_due()
    assert (await pepay.get(invoice))["status"] == "unpaid"

    pepay.clock.jump(timedelta(seconds=3601))
    pepay.mine()
    await pepay.look()
    await pepay.close_due()

    assert (await pepay.get(invoice))["status"] == "expired"


async def test_an_order_of_which_a_part_came_goes_on_with_the_rest_in_the_same_asset(pepay):
    invoice = await pepay.invoice(pay_with=ETH, expires_in=600)
    await paid(pepay, invoice, "ETH", 10**16)
    pepay.clock.jump(timedelta(seconds=601))
    pepay.mine()
    await pepay.look()
    await pepay.close_due()
    assert (await pepay.get(invoice))["resolution"] == "pending"

    again = await pepay.runtime.self_serving.new_quote(invoice["id"], ETH)

    assert (again["status"], again["resolution"], again["amount_remaining"]) == ("underpaid", "none", "19.99")
    after = await paid(pepay, await pepay.get(invoice), "ETH")
    assert (after["status"], after["amount_paid"]) == ("paid", "49.99")


async def test_an_order_goes_on_three_times_and_no_more(pepay):
    invoice = await expired(pepay)
    for _ in range(3):
        await pepay.runtime.self_serving.new_quote(invoice["id"], pepay.usdc_asset)
        pepay.clock.jump(timedelta(seconds=3601))
        pepay.mine()
        await pepay.look()
        await pepay.close_due()

    assert not (await helping(pepay, invoice))["new_quote"]
    with pytest.raises(InvoiceClosed):
        await pepay.runtime.self_serving.new_quote(invoice["id"], pepay.usdc_asset)


async def test_an_order_does_not_go_on_where_its_address_is_not_watched_for_long_enough(pepay):
    invoice = await expired(pepay)
    pepay.clock.jump(timedelta(days=6, seconds=-1200))
    assert (await helping(pepay, invoice))["new_quote"]

    again = await pepay.runtime.self_serving.new_quote(invoice["id"], pepay.usdc_asset)
    assert again["expires_at"] <= invoice["expires_at"] + 6 * 86400
    pepay.clock.jump(timedelta(hours=1))
    pepay.mine()
    await pepay.look()
    await pepay.close_due()

    assert not (await helping(pepay, invoice))["new_quote"]


@pytest.mark.parametrize("why", ["not allowed", "open", "late money", "wrong money", "canceled", "decided"])
async def test_what_does_not_go_on_says_so(pepay, why):
    if why == "late money":
        await pepay.runtime.preferring.change(pepay.caller, {"late_policy": "hold"})
    invoice = await (pepay.invoice(pay_with=pepay.usdc_asset) if why in {"open", "canceled"} else expired(pepay))
    if why == "not allowed":
        await allow(pepay, new_quote=False)
    elif why == "late money":
        await paid(pepay, invoice, "USDC")
    elif why == "wrong money":
        pepay.node.send(pepay.option(invoice, "USDC")["destination"], 10**16)
        pepay.mine(3)
        await pepay.look()
    elif why == "canceled":
        await pepay.runtime.invoicing.cancel(pepay.caller, invoice["id"])
    elif why == "decided":
        pepay.node.send(pepay.option(invoice, "USDC")["destination"], 10**16)
        pepay.mine(3)
        await pepay.look()
        await pepay.runtime.invoicing.resolve(pepay.caller, invoice["id"], "write_off")

    before = await pepay.get(invoice)
    with pytest.raises(InvoiceClosed):
        await pepay.runtime.self_serving.new_quote(invoice["id"], pepay.usdc_asset)
    after = await pepay.get(invoice)
    assert [after[name] for name in ("version", "status", "expires_at")] == [before[name] for name in ("version", "status", "expires_at")]


async def test_a_closing_that_was_found_due_before_the_order_went_on_does_not_close_it(pepay):
    invoice = await expired(pepay)
    old = invoice["expires_at"]
    await pepay.runtime.self_serving.new_quote(invoice["id"], pepay.usdc_asset)

    settling = pepay.runtime.closing._settling
    await pepay.runtime.store.run(lambda tx: settling.settle(tx, invoice["id"], Change(), {}, closing=datetime.fromtimestamp(old, UTC)))

    assert (await pepay.get(invoice))["status"] == "unpaid"


# --- "I have sent it" ------------------------------------------------------------------------


async def test_a_transaction_is_explained_to_its_buyer_at_every_step(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset)
    look_up = pepay.runtime.self_serving.look_up

    said = await look_up(invoice["id"], "0x" + "ab" * 32)
    assert said["answer"] == "not_found"

    sent = pepay.node.send(pepay.usdc, data=erc20.transfer(pepay.option(invoice, "USDC")["destination"], 49_990_000))
    assert (await look_up(invoice["id"], sent))["answer"] == "waiting"

    pepay.mine()
    await pepay.look()
    said = await look_up(invoice["id"], sent.upper().replace("0X", "0x"))
    assert (said["answer"], said["message"]) == ("counting", "Found: 49.99 USDC on Dev. It has 1 of 2 confirmations.")

    pepay.mine()
    await pepay.look()
    said = await look_up(invoice["id"], sent)
    assert (said["answer"], said["message"]) == ("counted", "Found: 49.99 USDC on Dev are counted for this order.")


async def test_the_wrong_token_is_named_beside_what_was_asked_for(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset)
    hash_ = pepay.node.send(pepay.option(invoice, "USDC")["destination"], 10**16)
    pepay.mine(3)
    await pepay.look()

    said = await pepay.runtime.self_serving.look_up(invoice["id"], hash_)

    assert said["answer"] == "wrong_asset"
    assert said["message"].startswith("We see 0.01 ETH on Dev; this order asked for USDC on Dev.")


async def test_what_paid_another_order_is_not_told(pepay):
    mine, other = await pepay.invoice(pay_with=pepay.usdc_asset), await pepay.invoice(pay_with=pepay.usdc_asset)
    sent = pepay.pay(other, "USDC")
    pepay.mine(2)
    await pepay.look()

    said = await pepay.runtime.self_serving.look_up(mine["id"], sent)

    assert (said["answer"], said["amount"], said["symbol"]) == ("elsewhere", None, None)


async def test_a_late_payment_that_is_held_is_told_as_late(pepay):
    await pepay.runtime.preferring.change(pepay.caller, {"late_policy": "hold"})
    invoice = await expired(pepay)
    sent = pepay.pay(invoice, "USDC")
    pepay.mine(2)
    await pepay.look()

    assert (await pepay.runtime.self_serving.look_up(invoice["id"], sent))["answer"] == "late"


async def test_what_is_no_transaction_is_refused_and_so_is_asking_where_the_merchant_does_not_allow_it(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset)
    with pytest.raises(InvalidInput):
        await pepay.runtime.self_serving.look_up(invoice["id"], "I have paid, believe me, please do")
    await allow(pepay, lookup=False)
    with pytest.raises(NotFound):
        await pepay.runtime.self_serving.look_up(invoice["id"], "0x" + "ab" * 32)


# --- money back --------------------------------------------------------------------------------


async def test_an_excess_is_asked_back_approved_and_sent(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset)
    await paid(pepay, invoice, "USDC", 60_000_000)
    (claim,) = (await helping(pepay, invoice))["claims"]
    assert (claim["reason"], claim["amount"], claim["value"], claim["enough"]) == ("excess", "10.01", "10.01", True)

    refunding = pepay.runtime.refunding
    refund = await refunding.claim(invoice["id"], pepay.usdc_asset, BUYER)
    assert (refund["status"], refund["amount_base_units"], refund["address"].lower()) == ("requested", "10010000", BUYER.lower())
    state = await helping(pepay, invoice)
    assert (state["claims"], state["refunds"]) == ([], [refund])
    with pytest.raises(Conflict):
        await refunding.claim(invoice["id"], pepay.usdc_asset, BUYER)

    assert (await refunding.approve(pepay.caller, refund["id"]))["status"] == "approved"
    sent = await refunding.complete(pepay.caller, refund["id"], "0x" + "5e" * 32)
    assert (sent["status"], sent["transaction"]) == ("completed", "0x" + "5e" * 32)
    assert await refunding.complete(pepay.caller, refund["id"], "0x" + "5e" * 32) == sent
    for change in (refunding.complete(pepay.caller, refund["id"], "0x" + "5f" * 32), refunding.decline(pepay.caller, refund["id"], "no")):
        with pytest.raises(Conflict):
            await change
    after = await pepay.get(invoice)
    assert (after["status"], after["resolution"], after["fulfil"]) == ("overpaid", "none", True)
    assert (await pepay.events(invoice))[-2:] == ["refund.created", "refund.completed"]


@pytest.mark.parametrize("why", ["late", "wrong_asset", "partial", "canceled"])
async def test_money_that_waits_for_a_decision_is_asked_back_and_the_invoice_is_refunded_when_it_has_gone(pepay, why):
    if why == "late":
        await pepay.runtime.preferring.change(pepay.caller, {"late_policy": "hold"})
        invoice = await expired(pepay)
    else:
        invoice = await pepay.invoice(pay_with=pepay.usdc_asset, expires_in=600)
    asset, symbol, units = (ETH, "ETH", 10**16) if why == "wrong_asset" else (pepay.usdc_asset, "USDC", 20_000_000)
    if why == "wrong_asset":
        pepay.node.send(pepay.option(invoice, "USDC")["destination"], units)
        pepay.mine(3)
        await pepay.look()
    else:
        if why == "canceled":
            await pepay.runtime.invoicing.cancel(pepay.caller, invoice["id"])
        await paid(pepay, invoice, symbol, units)
    if why == "partial":
        pepay.clock.jump(timedelta(seconds=601))
        pepay.mine()
        await pepay.look()
        await pepay.close_due()

    (claim,) = (await helping(pepay, invoice))["claims"]
    assert (claim["reason"], claim["symbol"], claim["amount_base_units"]) == (why, symbol, str(units))
    refund = await pepay.runtime.refunding.claim(invoice["id"], asset, BUYER)
    await pepay.runtime.refunding.complete(pepay.caller, refund["id"], "0x" + "5e" * 32)

    after = await pepay.get(invoice)
    assert (after["resolution"], after["fulfil"]) == ("refunded", False)
    assert (await helping(pepay, invoice))["claims"] == []


async def test_who_asks_back_a_part_while_the_order_is_open_cancels_it(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset)
    await paid(pepay, invoice, "USDC", 20_000_000)

    await pepay.runtime.refunding.claim(invoice["id"], pepay.usdc_asset, BUYER)

    after = await pepay.get(invoice)
    assert (after["status"], after["resolution"]) == ("canceled", "pending")
    assert (await helping(pepay, invoice))["claims"] == []
    assert (await pepay.events(invoice))[-2:] == ["refund.created", "invoice.canceled"]


async def test_a_declined_claim_says_why_and_is_not_asked_again(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset)
    await paid(pepay, invoice, "USDC", 60_000_000)
    refund = await pepay.runtime.refunding.claim(invoice["id"], pepay.usdc_asset, BUYER)

    declined = await pepay.runtime.refunding.decline(pepay.caller, refund["id"], "It was a tip.")

    assert (declined["status"], declined["message"]) == ("declined", "It was a tip.")
    state = await helping(pepay, invoice)
    assert (state["claims"], state["refunds"][0]["message"]) == ([], "It was a tip.")
    assert (await pepay.events(invoice))[-1] == "refund.failed"


async def test_money_that_is_not_final_or_was_kept_cannot_be_asked_back(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset)
    pepay.pay(invoice, "USDC", 60_000_000)
    await pepay.look()
    assert (await helping(pepay, invoice))["claims"] == []

    other = await pepay.invoice(pay_with=pepay.usdc_asset)
    pepay.node.send(pepay.option(other, "USDC")["destination"], 10**16)
    pepay.mine(3)
    await pepay.look()
    await pepay.runtime.invoicing.resolve(pepay.caller, other["id"], "accept")
    assert (await helping(pepay, other))["claims"] == []


async def test_a_claim_needs_an_address_of_the_chain_that_is_not_the_shops_and_enough_money(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset)
    await paid(pepay, invoice, "USDC", 50_500_000)
    claim = pepay.runtime.refunding.claim
    for wrong, error in (("nonsense", InvalidAddress), (pepay.option(invoice, "USDC")["destination"], InvalidInput)):
        with pytest.raises(error):
            await claim(invoice["id"], pepay.usdc_asset, wrong)
    with pytest.raises(Conflict, match="nothing"):
        await claim(invoice["id"], ETH, BUYER)
    with pytest.raises(Conflict, match="too small"):
        await claim(invoice["id"], pepay.usdc_asset, BUYER)
    await allow(pepay, claims="off")
    with pytest.raises(Conflict, match="ask the shop"):
        await claim(invoice["id"], pepay.usdc_asset, BUYER)
    await allow(pepay, claims="approve", claim_minimum="0.50")
    assert (await claim(invoice["id"], pepay.usdc_asset, BUYER))["status"] == "approved"
