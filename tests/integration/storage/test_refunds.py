"""Refunds come back as they were, in order, and to their own merchant only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pepay_core.domain.errors import InvalidInput, NotFound
from pepay_core.domain.refunds import RefundReason, RefundStatus
from pepay_core.services.paging import Page


async def test_a_refund_comes_back_as_it_was_and_as_it_was_changed(store, samples, merchant, invoice):
    first, second = samples.refund(invoice), samples.refund(invoice, reason=RefundReason.LATE, units=1)
    done = replace(first, status=RefundStatus.COMPLETED, decided_at=samples.now, completed_at=samples.now, transaction="0xabc", message="Sorry 🙏")
    async with store.begin() as tx:
        await tx.refunds.add(first)
        await tx.refunds.add(second)
        assert await tx.refunds.of(invoice.id) == [first, second]
        await tx.refunds.save(done)
    async with store.begin() as tx:
        assert await tx.refunds.get(merchant.id, first.id, livemode=False, lock=True) == done
        assert await tx.refunds.of(invoice.id) == [done, second]


async def test_a_merchant_lists_its_own_refunds_newest_first(store, samples, merchant, invoice):
    made = [samples.refund(invoice) for _ in range(3)]
    made[1] = replace(made[1], status=RefundStatus.DECLINED)
    async with store.begin() as tx:
        for each in made:
            await tx.refunds.add(each)

        async def page(who=merchant.id, *, livemode=False, **where):
            return [each.id for each in (await tx.refunds.page(who, livemode=livemode, page=Page(), where=where)).items]

        assert await page() == [each.id for each in reversed(made)]
        assert await page(status="requested", invoice=invoice.id) == [made[2].id, made[0].id]
        assert (await page(samples.id("mer")), await page(livemode=True), await page(invoice="inv_x")) == ([], [], [])
        with pytest.raises(InvalidInput):
            await page(amount=1)
        with pytest.raises(NotFound):
            await tx.refunds.get(samples.id("mer"), made[0].id, livemode=False)
        with pytest.raises(NotFound):
            await tx.refunds.get(merchant.id, made[0].id, livemode=True)


async def test_a_merchant_of_before_has_the_usual_rules(store, merchant):
    from pepay_core.domain.refunds import SelfService
    from pepay_core.storage.codecs import from_self_service, to_self_service

    assert from_self_service("") == SelfService()
    assert from_self_service(to_self_service(merchant.self_service)) == merchant.self_service != SelfService()
