"""Leaving an endpoint alone for a while that is out of order or overloaded, whatever else waits to be told to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.ids import EndpointId

FAILURES: Final = 5
"""How many attempts must fail in a row before an endpoint is left alone: one event that it cannot digest holds up no other."""

GATEWAY_FAILURES: Final = 2
"""How many of them where a gateway says that the server behind it is not there (502, 504)."""

FIRST: Final = timedelta(seconds=5)
LONGEST: Final = timedelta(minutes=1)
LONGEST_ASKED: Final = timedelta(minutes=15)

_BUSY: Final = frozenset({429, 503})
_GATEWAY: Final = frozenset({502, 504})


@dataclass(slots=True)
class _Record:
    failures: int = 0
    until: datetime | None = None


class Breakers:
    """What this process knows of the endpoints that failed lately. ``rng`` returns 0 up to 1, and keeps pauses from ending together."""

    def __init__(self, clock: Clock, rng: Callable[[], float]) -> None:
        self._clock = clock
        self._rng = rng
        self._records: dict[EndpointId, _Record] = {}

    @property
    def resting(self) -> set[EndpointId]:
        """The endpoints that get no delivery now."""
        now = self._clock.now()
        return {endpoint for endpoint, record in self._records.items() if record.until is not None and record.until > now}

    def succeeded(self, endpoint: EndpointId) -> None:
        """Forget what was: it answers."""
        self._records.pop(endpoint, None)

    def failed(self, endpoint: EndpointId, status: int | None, asked: int | None) -> None:
        """Note a failed attempt: with its status where there was an answer, and the seconds that the receiver asked for."""
        record = self._records.setdefault(endpoint, _Record())
        record.failures += 1
        if status in _BUSY and (asked or status == 429):
            pause = max(timedelta(seconds=min(asked or 0, LONGEST_ASKED.total_seconds())), FIRST)
        else:
            beyond = record.failures - (GATEWAY_FAILURES if status in _GATEWAY else FAILURES)
            if beyond < 0:
                return
            pause = min(FIRST * 2 ** min(beyond, 10), LONGEST)
        record.until = self._clock.now() + pause * (1 + 0.1 * self._rng())
