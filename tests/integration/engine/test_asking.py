"""What a buyer is asked for is what remains, from addresses that nobody else was given."""

from __future__ import annotations

import json

import pytest
from engines import CHAIN, ETH

from pepay_core.domain.errors import NoDestination
from pepay_core.services.paging import Page
from pepay_core.testing import erc20


async def only_addresses(pepay, *lists):
    """Replace the merchant's wallets by lists of addresses."""
    for wallet in (await pepay.runtime.receiving.page(pepay.caller, Page())).items:
        await pepay.runtime.receiving.archive(pepay.caller, wallet["id"])
    for addresses in lists:
        await pepay.clock.advance(1)
        await pepay.runtime.receiving.create(pepay.caller, "eip155", "addresses", addresses)


def asked(pepay, invoice, symbol="USDC"):
    option = pepay.option(invoice, symbol)
    return int(option["quote"]["amount_base_units"]), option["payment_uri"]


async def test_when_a_part_leaves_the_chain_the_whole_is_asked_for_again(pepay):
    invoice = await pepay.invoice(amount_usd="20", pay_with=pepay.usdc_asset)
    snapshot = pepay.node.snapshot()
    pepay.pay(invoice, "USDC", 7_000_000)
    await pepay.look()
    assert asked(pepay, await pepay.get(invoice))[0] == 13_000_000

    pepay.node.revert(snapshot)
    pepay.mine(3)
    await pepay.look()
    whole = await pepay.get(invoice)
    assert (whole["status"], asked(pepay, whole)[0]) == ("unpaid", 20_000_000)
    assert asked(pepay, whole)[1].endswith("uint256=20000000")

    pepay.pay(whole, "USDC")
    pepay.mine()
    await pepay.look()
    assert (await pepay.get(invoice))["status"] == "paid"


async def test_when_one_of_two_parts_leaves_the_chain_the_rest_grows_by_it(pepay):
    invoice = await pepay.invoice(amount_usd="20", pay_with=pepay.usdc_asset)
    to = pepay.option(invoice, "USDC")["destination"]
    snapshot = pepay.node.snapshot()
    pepay.pay(invoice, "USDC", 7_000_000)
    await pepay.look()
    pepay.pay(invoice, "USDC", 4_000_000)
    await pepay.look()
    assert asked(pepay, await pepay.get(invoice))[0] == 9_000_000

    pepay.node.revert(snapshot)
    pepay.node.send(pepay.usdc, data=erc20.transfer(to, 4_000_000))
    pepay.mine(3)
    await pepay.look()

    rest = await pepay.get(invoice)
    assert (rest["amount_remaining"], asked(pepay, rest)[0]) == ("16.00", 16_000_000)
    pepay.pay(rest, "USDC")
    pepay.mine()
    await pepay.look()
    assert (await pepay.get(invoice))["status"] == "paid"


async def test_a_part_that_was_paid_locks_the_other_assets(pepay):
    invoice = await pepay.invoice(amount_usd="20", pay_with=pepay.usdc_asset)
    pepay.pay(invoice, "USDC", 7_000_000)
    await pepay.look()

    partial = await pepay.get(invoice)

    assert (pepay.option(partial, "ETH")["available"], pepay.option(partial, "ETH")["unavailable_reason"]) == (False, "asset_locked")
    assert pepay.option(partial, "USDC")["available"] is True


async def test_an_address_that_was_issued_before_is_passed_over(pepay, anvil):
    one, two, three = anvil.accounts[6:9]
    await only_addresses(pepay, [one])
    assert pepay.option(await pepay.invoice(pay_with=ETH), "ETH")["destination"].lower() == one.lower()

    await only_addresses(pepay, [one, two], [one, three])

    issued = [pepay.option(await pepay.invoice(pay_with=ETH), "ETH")["destination"].lower() for _ in range(2)]
    assert issued == [two.lower(), three.lower()]
    with pytest.raises(NoDestination):
        await pepay.invoice(pay_with=ETH)


async def test_a_decision_about_money_for_a_canceled_invoice_is_told(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset)
    await pepay.runtime.invoicing.cancel(pepay.caller, invoice["id"])
    pepay.pay(invoice, "USDC")
    pepay.mine()
    await pepay.look()
    assert (await pepay.get(invoice))["resolution"] == "pending"

    accepted = await pepay.runtime.invoicing.resolve(pepay.caller, invoice["id"], "accept")

    assert accepted["fulfil"] is True
    assert [each for each in await pepay.events(invoice) if each.startswith("invoice.")] == [
        "invoice.created",
        "invoice.canceled",
        "invoice.resolved",
    ]


async def test_when_accepted_money_leaves_the_chain_the_shop_is_told(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset)
    to = pepay.option(invoice, "USDC")["destination"]
    snapshot = pepay.node.snapshot()
    pepay.node.send(pepay.dai, data=erc20.transfer(to, 50 * 10**18))
    pepay.mine(2)
    await pepay.look()
    await pepay.runtime.invoicing.resolve(pepay.caller, invoice["id"], "accept")
    assert (await pepay.get(invoice))["fulfil"] is True

    pepay.node.revert(snapshot)
    pepay.mine(4)
    await pepay.look()

    back = await pepay.get(invoice)
    assert (back["fulfil"], back["resolution"]) == (False, "pending")
    assert (await pepay.events(invoice))[-2:] == ["payment.reverted", "invoice.reverted"]
    async with pepay.runtime.store.read() as tx:
        events = await tx.events.page(pepay.caller.merchant, livemode=False, page=Page(limit=100))
    last = json.loads(events.items[-1].body)["data"]
    assert (last["object"]["fulfil"], last["previous_attributes"]["fulfil"]) == (False, True)


async def test_a_transaction_is_found_however_its_hash_is_written(pepay):
    invoice = await pepay.invoice(pay_with=ETH)
    hash_ = pepay.pay(invoice, "ETH")
    await pepay.look()

    found = await pepay.runtime.invoicing.by_transaction(pepay.caller, "0x" + hash_[2:].upper())

    assert [each["id"] for each in found] == [invoice["id"]]
    assert CHAIN in found[0]["payments"][0]["asset"]
