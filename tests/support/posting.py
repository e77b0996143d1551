"""Deliveries under test: receivers that can be told what to do, and waiting for what becomes of them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pepay_core.contracts.notifier import Delivery, Notifier, Receipt
from pepay_core.domain.errors import StorageUnavailable
from pepay_core.domain.ids import EndpointId

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pepay_core.services.notifying import Dispatcher

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
PAUSES = [timedelta(seconds=each) for each in (5, 30, 120, 600, 1800, 3600, 7200, *[14400] * 17)]


def id_of(endpoint: dict[str, Any]) -> EndpointId:
    return EndpointId(endpoint["id"])


@asynccontextmanager
async def running(dispatcher: Dispatcher) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(dispatcher.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition: Callable[[], Any], seconds: float = 15) -> None:
    """Wait until a condition holds: a plain one, or one that has to be awaited."""
    async with asyncio.timeout(seconds):
        while True:
            holds = condition()
            if await holds if asyncio.iscoroutine(holds) else holds:
                return
            await asyncio.sleep(0.005)


class Fake(Notifier):
    """A plugin's notifier that accepts everything; tests replace ``deliver`` by something worse."""

    scheme = "webhook"

    def __init__(self) -> None:
        self.calls: list[Delivery] = []

    async def check(self, url: str) -> None:
        pass

    async def deliver(self, delivery: Delivery) -> Receipt:
        self.calls.append(delivery)
        return Receipt(200)


@dataclass
class FlakyStore:
    """The real store behind a connection that fails a few times."""

    store: Any
    failures: int

    @property
    def wakes(self):
        return self.store.wakes

    def read(self):
        return self.store.read()

    async def run(self, work):
        if self.failures:
            self.failures -= 1
            raise StorageUnavailable("the database does not answer")
        return await self.store.run(work)


def verified(request, secret: str) -> bool:
    """Check the Standard Webhooks signature by the book."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return expected in request.headers["webhook-signature"].split()


async def all_are(post, endpoint, state: str) -> bool:
    return set(await post.states(endpoint)) == {state}


async def attempts_are(post, endpoint, count: int) -> bool:
    return [each["attempt_count"] for each in await post.deliveries(endpoint)] == [count]


async def advance_until(post, condition, limit: int) -> None:
    """Let virtual seconds pass until a condition holds, giving real work time to be done in each."""
    for _ in range(limit):
        await post.clock.advance(1)
        with contextlib.suppress(TimeoutError):
            await until(condition, 0.05)
            return
    await until(condition)
