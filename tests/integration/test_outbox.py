"""What becomes of deliveries when the processes that make them are killed: real processes, real time, a real signal 9."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pepay_core.clock import SystemClock
from pepay_core.domain.ids import EndpointId, MerchantId
from pepay_core.domain.merchants import Merchant
from pepay_core.http import AiohttpClient
from pepay_core.secrets import Vault
from pepay_core.services.callers import Caller
from pepay_core.services.endpoints import Endpoints
from pepay_core.services.minting import Ids
from pepay_core.services.paging import Page
from pepay_core.services.publishing import Outbox
from pepay_core.testing.receiver import Answer, Receiver
from pepay_webhook_hmac.notifier import WebhookNotifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pepay_core.domain.events import Event
    from pepay_core.services.ports import Store

pytestmark = pytest.mark.slow

KEY = bytes(range(32))
CONCURRENCY = 4
WORKER = f"""
import asyncio, sys
from datetime import timedelta
from pepay_core.clock import SystemClock
from pepay_core.http import AiohttpClient
from pepay_core.secrets import Vault
from pepay_core.services.minting import Ids
from pepay_core.services.notifying import Dispatcher
from pepay_core.services.publishing import Outbox
from pepay_core.storage.opening import open_store
from pepay_webhook_hmac.notifier import WebhookNotifier

async def main():
    clock = SystemClock()
    async with open_store(sys.argv[1], clock) as store, AiohttpClient(allow_private=True) as http:
        store.use(Vault(bytes(range(32))))
        notifiers = {{"webhook": WebhookNotifier(http, clock, deadline=1)}}
        outbox = Outbox(clock, Ids(clock), lambda event: None)
        print("ready", flush=True)
        await Dispatcher(
            store, notifiers, Vault(bytes(range(32))), outbox, clock, concurrency={CONCURRENCY}, lease=timedelta(seconds=3), poll=0.05
        ).run()

asyncio.run(main())
"""


@asynccontextmanager
async def worker(url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that delivers, until it is killed."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, url, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        await kill(process)


async def kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


async def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


@dataclass
class Shop:
    """A merchant that publishes events, in a process that delivers none."""

    store: Store
    caller: Caller
    outbox: Outbox
    endpoints: Endpoints

    async def publish(self, name: str) -> Event:
        async def work(tx):
            return await self.outbox.publish(
                tx, "invoice.paid", merchant=self.caller.merchant, livemode=False, subject=name, obj={"object": "invoice", "id": name}
            )

        return await self.store.run(work)

    async def states(self, endpoint: dict[str, Any]) -> Counter[str]:
        counted: Counter[str] = Counter()
        after = None
        while True:
            found = await self.endpoints.deliveries(self.caller, EndpointId(endpoint["id"]), Page(limit=100, starting_after=after))
            counted.update(each["state"] for each in found.items)
            if not found.has_more:
                return counted
            after = found.items[-1]["id"]


@pytest.fixture
async def shop(store) -> AsyncIterator[Shop]:
    clock = SystemClock()
    ids = Ids(clock)
    merchant = Merchant(MerchantId(ids.merchant()), "Shop", clock.now())
    await store.run(lambda tx: tx.merchants.add(merchant))
    outbox = Outbox(clock, ids, lambda _: None)
    async with AiohttpClient(allow_private=True) as http:
        endpoints = Endpoints(store, {"webhook": WebhookNotifier(http, clock)}, Vault(KEY), outbox, ids, clock)
        yield Shop(store, Caller(merchant.id, livemode=False, name="key_1"), outbox, endpoints)


async def test_what_a_killed_process_was_delivering_is_delivered_by_the_next(shop, database_url):
    async with Receiver() as receiver:
        receiver.answer(Answer(silent=True), 200)
        endpoint = await shop.endpoints.create(shop.caller, receiver.url, ["*"])
        event = await shop.publish("inv_1")
        async with worker(database_url) as first:
            await receiver.wait_for(1, timeout=20)
            await kill(first)
        assert await shop.states(endpoint) == {"pending": 1}
        async with worker(database_url):

            async def delivered():
                return await shop.states(endpoint) == {"delivered": 1}

            await until(delivered)
        assert [each.headers["webhook-id"] for each in receiver.requests] == [event.id] * 2
        assert {each.body for each in receiver.requests} == {event.body}


async def test_no_event_is_lost_and_few_are_repeated_while_processes_are_killed(shop, database_url):
    kills = 3
    async with Receiver() as receiver, AsyncExitStack() as workers:
        endpoints = [await shop.endpoints.create(shop.caller, receiver.url_of(path), ["*"]) for path in ("/a", "/b")]
        events: list[Event] = []

        async def sell():
            for _ in range(25):
                events.append(await shop.publish(f"inv_{len(events)}"))

        async with asyncio.TaskGroup() as group:
            alive = [await workers.enter_async_context(worker(database_url)) for _ in range(2)]
            for number in range(kills):
                before = len(receiver.requests)
                group.create_task(sell())
                await receiver.wait_for(before + 10, timeout=20)
                await kill(alive[number % 2])
                alive[number % 2] = await workers.enter_async_context(worker(database_url))

        async def all_delivered():
            return all([await shop.states(each) == {"delivered": len(events)} for each in endpoints])

        await until(all_delivered)
        arrived = Counter((each.path, each.headers["webhook-id"]) for each in receiver.requests)
        assert set(arrived) == {(path, event.id) for path in ("/a", "/b") for event in events}
        assert arrived.total() - len(arrived) <= kills * CONCURRENCY
