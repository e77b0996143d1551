"""Looking again: rescan credits what is missing and nothing twice, audit names exactly what differs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from engines import CHAIN, ETH

from pepay_core.domain.errors import InvalidInput
from pepay_core.testing import erc20


async def forget(pepay, transaction):
    """Lose the payments of a transaction, as a database does that was mended by hand."""
    async with pepay.runtime.store.begin() as tx:
        await tx.payments._raw("DELETE FROM pepay_entry WHERE payment IN (SELECT id FROM pepay_payment WHERE tx = {})", transaction)
        await tx.payments._raw("DELETE FROM pepay_payment WHERE tx = {}", transaction)


async def record(pepay):
    async with pepay.runtime.store.read() as tx:
        return await tx.chains.checkpoints(CHAIN), await tx.chains.coverage(CHAIN)


@pytest.fixture
async def paid(pepay):
    """Return two invoices that were paid, with their transactions, and the range in which that was."""
    first = pepay.node.height + 1
    one, two = await pepay.invoice(pay_with=ETH), await pepay.invoice(pay_with=pepay.usdc_asset)
    hashes = pepay.pay(one, "ETH"), pepay.pay(two, "USDC")
    pepay.mine(3)
    await pepay.look()
    assert [(await pepay.get(each))["status"] for each in (one, two)] == ["paid", "paid"]
    return (one, two), hashes, (first, pepay.node.height)


async def test_an_audit_of_what_was_credited_finds_nothing(pepay, paid):
    _, _, (first, last) = paid

    audit = await pepay.runtime.auditing.audit(CHAIN, first, last)

    assert (audit.clean, audit.matching, audit.first, audit.last) == (True, 2, first, last)


async def test_an_audit_finds_exactly_the_payment_that_a_database_lost_and_a_rescan_brings_it_back(pepay, paid):
    (_, two), (_, lost), (first, last) = paid
    balances = await pepay.balances(two)
    await forget(pepay, lost)
    before = await record(pepay)

    audit = await pepay.runtime.auditing.audit(CHAIN, first, last)
    rescan = await pepay.runtime.rescanning.rescan(CHAIN, first, last)
    again = await pepay.runtime.rescanning.rescan(CHAIN, first, last)

    assert [each.tx for each in audit.missing] == [lost]
    assert (audit.matching, audit.extra, audit.different) == (1, (), ())
    assert [(each.transfer.tx, each.invoice) for each in rescan.credited] == [(lost, two["id"])]
    assert (rescan.seen, rescan.reached, again.seen, again.credited) == (2, last, 2, ())
    assert await record(pepay) == before
    await pepay.look()
    assert (await pepay.runtime.auditing.audit(CHAIN, first, last)).clean
    pepay.mine()
    await pepay.look()
    assert (await pepay.get(two))["status"] == "paid"
    assert await pepay.balances(two) == balances


async def test_an_audit_finds_what_is_not_on_the_chain_and_what_is_otherwise_there(pepay, paid):
    (one, two), (ether, dollars), (first, last) = paid
    async with pepay.runtime.store.begin() as tx:
        payments = await tx.payments.of([one["id"], two["id"]])
        await tx.payments._raw("UPDATE pepay_payment SET tx = {} WHERE tx = {}", "0xinvented", ether)
        await tx.payments._raw("UPDATE pepay_payment SET block_hash = {} WHERE tx = {}", "0xother", dollars)

    audit = await pepay.runtime.auditing.audit(CHAIN, first, last)

    assert len(payments) == 2
    assert [each.transfer.tx for each in audit.extra] == ["0xinvented"]
    assert [each.tx for each in audit.missing] == [ether]
    assert [(each.tx, payment.transfer.block.hash) for each, payment in audit.different] == [(dollars, "0xother")]
    assert not audit.clean


async def test_a_rescan_finds_what_came_to_an_address_after_its_watch_had_ended(pepay):
    await pepay.invoice(pay_with=ETH)  # takes the wallet's first address, which is the account that sends here
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset, expires_in=60)
    to = pepay.option(invoice, "USDC")["destination"]
    pepay.clock.jump(timedelta(days=8))
    pepay.mine()
    await pepay.look()
    await pepay.close_due()
    await pepay.clock.advance(2 * 3600)
    pepay.mine()
    await pepay.look()
    pepay.node.send(pepay.usdc, data=erc20.transfer(to, 49_990_000))
    pepay.mine(2)
    await pepay.look()
    assert (await pepay.get(invoice))["status"] == "expired"

    rescan = await pepay.runtime.rescanning.rescan(CHAIN, 1, pepay.node.height)

    pepay.mine()
    await pepay.look()
    assert len(rescan.credited) == 1
    found = await pepay.get(invoice)
    assert (found["status"], found["timing"]) == ("paid", "late")


async def test_a_rescan_goes_no_further_than_the_watcher_and_says_how_far_that_is(pepay):
    height = pepay.node.height
    pepay.mine()

    with pytest.raises(InvalidInput, match=f"up to block {height} so far"):
        await pepay.runtime.rescanning.rescan(CHAIN, 1, height + 1)
    with pytest.raises(InvalidInput, match="must begin at 0"):
        await pepay.runtime.rescanning.rescan(CHAIN, 3, 2)


async def test_a_rescan_through_one_endpoint_names_those_that_there_are(pepay, paid):
    _, _, (first, last) = paid

    with pytest.raises(InvalidInput, match=f"it has {pepay.node.url}"):
        await pepay.runtime.rescanning.rescan(CHAIN, first, last, source="http://elsewhere")
    rescan = await pepay.runtime.rescanning.rescan(CHAIN, first, last, source=pepay.node.url)
    assert (rescan.seen, rescan.credited) == (2, ())


async def test_a_rescan_of_blocks_that_leave_meanwhile_credits_nothing_of_them(pepay, paid):
    (_, two), (_, lost), (first, last) = paid
    await forget(pepay, lost)
    chain = pepay.runtime.catalogue.chain(CHAIN)
    scan, turned = chain.scan, []

    async def scan_and_fork(*arguments):
        found = await scan(*arguments)
        if not turned:
            turned.append(True)
            pepay.node.reorg(pepay.node.height - first + 1)
            pepay.mine(2)
            await pepay.look()
        return found

    chain.scan = scan_and_fork
    rescan = await pepay.runtime.rescanning.rescan(CHAIN, first, last)
    await pepay.look()

    assert turned
    assert rescan.credited == ()
    async with pepay.runtime.store.read() as tx:
        assert [each for each in await tx.payments.of([two["id"]]) if each.active] == []


async def test_what_an_address_received_before_it_was_given_out_is_no_payment(pepay, paid):
    (_, two), (_, early), (first, last) = paid
    await forget(pepay, early)
    async with pepay.runtime.store.begin() as tx:
        later = pepay.clock.now() + timedelta(hours=1)
        await tx.payments._raw("UPDATE pepay_destination SET issued_at = {} WHERE invoice = {}", later, two["id"])

    rescan = await pepay.runtime.rescanning.rescan(CHAIN, first, last)
    audit = await pepay.runtime.auditing.audit(CHAIN, first, last)

    assert (rescan.seen, rescan.credited) == (2, ())
    assert audit.clean


async def test_coverage_says_who_looked(pepay, paid):
    _, covered = await record(pepay)

    assert [each.source for each in covered] == [pepay.node.url]
