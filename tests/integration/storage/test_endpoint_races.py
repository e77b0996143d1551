"""An endpoint that is deleted while an event is written to it costs the event nothing."""

from __future__ import annotations

import asyncio

import pytest

from pepay_core.clock import SystemClock
from pepay_core.domain.endpoints import Endpoint
from pepay_core.domain.merchants import Merchant
from pepay_core.services.minting import Ids
from pepay_core.services.paging import Page
from pepay_core.services.publishing import Outbox


@pytest.mark.parametrize("round_", range(5))
async def test_publishing_and_deleting_at_once_both_succeed(store, round_):
    clock = SystemClock()
    ids = Ids(clock)
    outbox = Outbox(clock, ids, lambda _: None)
    merchant = Merchant(ids.merchant(), "shop", clock.now())
    endpoint = Endpoint(ids.endpoint(), merchant.id, False, "webhook", "https://shop.example", ("*",), b"sealed", clock.now())
    async with store.begin() as tx:
        await tx.merchants.add(merchant)
        await tx.endpoints.add(endpoint)
    read = asyncio.Event()

    async def publish():
        async with store.begin() as tx:
            await tx.endpoints.active(merchant.id, livemode=False)
            read.set()
            # The deletion has every chance to come between reading and writing.
            await asyncio.sleep(0)
            await outbox.publish(tx, "invoice.created", merchant=merchant.id, livemode=False, subject="inv", obj={})

    async def delete():
        await read.wait()
        async with store.begin() as tx:
            await tx.endpoints.delete(merchant.id, endpoint.id, livemode=False)

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(publish())
        group.create_task(delete())

    async with store.read() as tx:
        assert await tx.endpoints.find(endpoint.id) is None
        assert len((await tx.events.page(merchant.id, livemode=False, page=Page(limit=10))).items) == 1
