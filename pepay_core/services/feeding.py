"""The events feed: whoever reads it in order misses nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.errors import RateLimited
from pepay_core.domain.jsontext import decode
from pepay_core.services.paging import Page, Slice
from pepay_core.services.waking import events_of, watching

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Sequence

    from pepay_core.domain.events import Event
    from pepay_core.domain.ids import EventId
    from pepay_core.services.callers import Caller
    from pepay_core.services.ports import Store

MAX_FOLLOWERS: Final = 20
"""How many may follow the feed with one key at the same time."""

_BATCH: Final = 100
_BUSY: Final = 10  # seconds after which one follower too many may ask again


def event_object(event: Event) -> dict[str, Any]:
    """Return the envelope of an event as it was sent."""
    envelope: dict[str, Any] = decode(event.body)
    return envelope


class Feed:
    """A merchant's events, oldest first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._followers: Counter[str] = Counter()

    async def page(self, caller: Caller, page: Page, kinds: Collection[str] = ()) -> Slice[dict[str, Any]]:
        """Return a page of envelopes, of some types only when ``kinds`` names any."""
        async with self._store.read() as tx:
            found = await tx.events.page(caller.merchant, livemode=caller.livemode, page=page, kinds=kinds)
        return Slice(tuple(event_object(each) for each in found.items), found.has_more)

    async def get(self, caller: Caller, event: EventId) -> dict[str, Any]:
        """Return one envelope; raises NotFound."""
        async with self._store.read() as tx:
            return event_object(await tx.events.get(caller.merchant, event, livemode=caller.livemode))

    # --- following -----------------------------------------------------------------------

    def check(self, caller: Caller) -> None:
        """Raise RateLimited when too many follow with the same key already."""
        if self._followers[caller.name] >= MAX_FOLLOWERS:
            raise RateLimited(f"at most {MAX_FOLLOWERS} streams at the same time for each key", retry_after=_BUSY)

    @contextmanager
    def follower(self, caller: Caller) -> Generator[None]:
        """Count somebody who follows the feed."""
        self._followers[caller.name] += 1
        try:
            yield
        finally:
            self._followers[caller.name] -= 1
            if not self._followers[caller.name]:
                del self._followers[caller.name]

    async def latest(self, caller: Caller) -> EventId | None:
        """Return the newest event there is, for a follower who wants what comes from now on; None where there is none yet."""
        async with self._store.read() as tx:
            return await tx.events.latest(caller.merchant, livemode=caller.livemode)

    async def after(self, caller: Caller, last: EventId | None, *, patience: float) -> Sequence[Event]:
        """Return the events after one, oldest first, or from the first where ``last`` is None, as soon as there is any.

        Nothing is returned when none came within ``patience`` seconds, or when the feed was closed. Raises InvalidInput when there is
        no event ``last``.
        """
        with suppress(TimeoutError), watching(self._store.wakes, events_of(caller.merchant)) as watch:
            async with asyncio.timeout(patience):
                while not self.closed:
                    async with self._store.read() as tx:
                        found = await tx.events.page(caller.merchant, livemode=caller.livemode, page=Page(_BATCH, last))
                    if found.items:
                        return found.items
                    await watch.rest()
        return ()

    @property
    def closed(self) -> bool:
        """Whether the followers have been let go, so that a server that stops waits for none of them; they go on at the next one."""
        return self._store.wakes.left
