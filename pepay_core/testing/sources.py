"""Upstreams of rate providers, as scripts: they know the prices they are told, and fail as they are told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qs, urlsplit

from pepay_core.testing.receiver import Answer, Received, Receiver

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from types import TracebackType
    from typing import Self

    from pepay_core.api import Pair
    from pepay_core.testing.clock import FakeClock


class Fault(Enum):
    """What goes wrong upstream."""

    GONE = "gone"
    """Nobody listens any more."""
    BROKEN = "broken"
    """An internal error."""
    LIMITED = "limited"
    """Too many requests."""
    NOT_JSON = "not_json"
    """A page for people, as proxies and captchas send it, with a status that means success."""
    CUT_OFF = "cut_off"
    """The beginning of an answer."""
    OTHER_FORM = "other_form"
    """Well-formed, and nothing that was ever documented."""


class RateSource(ABC):
    """An author's own upstream, as a script. It knows the prices it was told, and answers in the form in which the real one does."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.prices: dict[Pair, str] = {}
        """The price of one unit of each base, as the upstream writes it: the text of a number, sound or not."""
        self.at: datetime | None = None
        """The time that the upstream says its prices are of; None: just now."""

    def quote(self, prices: Mapping[Pair, str]) -> None:
        """Let the upstream know these prices, and no others."""
        self.prices = dict(prices)

    def time(self) -> datetime:
        """Return the time to write into an answer."""
        return self.at or self.clock.now()

    @abstractmethod
    async def fail(self, fault: Fault | None) -> None:
        """Fail like this from now on; None: not any more."""

    async def __aenter__(self) -> Self:
        """Start the upstream."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop it."""


class HttpRateSource(RateSource):
    """An upstream on HTTP: a real server on this machine, which fails as it is told. Write :meth:`respond`."""

    other_form: ClassVar[bytes] = b'["not", {"what": "anybody"}, "documented"]'

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.fault: Fault | None = None
        self._server = _Upstream(self)
        self.base_url = ""
        """Where the server is; stays the same when it is gone."""

    @property
    def requests(self) -> list[Received]:
        """What was asked so far."""
        return self._server.requests

    @abstractmethod
    def respond(self, path: str, query: Mapping[str, str]) -> bytes | Answer:
        """Return the body that the real upstream sends for ``prices``, or a whole answer where its status is not 200."""

    async def fail(self, fault: Fault | None) -> None:
        """Fail like this from now on, or not any more; what is gone stays gone."""
        self.fault = fault
        if fault is Fault.GONE:
            await self._server.__aexit__(None, None, None)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        self.base_url = self._server.url_of("")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.fault is not Fault.GONE:
            await self._server.__aexit__(kind, error, trace)

    def answer(self, request: Received) -> Answer:
        """Return the answer to a request, or the fault in its place."""
        match self.fault:
            case Fault.BROKEN:
                return Answer(500, b"oops")
            case Fault.LIMITED:
                return Answer(429, b'{"status":{"error_code":429}}', {"retry-after": "30"})
            case Fault.NOT_JSON:
                return Answer(200, b"<!doctype html><title>Just a moment</title>")
            case Fault.OTHER_FORM:
                return Answer(200, self.other_form)
        target = urlsplit(request.path)
        answer = self.respond(target.path, {name: values[-1] for name, values in parse_qs(target.query).items()})
        whole = answer if isinstance(answer, Answer) else Answer(200, answer)
        return Answer(whole.status, whole.body[: len(whole.body) // 2]) if self.fault is Fault.CUT_OFF else whole


class _Upstream(Receiver):
    def __init__(self, source: HttpRateSource) -> None:
        super().__init__()
        self._source = source

    def reply(self, request: Received) -> Answer:
        return self._source.answer(request)
