"""All endpoints of a cluster: one step talks to one of them from beginning to end, beginning with the one that served last."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from pepay_core.api import ChainUnavailable, Source, SourceState
from pepay_solana.rpc import Endpoint, Throttled, WrongCluster, label

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from pydantic import SecretStr

    from pepay_core.api import Clock, Http

log = logging.getLogger("pepay.plugin.solana")

_T = TypeVar("_T")
# Shared by the endpoints, so that the last one still gets its turn within the time that core waits for a driver.
_STEP_SECONDS: Final = 24.0
_QUARANTINE_SECONDS: Final = 60.0
_FAILED: Final = 2  # failures in a row after which an endpoint is shown as resting
PATIENCE: Final = 120.0
"""For how many seconds an endpoint that is out is expected to come back."""


@dataclass(slots=True)
class _Record:
    """How one endpoint fares."""

    failures: int = 0
    reason: str = ""
    lost_at: float | None = None
    shunned_until: float | None = None
    wrong: bool = False
    head: int | None = None
    differs: str = ""
    differs_until: float = 0.0


class Rpc:
    """The endpoints, with the record of each."""

    def __init__(self, urls: Sequence[SecretStr], http: Http, clock: Clock, *, genesis: str, batch: int) -> None:
        self.endpoints = tuple(Endpoint(url, http, clock, genesis, batch, name) for url, name in zip(urls, _labels(urls), strict=True))
        self._records = {endpoint: _Record() for endpoint in self.endpoints}
        self._clock = clock
        self._favourite = self.endpoints[0]

    @property
    def several(self) -> bool:
        """Whether there is anybody to compare with."""
        return len(self.endpoints) > 1

    def sources(self) -> list[Source]:
        """Return all endpoints as they are shown."""
        return [self._source(endpoint) for endpoint in self.endpoints]

    def expected(self, endpoint: Endpoint) -> bool:
        """Tell whether an endpoint has not been out for long, so that its word is worth waiting for."""
        lost_at = self._records[endpoint].lost_at
        return lost_at is None or self._clock.monotonic() - lost_at < PATIENCE

    def at(self, endpoint: Endpoint, head: int) -> None:
        """Note the newest block that an endpoint has shown."""
        self._records[endpoint].head = head

    def shown(self, source: str, height: int) -> None:
        """Note a block that the endpoint of a name has looked up to."""
        for endpoint, record in self._records.items():
            if endpoint.label == source:
                record.head = height

    def differs(self, endpoint: Endpoint, reason: str) -> None:
        """Show for a while that an endpoint says something else than another; who is right is not known, so both are asked as before."""
        record = self._records[endpoint]
        if record.differs != reason:
            log.warning("%s", reason)
        record.differs, record.differs_until = reason, self._clock.monotonic() + _QUARANTINE_SECONDS

    def ranked(self, avoid: Collection[str] = ()) -> list[Endpoint]:
        """Return the endpoints that may be asked now, the one that served last first."""
        place = self.endpoints.index(self._favourite)
        turns = self.endpoints[place:] + self.endpoints[:place]
        return [each for each in turns if each.label not in avoid and not self._shunned(each)]

    async def step(self, work: Callable[[Endpoint], Awaitable[_T]], *, avoid: Collection[str] = ()) -> _T:
        """Return what the work gives with the first endpoint that it succeeds with.

        Only ChainUnavailable passes to the next endpoint; when none is left it is raised with the reason of each. Endpoints whose label
        is to be avoided are not asked.
        """
        reasons: list[str] = []
        turns = self.ranked(avoid)
        for endpoint in turns:
            try:
                result = await self.ask(endpoint, work)
            except ChainUnavailable as exc:
                reasons.append(exc.message)
            else:
                if not avoid:
                    self._favourite = endpoint
                return result
        reasons += [record.reason for each, record in self._records.items() if each.label not in avoid and each not in turns]
        raise ChainUnavailable("; ".join(dict.fromkeys(reasons)) or "no endpoint can be asked")

    async def ask(self, endpoint: Endpoint, work: Callable[[Endpoint], Awaitable[_T]]) -> _T:
        """Return what the work gives with one endpoint, and note in its record how it went."""
        record = self._records[endpoint]
        try:
            async with asyncio.timeout(_STEP_SECONDS / len(self.endpoints)):
                result = await work(endpoint)
        except TimeoutError:
            reason = f"{endpoint.label} took too long"
            self._lose(record, reason)
            raise ChainUnavailable(reason) from None
        except ChainUnavailable as exc:
            self._lose(record, exc.message)
            record.wrong = isinstance(exc, WrongCluster)
            if isinstance(exc, WrongCluster | Throttled):
                rest = exc.rest if isinstance(exc, Throttled) else _QUARANTINE_SECONDS
                record.shunned_until = self._clock.monotonic() + rest
            raise
        self._records[endpoint] = _Record(head=record.head, differs=record.differs, differs_until=record.differs_until)
        return result

    def _lose(self, record: _Record, reason: str) -> None:
        record.failures += 1
        record.reason = reason
        if record.lost_at is None:
            record.lost_at = self._clock.monotonic()

    def _shunned(self, endpoint: Endpoint) -> bool:
        until = self._records[endpoint].shunned_until
        return until is not None and self._clock.monotonic() < until

    def _source(self, endpoint: Endpoint) -> Source:
        record = self._records[endpoint]
        if self._clock.monotonic() < record.differs_until:
            return Source(endpoint.label, SourceState.QUARANTINED, record.differs, record.head)
        if record.wrong:
            state = SourceState.QUARANTINED
        elif self._shunned(endpoint) or record.failures >= _FAILED:
            state = SourceState.RESTING
        else:
            return Source(endpoint.label, SourceState.SERVING if endpoint is self._favourite else SourceState.STANDBY, None, record.head)
        return Source(endpoint.label, state, record.reason, record.head)


def _labels(urls: Sequence[SecretStr]) -> list[str]:
    """Return a label for each URL, numbered where keys alone tell two of one host apart."""
    plain = [label(url.get_secret_value()) for url in urls]
    total, seen = Counter(plain), Counter[str]()
    labels: list[str] = []
    for each in plain:
        seen[each] += 1
        labels.append(f"{each} #{seen[each]}" if total[each] > 1 else each)
    return labels
