"""How fast a watcher catches up, measured over its last passes, and told in the log now and then."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pepay_core.contracts.context import Clock
    from pepay_core.services.watching import Look

log = logging.getLogger(__name__)

_WINDOW: Final = 30.0  # seconds over which the pace is measured
_TOLD: Final = 10.0  # seconds between two lines in the log
_SHORT: Final = 64  # blocks; who is closer to the tip than this is not catching up


class Progress:
    """The progress of one watcher. Its pace is for people: nothing is decided by it."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._begun: tuple[float, int] | None = None
        self._passes: deque[tuple[float, int]] = deque(maxlen=1_000)
        self._told = 0.0

    def note(self, look: Look) -> int | None:
        """Take in a pass, and return the blocks per second; None while there is nothing to catch up with."""
        now, height = self._clock.monotonic(), look.covered.height
        behind = look.tip.block.height - height
        if self._begun is None:
            if behind < _SHORT:
                return None
            self._begun = (now, height)
            self._passes.clear()
            self._passes.append(self._begun)
            self._told = now
            log.info("%s: %d blocks to catch up with", self._name, behind)
            return None
        if not behind:
            since, first = self._begun
            self._begun = None
            log.info(
                "%s: caught up: %d blocks in %d s, %d blocks/s", self._name, height - first, now - since, _per_second(height - first, now - since)
            )
            return None
        while len(self._passes) > 1 and now - self._passes[0][0] > _WINDOW:
            self._passes.popleft()
        since, first = self._passes[0]
        pace = _per_second(height - first, now - since)
        self._passes.append((now, height))
        if now - self._told >= _TOLD:
            self._told = now
            log.info("%s: %d blocks behind, %d blocks/s, about %d s to go", self._name, behind, pace, behind // max(pace, 1))
        return pace


def _per_second(blocks: int, seconds: float) -> int:
    return round(blocks / seconds) if seconds > 0 and blocks > 0 else 0
