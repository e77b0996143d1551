"""Deposits without a key: paid before anything is there, flushed together, seen to leave, and found again from one line."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from depot import NATIVE, TREASURY, Depot, treasury_wallet, waiting
from engines import CHAIN, ETH

from pepay_core.domain.chains import Reference
from pepay_core.domain.errors import NoDestination
from pepay_core.services.checking import LedgerCheck
from pepay_core.services.paging import Page
from pepay_evm.deposits import DEPLOYER, FACTORY, Treasury, flush_call


async def content_of(ledger):
    return [each.message for each in await ledger.run()]


async def test_what_was_paid_before_anything_was_deployed_is_found_final_and_flushed_with_fifty_others(pepay):
    node = pepay.node
    wallet = await treasury_wallet(pepay)
    treasury = Treasury.read(wallet["recovery"])
    invoices = [await pepay.invoice(pay_with=ETH) for _ in range(51)]
    places = [pepay.option(invoice, "ETH")["destination"] for invoice in invoices]
    assert places == [treasury.deposit(index) for index in range(51)]
    assert wallet["first_address"] == places[0]
    assert node.rpc("eth_getCode", FACTORY, "latest") == "0x"

    # As an exchange pays: with the gas of a plain transfer and no more.
    units = int(pepay.option(invoices[0], "ETH")["quote"]["amount_base_units"])
    for place in places:
        node.send(place, units, gas=21_000)
    pepay.mine(2)
    await pepay.look()

    assert [(await pepay.get(invoice))["status"] for invoice in invoices] == ["paid"] * 51
    assert await waiting(pepay, wallet) == ("0.85017", "0", "0.85017")
    before = node.balance(TREASURY)

    depot = Depot(node)
    receipt = depot.flush(TREASURY, NATIVE, [treasury.ref(index) for index in range(51)])
    assert receipt["status"] == "0x1"
    assert node.balance(TREASURY) == before + 51 * units
    await pepay.look()

    assert await waiting(pepay, wallet) == ("0.85017", "0.85017", "0")
    assert await pepay.balances(invoices[0]) == {"buyer": -units, "receivable": 0, "wallet": 0, "treasury": units}
    assert [(await pepay.get(invoice))["status"] for invoice in invoices] == ["paid"] * 51
    assert await content_of(LedgerCheck(pepay.runtime.store)) == ["every posting sums to zero, every paid invoice is justified"]

    # The address is as it was: it takes a plain transfer, which is credited, and can be flushed again.
    again = depot.run(places[0], value=units, gas=21_000)
    assert (again["status"], int(again["gasUsed"], 16)) == ("0x1", 21_000)
    pepay.mine(2)
    await pepay.look()
    assert (await pepay.get(invoices[0]))["status"] == "overpaid"
    assert (await waiting(pepay, wallet))[2] == "0.01667"


async def test_a_token_is_flushed_with_the_coins_beside_it(pepay):
    wallet = await treasury_wallet(pepay)
    treasury = Treasury.read(wallet["recovery"])
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset)
    pepay.pay(invoice, "USDC")
    pepay.node.send(treasury.deposit(0), 7)
    pepay.mine(2)
    await pepay.look()

    Depot(pepay.node).flush(TREASURY, pepay.usdc, [treasury.ref(0)])
    await pepay.look()

    assert await waiting(pepay, wallet, pepay.usdc_asset) == ("49.99", "49.99", "0")
    assert await waiting(pepay, wallet) == ("0.000000000000000007", "0.000000000000000007", "0")


async def test_a_flush_that_leaves_the_chain_is_taken_back_and_counted_once_when_it_returns(pepay):
    node = pepay.node
    wallet = await treasury_wallet(pepay)
    treasury = Treasury.read(wallet["recovery"])
    depot = Depot(node)
    invoice = await pepay.invoice(pay_with=ETH)
    pepay.pay(invoice, "ETH")
    pepay.mine(2)
    await pepay.look()
    depot.flush(TREASURY, NATIVE, [treasury.ref(0)])
    await pepay.look()
    assert (await waiting(pepay, wallet))[1:] == ("0.01667", "0")

    node.reorg(1)
    pepay.mine()
    await pepay.look()
    assert (await waiting(pepay, wallet))[1:] == ("0", "0.01667")
    assert (await pepay.balances(invoice))["treasury"] == 0
    assert (await pepay.get(invoice))["status"] == "paid"

    depot.flush(TREASURY, NATIVE, [treasury.ref(0)])
    pepay.mine()
    await pepay.look()
    assert (await waiting(pepay, wallet))[1:] == ("0.01667", "0")
    assert await content_of(LedgerCheck(pepay.runtime.store)) == ["every posting sums to zero, every paid invoice is justified"]


async def test_a_flush_is_seen_long_after_nobody_watches_its_deposit(pepay):
    wallet = await treasury_wallet(pepay)
    treasury = Treasury.read(wallet["recovery"])
    invoice = await pepay.invoice(pay_with=ETH)
    pepay.pay(invoice, "ETH")
    pepay.mine(2)
    await pepay.look()
    pepay.clock.jump(timedelta(days=400))
    pepay.mine()
    await pepay.look()
    await pepay.close_due()

    Depot(pepay.node).flush(TREASURY, NATIVE, [treasury.ref(0)])
    await pepay.look()

    assert (await waiting(pepay, wallet))[1:] == ("0.01667", "0")


async def test_a_second_look_finds_a_sweep_that_was_lost_and_adds_none_that_was_not(pepay):
    wallet = await treasury_wallet(pepay)
    treasury = Treasury.read(wallet["recovery"])
    invoice = await pepay.invoice(pay_with=ETH)
    pepay.pay(invoice, "ETH")
    pepay.mine(2)
    await pepay.look()
    first = pepay.node.height
    Depot(pepay.node).flush(TREASURY, NATIVE, [treasury.ref(0)])
    await pepay.look()
    async with pepay.runtime.store.begin() as tx:
        (sweep,) = await tx.sweeps.above(CHAIN, 0)
        await tx.sweeps.save(replace(sweep, active=False))
    assert (await waiting(pepay, wallet))[1:] == ("0", "0.01667")

    for _ in range(2):
        await pepay.runtime.rescanning.rescan(CHAIN, first, pepay.node.height)

        assert (await waiting(pepay, wallet))[1:] == ("0.01667", "0")


async def test_the_flushes_of_other_installations_are_nobodys_business_here(pepay):
    wallet = await treasury_wallet(pepay)
    other = Treasury.new(TREASURY)
    depot = Depot(pepay.node)
    depot.run(other.deposit(0), value=5)
    depot.flush(TREASURY, NATIVE, [other.ref(0)])
    await pepay.look()

    assert (await pepay.runtime.receiving.get(pepay.caller, wallet["id"]))["balances"] == []


async def test_of_an_xpub_nobody_here_knows_what_was_moved_on(pepay):
    (wallet,) = (await pepay.runtime.receiving.page(pepay.caller, Page())).items
    invoice = await pepay.invoice(pay_with=ETH)
    pepay.pay(invoice, "ETH")
    pepay.mine(2)
    await pepay.look()

    assert wallet["recovery"] is None
    assert await waiting(pepay, wallet) == ("0.01667", None, None)


async def test_money_that_is_not_final_yet_is_not_received(pepay):
    wallet = await treasury_wallet(pepay)
    invoice = await pepay.invoice(pay_with=ETH)
    pepay.pay(invoice, "ETH")
    await pepay.look()
    assert await waiting(pepay, wallet) is None

    treasury = Treasury.read(wallet["recovery"])
    pepay.node.send(DEPLOYER, data="0x" + "0" * 64)  # anything: the next block makes the payment final
    pepay.mine()
    await pepay.look()
    assert await waiting(pepay, wallet) == ("0.01667", "0", "0.01667")
    assert treasury.deposit(0) == pepay.option(invoice, "ETH")["destination"]


async def test_a_network_on_which_deposits_could_never_be_flushed_is_not_offered_to_a_treasury(pepay):
    await treasury_wallet(pepay)
    chain = pepay.runtime.catalogue.chains[CHAIN]
    pepay.node.rpc("anvil_setCode", DEPLOYER, "0x")
    await chain.open()

    invoice = await pepay.invoice()
    assert {option["unavailable_reason"] for option in invoice["payment_options"]} == {"no_wallet"}
    with pytest.raises(NoDestination, match="no CREATE2 deployer"):
        await pepay.runtime.invoicing.choose(pepay.caller, invoice["id"], ETH)


async def test_an_invoice_that_has_a_deposit_gets_no_option_on_a_network_that_cannot_flush_it(pepay):
    await treasury_wallet(pepay)
    invoice = await pepay.invoice(pay_with=ETH)
    pepay.node.rpc("anvil_setCode", DEPLOYER, "0x")
    await pepay.runtime.catalogue.chains[CHAIN].open()

    with pytest.raises(NoDestination, match="no CREATE2 deployer"):
        await pepay.runtime.invoicing.choose(pepay.caller, invoice["id"], pepay.usdc_asset)


async def test_two_installations_with_one_treasury_never_share_an_address(pepay):
    one = await treasury_wallet(pepay)
    other = await treasury_wallet(pepay)
    chain = pepay.runtime.catalogue.chains[CHAIN]
    materials = [chain.parse_wallet("treasury", TREASURY) for _ in range(2)]

    assert one["value"] == other["value"] == TREASURY
    assert one["recovery"] != other["recovery"]
    issued = await asyncio.gather(*(chain.issue(material, Reference(index, bytes(32))) for material in materials for index in range(20)))
    assert len({one["first_address"], other["first_address"], *(each.address for each in issued)}) == 42


async def test_nothing_that_the_server_keeps_can_move_a_deposit(pepay):
    """All that is stored of a deposit is its treasury, a tag and an index, and whoever knows them can only send it to the treasury."""
    wallet = await treasury_wallet(pepay)
    treasury = Treasury.read(wallet["recovery"])
    invoice = await pepay.invoice(pay_with=ETH)
    pepay.pay(invoice, "ETH")
    pepay.mine(2)
    await pepay.look()
    async with pepay.runtime.store.read() as tx:
        (stored,) = await tx.wallets.active(pepay.caller.merchant, livemode=False)
    assert stored.value == f"{TREASURY}/{treasury.tag.hex()}"

    depot = Depot(pepay.node)
    thief = pepay.node.accounts[7]
    before = pepay.node.balance(thief), pepay.node.balance(TREASURY)
    for named in (thief, FACTORY, "0x00000000000000000000000000000000DeaDBeef"):
        depot.run(FACTORY, flush_call(named, NATIVE, [treasury.ref(0)], 100_000), sender=pepay.node.accounts[6])
    assert (pepay.node.balance(thief), pepay.node.balance(TREASURY)) == before
    assert pepay.node.balance(treasury.deposit(0)) == 16_670_000_000_000_000
    depot.run(FACTORY, flush_call(TREASURY, NATIVE, [treasury.ref(0)], 100_000), sender=pepay.node.accounts[6])
    assert pepay.node.balance(TREASURY) == before[1] + 16_670_000_000_000_000
