"""The events feed: whoever reads it in order misses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pepay_core.domain.jsontext import decode
from pepay_core.services.paging import Slice

if TYPE_CHECKING:
    from collections.abc import Collection

    from pepay_core.domain.events import Event
    from pepay_core.domain.ids import EventId
    from pepay_core.services.callers import Caller
    from pepay_core.services.paging import Page
    from pepay_core.services.ports import Store


def event_object(event: Event) -> dict[str, Any]:
    """Return the envelope of an event as it was sent."""
    envelope: dict[str, Any] = decode(event.body)
    return envelope


class Feed:
    """A merchant's events, oldest first."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def page(self, caller: Caller, page: Page, kinds: Collection[str] = ()) -> Slice[dict[str, Any]]:
        """Return a page of envelopes, of some types only when ``kinds`` names any."""
        async with self._store.read() as tx:
            found = await tx.events.page(caller.merchant, livemode=caller.livemode, page=page, kinds=kinds)
        return Slice(tuple(event_object(each) for each in found.items), found.has_more)

    async def get(self, caller: Caller, event: EventId) -> dict[str, Any]:
        """Return one envelope; raises NotFound."""
        async with self._store.read() as tx:
            return event_object(await tx.events.get(caller.merchant, event, livemode=caller.livemode))
