"""Hints that something has changed, for those who would otherwise ask again and again. Nothing depends on one coming."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator

    from pepay_core.contracts.context import Clock
    from pepay_core.services.ports import Wakes

log = logging.getLogger(__name__)

_SOON: Final = 0.05  # seconds after a hint that found nothing: an older transaction that is still open may hold back what it told

DELIVERIES: Final = "deliveries"
"""Deliveries have become due."""


def events_of(merchant: str) -> str:
    """Return the topic of a merchant's events."""
    return f"events:{merchant}"


def look_wanted(chain: str) -> str:
    """Return the topic of those who want a chain to be looked at now."""
    return f"look:{chain}"


def looked(chain: str) -> str:
    """Return the topic of looks at a chain that somebody wanted."""
    return f"looked:{chain}"


def invoice_changed(invoice: str) -> str:
    """Return the topic of an invoice's versions."""
    return f"invoice:{invoice}"


class LocalWakes:
    """Hints within one process, in the loop that it runs in.

    A hint says that it is worth looking, and not at what: whoever gets one reads the database. A hint may come too often, for nothing, or
    not at all, so that whoever waits looks by itself after :attr:`patience` seconds.
    """

    def __init__(self) -> None:
        self._calls: dict[str, list[Callable[[], object]]] = defaultdict(list)
        self.left = False

    @property
    def patience(self) -> float:
        """After how many seconds without a hint it is time to look all the same."""
        return 1.0

    @contextmanager
    def on(self, call: Callable[[], object], *topics: str) -> Generator[None]:
        """Make a call, which must not wait for anything, at every hint about one of the topics until the block ends."""
        for topic in topics:
            self._calls[topic].append(call)
        try:
            yield
        finally:
            for topic in topics:
                self._calls[topic].remove(call)
                if not self._calls[topic]:
                    del self._calls[topic]

    def tell(self, topics: Collection[str]) -> None:
        """Give a hint to all who wait for one of the topics, in every process. Storage does so after each commit."""
        self._ring(topics)

    def leave(self) -> None:
        """Send everybody away who waits in this process, because it ends: they find :attr:`left` true."""
        self.left = True
        self._ring(None)

    def _ring(self, topics: Collection[str] | None) -> None:
        """Give a hint to those in this process; to all of them where there are no topics."""
        for topic in list(self._calls) if topics is None else topics:
            for call in [*self._calls.get(topic, ())]:
                try:
                    call()
                except Exception:
                    log.exception("a call at a hint about %s failed", topic)


async def woken_within(woken: asyncio.Event, clock: Clock, seconds: float) -> None:
    """Return once an event is set, which it is at the latest after so long by a clock."""

    async def ring() -> None:
        await clock.sleep(seconds)
        woken.set()

    alarm = asyncio.create_task(ring())
    try:
        await woken.wait()
    finally:
        alarm.cancel()


class Watch:
    """Waits for something to change: look, and as long as there is nothing new and the process does not end, rest and look again.

    ::

        with watching(wakes, invoice_changed(invoice)) as watch:
            while not (found := await look()) and not wakes.left:
                await watch.rest()
    """

    def __init__(self, wakes: Wakes) -> None:
        self._wakes = wakes
        self._woken = asyncio.Event()
        self._pause = wakes.patience

    def wake(self) -> None:
        """End the rest, or the next one at once."""
        self._woken.set()

    async def rest(self) -> None:
        """Return at a hint that came since the last rest, or when it is time to look all the same."""
        try:
            async with asyncio.timeout(self._pause):
                await self._woken.wait()
        except TimeoutError:
            self._pause = min(self._pause * 2, self._wakes.patience)
        else:
            self._pause = _SOON
        self._woken.clear()


@contextmanager
def watching(wakes: Wakes, *topics: str) -> Generator[Watch]:
    """Watch some topics until the block ends."""
    watch = Watch(wakes)
    with wakes.on(watch.wake, *topics):
        yield watch
