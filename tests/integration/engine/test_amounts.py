"""Base units are counted to the last one, whatever they are of."""

from __future__ import annotations

import pytest
from engines import CHAIN, ETH

from pepay_core.domain.errors import AssetLocked, NoDestination, RatesUnavailable
from pepay_core.services.paging import Page


async def test_the_largest_amount_that_a_token_can_move_is_credited_exactly(pepay):
    dai = f"{CHAIN}/erc20:{pepay.dai}"
    invoice = await pepay.invoice(pay_with=dai)

    pepay.pay(invoice, "DAI", 2**256 - 1)
    pepay.mine()
    await pepay.look()

    paid = await pepay.get(invoice)
    assert paid["payments"][0]["amount_base_units"] == str(2**256 - 1)
    assert paid["status"] == "overpaid"
    assert (await pepay.balances(invoice))["wallet"] == 2**256 - 1


async def test_the_rest_is_asked_at_the_rate_of_the_first_part(pepay, market):
    invoice = await pepay.invoice(pay_with=ETH)
    pepay.pay(invoice, "ETH", 10**16)
    for prices in market.prices.values():
        prices["ETH"] = "1000"
    await pepay.clock.advance(60)
    await pepay.look()

    partial = await pepay.get(invoice)

    assert pepay.option(partial, "ETH")["quote"]["rate"] == "3000"
    assert pepay.option(partial, "ETH")["quote"]["amount"] == "0.00667"
    with pytest.raises(AssetLocked):
        await pepay.runtime.invoicing.choose(pepay.caller, invoice["id"], pepay.usdc_asset)


async def test_choosing_again_quotes_again_at_the_same_address(pepay, market):
    invoice = await pepay.invoice(pay_with=ETH)
    for prices in market.prices.values():
        prices["ETH"] = "2000"
    await pepay.clock.advance(60)

    again = await pepay.runtime.invoicing.choose(pepay.caller, invoice["id"], ETH)

    before, after = pepay.option(invoice, "ETH"), pepay.option(again, "ETH")
    assert (before["quote"]["rate"], after["quote"]["rate"]) == ("3000", "2000")
    assert before["destination"] == after["destination"]


async def test_an_invoice_in_a_token_asks_for_that_token_without_a_rate(pepay, market):
    for each in market.prices.values():
        each.clear()

    invoice = await pepay.invoice(amount_usd=None, amount="1.234567890123456789", currency=ETH, pay_with=ETH)

    option = pepay.option(invoice, "ETH")
    assert option["quote"]["amount_base_units"] == "1234567890123456789"
    pepay.pay(invoice, "ETH")
    pepay.mine()
    await pepay.look()
    assert (await pepay.get(invoice))["status"] == "paid"


async def test_without_rates_nothing_is_created_and_nothing_is_priced(pepay, market):
    for each in market.prices.values():
        each.clear()
    await pepay.clock.advance(200)

    with pytest.raises(RatesUnavailable):
        await pepay.invoice()
    with pytest.raises(RatesUnavailable):
        await pepay.invoice(pay_with=ETH)


async def test_a_provider_that_lies_by_half_is_dropped_and_the_evidence_says_so(pepay, market):
    market.prices["kraken"]["ETH"] = "1500"
    await pepay.clock.advance(60)

    quote = pepay.option(await pepay.invoice(pay_with=ETH), "ETH")["quote"]

    assert quote["rate"] == "3000"
    judged = {each["provider"]: (each["used"], each["reason"]) for each in quote["evidence"]}
    assert judged == {"coinbase": (True, None), "coingecko": (True, None), "kraken": (False, "deviation")}


async def test_a_list_of_addresses_gives_each_of_them_once(pepay, anvil):
    for wallet in (await pepay.runtime.receiving.page(pepay.caller, Page())).items:
        await pepay.runtime.receiving.archive(pepay.caller, wallet["id"])
    await pepay.runtime.receiving.create(pepay.caller, "eip155", "addresses", [anvil.accounts[7], anvil.accounts[8]])

    issued = [pepay.option(await pepay.invoice(pay_with=ETH), "ETH")["destination"] for _ in range(2)]

    assert [each.lower() for each in issued] == [anvil.accounts[7].lower(), anvil.accounts[8].lower()]
    with pytest.raises(NoDestination):
        await pepay.invoice(pay_with=ETH)
