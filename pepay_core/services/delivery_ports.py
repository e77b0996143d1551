"""What services need of storage for events, and for letters: what is to be told, and to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from pepay_core.domain.endpoints import Attempt, Endpoint, EventDelivery
    from pepay_core.domain.events import Event
    from pepay_core.domain.ids import DeliveryId, EndpointId, EventId, MailId, MerchantId, ReplayId
    from pepay_core.domain.mails import Mail, MailState
    from pepay_core.domain.replays import Replay
    from pepay_core.services.paging import Page, Slice
    from pepay_core.services.records import ClaimedDelivery


class Events(Protocol):
    """The outbox. Reading in order misses nothing: what an open transaction may still write is not passed."""

    async def add(self, event: Event) -> None: ...
    async def get(self, merchant: MerchantId, event: EventId, *, livemode: bool) -> Event: ...
    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page, kinds: Collection[str] = ()) -> Slice[Event]:
        """Return events, oldest first."""
        ...

    async def latest(self, merchant: MerchantId, *, livemode: bool) -> EventId | None:
        """Return the event that a page would end with, if all of them were on it; None where there is none."""
        ...


class Endpoints(Protocol):
    """Webhook endpoints."""

    async def add(self, endpoint: Endpoint) -> None: ...
    async def get(self, merchant: MerchantId, endpoint: EndpointId, *, livemode: bool, lock: bool = False) -> Endpoint: ...
    async def find(self, endpoint: EndpointId, *, lock: bool = False) -> Endpoint | None: ...
    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page) -> Slice[Endpoint]: ...
    async def active(self, merchant: MerchantId, *, livemode: bool) -> list[Endpoint]:
        """Return the endpoints that are not disabled; none of them can be deleted before this transaction ends."""
        ...

    async def hold(self, endpoints: Collection[EndpointId]) -> dict[EndpointId, Endpoint]:
        """Return those that are there, and let nobody else change them or their deliveries before the transaction ends."""
        ...

    async def among(self, endpoints: Collection[EndpointId]) -> dict[EndpointId, Endpoint]:
        """Return those that are there."""
        ...

    async def save(self, endpoint: Endpoint) -> None: ...
    async def delete(self, merchant: MerchantId, endpoint: EndpointId, *, livemode: bool) -> None: ...


class Deliveries(Protocol):
    """Which endpoint is still to be told of which event."""

    async def add(self, deliveries: Sequence[EventDelivery]) -> None: ...
    async def claim(
        self, now: datetime, *, limit: int, lease_until: datetime, per_endpoint: int, exclude: Collection[EndpointId] = ()
    ) -> list[ClaimedDelivery]:
        """Take due deliveries, and make them due again when the lease ends; a claim counts no attempt: who makes one records it.

        No endpoint that is not excluded has more than ``per_endpoint`` under way, one that is failing a single one. All that have
        something due get a delivery before any gets another, those first that have waited for longest.
        """
        ...

    async def renew(self, deliveries: Collection[DeliveryId], now: datetime, lease_until: datetime) -> None:
        """Keep claims that have not run out for longer."""
        ...

    async def next_due(self) -> datetime | None: ...
    async def get(self, merchant: MerchantId, delivery: DeliveryId, *, livemode: bool) -> EventDelivery: ...
    async def hold(self, deliveries: Collection[DeliveryId]) -> dict[DeliveryId, EventDelivery]:
        """Return those that are there, and let nobody else change them before the transaction ends."""
        ...

    async def save(self, *deliveries: EventDelivery) -> None: ...
    async def record(self, *attempts: Attempt) -> None: ...
    async def attempts(self, deliveries: Collection[DeliveryId]) -> list[Attempt]: ...
    async def page(self, endpoint: EndpointId, *, page: Page) -> Slice[EventDelivery]:
        """Return deliveries, newest first."""
        ...

    async def abandon(self, endpoint: EndpointId, error: str) -> None:
        """Give up whatever is pending for an endpoint."""
        ...


class Mails(Protocol):
    """Letters to people, as they wait to be sent."""

    async def add(self, mail: Mail) -> None: ...
    async def find(self, mail: MailId) -> Mail | None: ...
    async def claim(self, now: datetime, *, limit: int, lease_until: datetime) -> list[Mail]:
        """Take due mails, count an attempt of each, and make them due again when the lease ends."""
        ...

    async def record(self, mail: Mail) -> bool:
        """Store what came of an attempt; False, and nothing stored, when somebody else has made another one since."""
        ...

    async def overdue(self, now: datetime, limit: int) -> list[Mail]:
        """Return pending mails that are no longer worth sending."""
        ...

    async def page(self, *, state: MailState | None, page: Page) -> Slice[Mail]:
        """Return mails, newest first."""
        ...

    async def numbers(self) -> dict[MailState, int]:
        """Return how many mails there are in each state."""
        ...

    async def forget(self, before: datetime) -> None:
        """Delete what was sent, or given up, and was made before a time."""
        ...


class Replays(Protocol):
    """Ranges of events on their way to an endpoint once more, of which each endpoint has one that is running."""

    async def add(self, replay: Replay) -> bool:
        """Store it; False when it would be the second one that is running."""
        ...

    async def get(self, merchant: MerchantId, replay: ReplayId, *, livemode: bool, lock: bool = False) -> Replay: ...
    async def hold(self, replay: ReplayId) -> Replay | None:
        """Return it, and let nobody else change it before the transaction ends."""
        ...

    async def save(self, replay: Replay) -> None: ...
    async def page(self, endpoint: EndpointId, *, page: Page) -> Slice[Replay]: ...
    async def running(self) -> list[Replay]:
        """Return those of all merchants, in the order in which they began."""
        ...

    async def forget(self, endpoint: EndpointId, keep: int) -> None:
        """Delete those that are done, but for the newest."""
        ...

    async def events(self, replay: Replay, limit: int) -> list[tuple[EventId, str, datetime]]:
        """Return id, type and moment of the next events in its range, whether they are wanted or not."""
        ...

    async def kinds(self, merchant: MerchantId, *, livemode: bool, start: datetime, end: datetime) -> dict[str, int]:
        """Return how many events of which type happened in a range of time, both ends included."""
        ...

    async def waiting(self, endpoint: EndpointId, limit: int) -> int:
        """Return how many deliveries wait for an endpoint, counting no further than a limit."""
        ...
