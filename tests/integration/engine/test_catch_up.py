"""After downtime the watcher goes on where it stopped, block by block to the tip, and says how fast."""

from __future__ import annotations

import pytest
from engines import CHAIN

from pepay_core.domain.errors import ChainUnavailable
from pepay_core.services.callers import Caller

BLOCKS = 2_000


@pytest.fixture(params=[BLOCKS])
async def away(pepay, request):
    """Let the chain go on for a long time while nobody looks, with payments strewn in; return the invoices, none of which was seen yet."""
    await pepay.invoice(pay_with=pepay.usdc_asset)
    invoices = [await pepay.invoice(pay_with=pepay.usdc_asset, expires_in=86_400) for _ in range(8)]
    for invoice in invoices:
        pepay.node.rpc("anvil_mine", hex(request.param // len(invoices)))
        pepay.pay(invoice, "USDC")
    pepay.node.rpc("anvil_mine", hex(100))
    return invoices


async def test_what_was_paid_during_downtime_is_found_to_the_last_payment(pepay, away):
    await pepay.look()

    assert [(await pepay.get(each))["status"] for each in away] == ["paid"] * len(away)
    async with pepay.runtime.store.read() as tx:
        covered = await tx.chains.coverage(CHAIN)
        checkpoints = await tx.chains.checkpoints(CHAIN)
    assert [(each.last, each.source) for each in covered] == [(pepay.node.height, pepay.node.url)]
    # Of thousands of blocks only those near the tip are kept, and some on the way there.
    assert len(checkpoints) <= 256 + 2 * BLOCKS // 256 + 20


@pytest.mark.parametrize("away", [600], indirect=True)
async def test_the_progress_is_shown_while_there_is_some(pepay, away):
    keeper = pepay.runtime.keepers[CHAIN]
    caller = Caller(pepay.caller.merchant, False, "test")
    seen = []
    while await keeper._step() == 0:
        await pepay.clock.advance(1)
        (chain,) = await pepay.runtime.offering.chains(caller)
        seen.append((chain["lag"], chain["catching_up"]))
    (chain,) = await pepay.runtime.offering.chains(caller)

    shown = [progress for _, progress in seen if progress]
    assert shown
    assert all(each["blocks_behind"] == lag for lag, each in seen if each)
    assert [each["blocks_behind"] for each in shown] == sorted((each["blocks_behind"] for each in shown), reverse=True)
    assert all(each["blocks_per_second"] > 0 for each in shown)
    assert (chain["lag"], chain["catching_up"]) == (0, None)


async def test_an_invoice_of_a_chain_that_is_behind_waits_for_it(pepay):
    invoice = await pepay.invoice(pay_with=pepay.usdc_asset, expires_in=600)
    await pepay.clock.advance(300)
    pepay.node.rpc("anvil_mine", hex(200))
    chain = pepay.runtime.catalogue.chain(CHAIN)
    chain.idle = False
    await pepay.clock.advance(3600)
    keeper = pepay.runtime.keepers[CHAIN]
    await keeper._step()

    await pepay.close_due()

    assert (await pepay.get(invoice))["status"] == "unpaid"


@pytest.mark.parametrize("away", [200], indirect=True)
async def test_a_block_that_cannot_be_read_is_not_passed(pepay, away):
    chain = pepay.runtime.catalogue.chain(CHAIN)
    scan, failures = chain.scan, []

    async def scan_badly(watched, after, until):
        if len(failures) < 3:
            failures.append(after.height)
            raise ChainUnavailable("the block cannot be read")
        return await scan(watched, after, until)

    chain.scan = scan_badly
    keeper = pepay.runtime.keepers[CHAIN]
    for _ in range(3):
        await keeper._step()
    await pepay.look()

    assert len(set(failures)) == 1
    assert [(await pepay.get(each))["status"] for each in away] == ["paid"] * len(away)
