"""Writing an event into the outbox, in the transaction of the change that it tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pepay_core.domain.endpoints import DeliveryState, EventDelivery
from pepay_core.domain.events import Event, envelope, matches
from pepay_core.domain.jsontext import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.ids import EndpointId, MerchantId
    from pepay_core.services.minting import Ids
    from pepay_core.services.ports import Transaction


class Outbox:
    """Publishes events. ``notify`` is called after the commit, with each event."""

    def __init__(self, clock: Clock, ids: Ids, notify: Callable[[Event], None]) -> None:
        self._clock = clock
        self._ids = ids
        self._notify = notify

    async def publish(
        self,
        tx: Transaction,
        kind: str,
        *,
        merchant: MerchantId,
        livemode: bool,
        subject: str,
        obj: dict[str, Any],
        previous: dict[str, Any] | None = None,
        only: EndpointId | None = None,
        example: bool = False,
    ) -> Event:
        """Write an event and a delivery for each endpoint that listens.

        ``only`` addresses one endpoint, whatever its filters. ``example``: the event says of itself that nothing of the kind has happened.
        """
        now = self._clock.now()
        event_id = self._ids.event()
        told = envelope(event_id, kind, merchant, livemode=livemode, created=now, obj=obj, previous=previous or {})
        if example:
            assert not livemode, "nothing but what has happened is told where money is real"
            told["example"] = True
        body = encode(told)
        event = Event(event_id, kind, merchant, livemode, now, subject, body)
        await tx.events.add(event)
        endpoints = await tx.endpoints.active(merchant, livemode=livemode)
        listening = [each for each in endpoints if (each.id == only if only else matches(each.events, kind))]
        if listening:
            await tx.deliveries.add(
                [
                    EventDelivery(self._ids.delivery(), event_id, kind, each.id, merchant, DeliveryState.PENDING, 0, created_at=now, next_at=now)
                    for each in listening
                ]
            )
        tx.after_commit(lambda: self._notify(event))
        return event
