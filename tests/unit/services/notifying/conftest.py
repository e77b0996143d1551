"""A merchant with webhook endpoints on a real store, delivered to by the real notifier over real HTTP. Only time stands still."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pepay_core.domain.ids import EndpointId, MerchantId
from pepay_core.domain.merchants import Merchant
from pepay_core.http import AiohttpClient
from pepay_core.secrets import Vault
from pepay_core.services.callers import Caller
from pepay_core.services.endpoints import Endpoints
from pepay_core.services.feeding import Feed
from pepay_core.services.minting import Ids
from pepay_core.services.notifying import Dispatcher
from pepay_core.services.paging import Page
from pepay_core.services.publishing import Outbox
from pepay_core.services.resending import Resending
from pepay_core.testing.clock import FakeClock
from pepay_core.testing.receiver import Receiver
from pepay_webhook_hmac.notifier import WebhookNotifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pepay_core.contracts.notifier import Notifier
    from pepay_core.domain.events import Event
    from pepay_core.services.ports import Store


@dataclass
class Post:
    """Everything between an event and its receiver."""

    store: Store
    clock: FakeClock
    http: AiohttpClient
    receiver: Receiver
    caller: Caller
    vault: Vault = field(default_factory=lambda: Vault(bytes(range(32))))

    def __post_init__(self) -> None:
        self.notified: list[Event] = []
        self.dispatchers: list[Dispatcher] = []
        """Those that learn at once of what is published; empty it to be another process."""
        self.ids = Ids(self.clock)
        self.outbox = Outbox(self.clock, self.ids, self._notify)
        self.notifiers: dict[str, Notifier] = {"webhook": WebhookNotifier(self.http, self.clock, deadline=30)}
        self.endpoints = Endpoints(self.store, self.notifiers, self.vault, self.outbox, self.ids, self.clock)
        self.resending = Resending(self.store, self.ids, self.clock)
        self.feed = Feed(self.store)

    def _notify(self, event: Event) -> None:
        self.notified.append(event)
        for each in self.dispatchers:
            each.wake()

    def dispatcher(self, **settings: Any) -> Dispatcher:
        made = Dispatcher(
            self.store, self.notifiers, settings.pop("vault", self.vault), self.outbox, self.clock, **{"rng": lambda: 0.0, "grace": 0.05, **settings}
        )
        self.dispatchers.append(made)
        return made

    async def endpoint(self, url: str | None = None, events: tuple[str, ...] = ("*",), *, caller: Caller | None = None) -> dict[str, Any]:
        return await self.endpoints.create(caller or self.caller, url or self.receiver.url, events)

    async def publish(self, kind: str = "invoice.paid", obj: dict[str, Any] | None = None, *, caller: Caller | None = None) -> Event:
        whom = caller or self.caller

        async def work(tx):
            return await self.outbox.publish(
                tx, kind, merchant=whom.merchant, livemode=whom.livemode, subject="inv_1", obj=obj or {"object": "invoice", "id": "inv_1"}
            )

        return await self.store.run(work)

    async def deliveries(self, endpoint: dict[str, Any]) -> list[dict[str, Any]]:
        """The newest deliveries of an endpoint, oldest first."""
        found = await self.endpoints.deliveries(self.caller, EndpointId(endpoint["id"]), Page(limit=100))
        return list(reversed(found.items))

    async def states(self, endpoint: dict[str, Any]) -> list[str]:
        return [each["state"] for each in await self.deliveries(endpoint)]

    async def shown(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        return await self.endpoints.get(self.caller, EndpointId(endpoint["id"]))

    async def claim(self, *, lease: timedelta = timedelta(seconds=60), limit: int = 20):
        """Take what is due as a process does that dies right afterwards."""
        now = self.clock.now()
        return await self.store.run(lambda tx: tx.deliveries.claim(now, limit=limit, lease_until=now + lease, per_endpoint=20))

    def received(self) -> list[str]:
        """The ids of the events that arrived, in order."""
        return [each.headers["webhook-id"] for each in self.receiver.requests]


async def new_merchant(store: Store, clock: FakeClock, name: str, *, livemode: bool = False) -> Caller:
    merchant = Merchant(Ids(clock).merchant(), name, clock.now())
    await store.run(lambda tx: tx.merchants.add(merchant))
    return Caller(MerchantId(merchant.id), livemode, "key_1")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def http() -> AsyncIterator[AiohttpClient]:
    async with AiohttpClient(allow_private=True) as http:
        yield http


@pytest.fixture
async def post(store, clock, http, receiver) -> Post:
    return Post(store, clock, http, receiver, await new_merchant(store, clock, "Shop"))


@pytest.fixture
async def stranger(store, clock) -> Caller:
    return await new_merchant(store, clock, "Stranger")
