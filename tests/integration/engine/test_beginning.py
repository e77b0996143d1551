"""A chain that is reached for the first time when addresses that it shares with another one are out already."""

from __future__ import annotations

from datetime import timedelta

import pytest
from engines import ETH, opened


@pytest.fixture
async def unreached(pepay):
    """Return an invoice of a chain whose record is gone, as if it had never been reached."""
    invoice = await pepay.invoice(pay_with=ETH)
    async with pepay.runtime.store.begin() as tx:
        await tx.facts._raw("DELETE FROM pepay_checkpoint")
        await tx.facts._raw("DELETE FROM pepay_coverage")
    return invoice


async def test_what_was_paid_before_it_was_reached_is_found(pepay, unreached, settings, anvil, clock):
    pepay.pay(unreached, "ETH")
    pepay.mine(5)
    await clock.advance(30)
    async with opened(settings, anvil, clock, pepay.caller) as again:
        await again.look()
    assert (await pepay.get(unreached))["status"] == "paid"


async def test_it_does_not_begin_more_than_an_hour_back(pepay, unreached, settings, anvil, clock):
    pepay.pay(unreached, "ETH")
    pepay.mine(20)
    clock.jump(timedelta(hours=2))
    pepay.mine(3)
    async with opened(settings, anvil, clock, pepay.caller) as again:
        await again.look()
    assert (await pepay.get(unreached))["status"] == "unpaid"
