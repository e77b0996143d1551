"""Telling those in this process who want to know of an event at once: plugins and open pages. Best effort; webhooks are the reliable way."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pepay_core.domain.events import Event

log = logging.getLogger(__name__)

_WAITING: Final = 1000


class Relay:
    """Hands events on, in order, outside of the transaction that wrote them. When too many wait, the newest are dropped."""

    def __init__(self, tell: Callable[[Event], Awaitable[None]]) -> None:
        self._tell = tell
        self._queue: asyncio.Queue[Event] = asyncio.Queue(_WAITING)
        self._running = False

    def put(self, event: Event) -> None:
        """Hand on an event, at once and without waiting; nobody is there in a process in which plugins do not run."""
        if not self._running:
            return
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            log.warning("too many events wait for plugins; %s was not told", event.id)

    async def run(self) -> None:
        """Tell until cancelled."""
        self._running = True
        try:
            while True:
                event = await self._queue.get()
                try:
                    await self._tell(event)
                except Exception:
                    log.exception("telling plugins of %s failed", event.id)
        finally:
            self._running = False
