"""All endpoints of a network: one step talks to one of them from beginning to end, the best one first."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final, TypeVar

from pepay_core.api import ChainUnavailable
from pepay_evm.decoding import Malformed
from pepay_evm.rpc import POST_SECONDS, Endpoint, RateLimited, WrongChain, label_of
from pepay_evm.seals import Seal
from pepay_evm.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence

    from pydantic import SecretStr

    from pepay_core.api import Clock, Http, Source

_T = TypeVar("_T")
# Shared by the endpoints, so that the last one still gets its turn within the time that core waits for a driver.
_STEP_SECONDS: Final = 24.0
_WRONG_CHAIN: Final = 60.0
_GARBLED: Final = 15.0
_PATIENCE: Final = 3  # garbled answers in a row
_WORTH: Final = 1.0  # seconds by which another endpoint must be better before it takes over


class Rpc:
    """The endpoints, with the record of each. The one that serves goes on serving until another is clearly better."""

    def __init__(
        self, urls: Sequence[SecretStr], http: Http, clock: Clock, chain: int, *, block_seconds: float = 12.0, timeout: float = POST_SECONDS
    ) -> None:
        self.seal = Seal()
        self.seal.expect(len(urls))
        self.endpoints = tuple(
            Endpoint(url, http, chain, label=label, seal=self.seal, timeout=timeout) for url, label in zip(urls, _labels(urls), strict=True)
        )
        self._clock = clock
        self._block_seconds = block_seconds
        self._standings = {endpoint: Standing(endpoint.label, clock) for endpoint in self.endpoints}
        self._garbled: Counter[Endpoint] = Counter()
        self._favourite = self.endpoints[0]

    def standing(self, endpoint: Endpoint) -> Standing:
        """Return the record of one endpoint."""
        return self._standings[endpoint]

    @property
    def several(self) -> bool:
        """Whether there is anybody to compare with."""
        return len(self.endpoints) > 1

    def sources(self) -> list[Source]:
        """Return all endpoints as they are shown."""
        return [standing.source(serving=endpoint is self._favourite) for endpoint, standing in self._standings.items()]

    async def step(self, work: Callable[[Endpoint], Awaitable[_T]], *, avoid: Collection[str] = ()) -> _T:
        """Return what the work gives with the first endpoint that it succeeds with, beginning with the one that serves.

        Only ChainUnavailable passes to the next endpoint; when none is left it is raised with the reason of each. Endpoints whose label
        is to be avoided are not asked.
        """
        reasons: list[str] = []
        for endpoint in self.ranked(avoid):
            try:
                result = await self.ask(endpoint, work)
            except ChainUnavailable as exc:
                reasons.append(exc.message)
            else:
                if not avoid:
                    self._favourite = endpoint
                return result
        reasons += [standing.reason for endpoint, standing in self._standings.items() if endpoint.label not in avoid and not standing.usable]
        raise ChainUnavailable("; ".join(dict.fromkeys(reasons)) or "no endpoint can be asked")

    async def ask(self, endpoint: Endpoint, work: Callable[[Endpoint], Awaitable[_T]], *, within: float = _STEP_SECONDS) -> _T:
        """Return what the work gives with one endpoint, and note in its record how it went; ``within`` is in seconds."""
        standing = self._standings[endpoint]
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(min(within, _STEP_SECONDS / len(self.endpoints))):
                result = await work(endpoint)
        except TimeoutError:
            standing.failed(f"{endpoint.label} took too long")
            raise ChainUnavailable(f"{endpoint.label} took too long") from None
        except RateLimited as exc:
            standing.limited(exc.seconds, exc.message)
            raise
        except WrongChain as exc:
            standing.quarantine(exc.message, _WRONG_CHAIN)
            raise
        except ChainUnavailable as exc:
            standing.failed(exc.message)
            if isinstance(exc, Malformed):
                self._note_garbled(endpoint, exc.message)
            raise
        standing.answered(self._clock.monotonic() - started)
        del self._garbled[endpoint]
        if not self.several:
            standing.readmit()
        return result

    def _note_garbled(self, endpoint: Endpoint, message: str) -> None:
        self._garbled[endpoint] += 1
        # Where there is no other, nothing is gained by not asking.
        if self.several and self._garbled[endpoint] >= _PATIENCE:
            del self._garbled[endpoint]
            self._standings[endpoint].quarantine(message, _GARBLED)

    def ranked(self, avoid: Collection[str] = ()) -> Iterator[Endpoint]:
        """Yield the endpoints that may be used now, the best first."""
        costs = {endpoint: standing.cost(self._block_seconds) for endpoint, standing in self._standings.items() if endpoint.label not in avoid}
        if self._favourite in costs:
            costs[self._favourite] -= _WORTH
        for endpoint in sorted(costs, key=lambda each: costs[each]):
            standing = self._standings[endpoint]
            if standing.usable or (not self.several and standing.may_be_asked):
                yield endpoint


def _labels(urls: Sequence[SecretStr]) -> list[str]:
    """Return a label for each URL, numbered where keys alone tell two of one host apart."""
    plain = [label_of(url) for url in urls]
    total, seen = Counter(plain), Counter[str]()
    labels: list[str] = []
    for label in plain:
        seen[label] += 1
        labels.append(f"{label} #{seen[label]}" if total[label] > 1 else label)
    return labels
