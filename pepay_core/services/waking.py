"""Hints that something has changed, for those who would otherwise ask again and again. Nothing depends on one coming."""

from __future__ import annotations

import logging
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator

log = logging.getLogger(__name__)

DELIVERIES: Final = "deliveries"
"""Deliveries have become due."""


def events_of(merchant: str) -> str:
    """Return the topic of a merchant's events."""
    return f"events:{merchant}"


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

    def _ring(self, topics: Collection[str] | None) -> None:
        """Give a hint to those in this process; to all of them where there are no topics."""
        for topic in list(self._calls) if topics is None else topics:
            for call in [*self._calls.get(topic, ())]:
                try:
                    call()
                except Exception:
                    log.exception("a call at a hint about %s failed", topic)
