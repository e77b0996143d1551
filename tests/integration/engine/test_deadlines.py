"""When an invoice ends: by covered time, and what late money does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from engines import ETH, opened

from pepay_core.domain.errors import InvoiceClosed, Unavailable
from pepay_core.testing import erc20


async def test_an_unpaid_invoice_expires_when_its_chain_was_looked_at_past_the_deadline(pepay):
    invoice = await pepay.invoice(pay_with=ETH, expires_in=60)
    await pepay.clock.advance(61)

    await pepay.close_due()
    before = (await pepay.get(invoice))["status"]
    await pepay.look()
    await pepay.close_due()

    assert (before, (await pepay.get(invoice))["status"]) == ("unpaid", "expired")
    assert (await pepay.events(invoice))[-1] == "invoice.expired"


async def test_an_invoice_that_nobody_was_given_an_address_for_expires_by_the_clock(pepay):
    invoice = await pepay.invoice(expires_in=60)
    await pepay.clock.advance(61)

    await pepay.close_due()

    assert (await pepay.get(invoice))["status"] == "expired"


async def test_a_payment_made_while_nobody_looked_is_in_time_when_its_block_is(pepay):
    invoice = await pepay.invoice(pay_with=ETH, expires_in=60)
    pepay.pay(invoice, "ETH")
    pepay.mine()
    await pepay.clock.advance(7200)
    await pepay.close_due()
    assert (await pepay.get(invoice))["status"] == "unpaid"

    await pepay.look()
    await pepay.close_due()

    paid = await pepay.get(invoice)
    assert (paid["status"], paid["timing"], paid["amount_paid"]) == ("paid", "on_time", "49.99")
    assert "invoice.expired" not in await pepay.events(invoice)


async def test_a_crash_between_payment_and_confirmation_loses_and_doubles_nothing(pepay, settings, anvil):
    invoice = await pepay.invoice(pay_with=ETH, expires_in=60)
    pepay.pay(invoice, "ETH")
    await pepay.look()
    assert (await pepay.get(invoice))["status"] == "processing"
    anvil.stop()
    await pepay.clock.advance(7200)
    with pytest.raises(Unavailable):
        await pepay.runtime.look("eip155:31337")
    await pepay.close_due()
    assert (await pepay.get(invoice))["status"] == "processing"
    anvil.start()
    pepay.mine()

    # The lease of the one that died is its own to take again on one machine, and runs out elsewhere.
    async with opened(settings, anvil, pepay.clock, pepay.caller) as reborn:
        await pepay.clock.advance(30)
        await reborn.look()
        await reborn.close_due()
        paid = await reborn.get(invoice)
        events = await reborn.events(invoice)

    assert (paid["status"], paid["timing"]) == ("paid", "on_time")
    assert len(events) == len(set(events)), events


async def test_late_money_in_full_is_accepted_at_its_own_rate_and_says_that_it_is_late(pepay, market):
    invoice = await pepay.invoice(pay_with=ETH, expires_in=60)
    await pepay.clock.advance(61)
    await pepay.look()
    await pepay.close_due()
    for prices in market.prices.values():
        prices["ETH"] = "4000"

    await pepay.clock.advance(60)
    pepay.pay(invoice, "ETH")
    pepay.mine()
    await pepay.look()

    paid = await pepay.get(invoice)
    assert (paid["status"], paid["timing"], paid["fulfil"]) == ("overpaid", "late", True)
    assert paid["amount_paid"] == "66.68"


async def test_a_merchant_who_holds_late_money_decides_about_it(pepay):
    await pepay.runtime.preferring.change(pepay.caller, {"late_policy": "hold"})
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset, expires_in=60)
    await pepay.clock.advance(61)
    await pepay.look()
    await pepay.close_due()
    pepay.pay(invoice, "USDC")
    pepay.mine()
    await pepay.look()

    held = await pepay.get(invoice)
    accepted = await pepay.runtime.invoicing.resolve(pepay.caller, invoice["id"], "accept", "ships anyway")

    assert (held["status"], held["resolution"], held["fulfil"]) == ("expired", "pending", False)
    assert (accepted["status"], accepted["resolution"], accepted["fulfil"]) == ("expired", "accepted", True)
    assert (await pepay.events(invoice))[-1] == "invoice.resolved"


async def test_what_is_underpaid_at_the_deadline_waits_for_a_decision(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset, expires_in=60)
    pepay.pay(invoice, "USDC", 20_000_000)
    pepay.mine()
    await pepay.look()
    await pepay.clock.advance(61)
    await pepay.look()
    await pepay.close_due()

    waiting = await pepay.get(invoice)

    assert (waiting["status"], waiting["resolution"], waiting["amount_remaining"]) == ("underpaid", "pending", "29.99")


async def test_a_closed_invoice_is_not_quoted_again(pepay):
    invoice = await pepay.invoice(expires_in=60)
    await pepay.clock.advance(61)

    with pytest.raises(InvoiceClosed):
        await pepay.runtime.invoicing.choose(pepay.caller, invoice["id"], ETH)


async def test_a_payment_after_the_quote_ran_out_is_worth_what_it_is_worth_then(pepay, market):
    invoice = await pepay.invoice(pay_with=ETH, expires_in=3600)
    await pepay.clock.advance(16 * 60)
    for prices in market.prices.values():
        prices["ETH"] = "1500"
    pepay.pay(invoice, "ETH")
    pepay.mine()
    await pepay.look()

    partial = await pepay.get(invoice)

    assert (partial["status"], partial["amount_paid"]) == ("underpaid", "25.00")


async def test_money_that_nobody_can_price_is_kept_and_priced_when_somebody_can(pepay, market):
    invoice = await pepay.invoice(pay_with=ETH, expires_in=3600)
    await pepay.clock.advance(16 * 60)
    prices = {name: dict(each) for name, each in market.prices.items()}
    for each in market.prices.values():
        each.clear()
    pepay.pay(invoice, "ETH")
    pepay.mine()
    await pepay.look()
    unpriced = await pepay.get(invoice)
    assert (unpriced["status"], unpriced["resolution"], unpriced["payments"][0]["value"]) == ("unpaid", "pending", None)

    market.prices.update(prices)
    await pepay.clock.advance(60)
    await pepay.close_due()
    pepay.mine()
    await pepay.look()

    paid = await pepay.get(invoice)
    assert (paid["status"], paid["resolution"], paid["amount_paid"]) == ("paid", "none", "50.01")


async def test_the_addresses_of_a_closed_invoice_stay_watched(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset, expires_in=60)
    to = pepay.option(invoice, "USDC")["destination"]
    pepay.clock.jump(timedelta(days=6))
    await pepay.look()
    await pepay.close_due()
    pepay.node.send(pepay.usdc, data=erc20.transfer(to, 49_990_000))
    pepay.mine(2)
    await pepay.look()

    assert (await pepay.get(invoice))["status"] == "paid"
