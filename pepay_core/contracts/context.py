"""What a plugin is given: its own settings, a clock, an HTTP client, a logger. Nothing that belongs to others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import logging
    from collections.abc import AsyncGenerator, Mapping
    from datetime import datetime


class Clock(Protocol):
    """Time, injected."""

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only ever grow: for time-outs."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole answer, at most as large as the caller allowed."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the decoded body with numbers that have a fraction as Decimal; raises Unavailable when it is not JSON."""
        from pepay_core.domain.jsontext import decode  # keeps the contract free of codecs

        return decode(self.body)


class Http(Protocol):
    """The one HTTP client. Every call has a deadline and a size limit; none follows redirects or reads proxy settings.

    Network failures, time-outs and oversized answers raise Unavailable. The answer's status is the caller's to judge.
    """

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 10, limit: int = 4_000_000) -> HttpResponse:
        """GET a URL; tried once more when the connection fails."""
        ...

    async def post(
        self, url: str, body: bytes, *, headers: Mapping[str, str] | None = None, timeout: float = 10, limit: int = 16_000_000
    ) -> HttpResponse:
        """POST bytes; never retried here."""
        ...

    async def post_public(
        self, url: str, body: bytes, *, headers: Mapping[str, str] | None = None, timeout: float = 10, limit: int = 16_384
    ) -> HttpResponse:
        """POST to a URL that a user gave: only to public addresses, checked again at connect time; raises EgressRefused.

        A body longer than ``limit`` is cut off, and a compressed one left unread: the status is what counts here.
        """
        ...

    async def check_public(self, url: str) -> None:
        """Raise InvalidInput or EgressRefused when ``post_public`` could never go there."""
        ...

    def listen(
        self, url: str, first: bytes, *, headers: Mapping[str, str] | None = None, timeout: float = 10, silence: float = 60, limit: int = 1_000_000
    ) -> AsyncGenerator[bytes, None]:
        """Open a WebSocket, send one message, and yield every message that comes.

        ``timeout`` is for the connection. Raises Unavailable when it cannot be made, and when nothing comes for ``silence`` seconds;
        ends when the other side closes it. Close the iterator (``contextlib.aclosing``) when you stop early.
        """
        ...


@dataclass(frozen=True, slots=True)
class PluginContext:
    """One plugin's view of the application."""

    plugin: str
    settings: Any
    """The plugin's own validated settings: an instance of the class named in its PluginInfo, or None."""
    http: Http
    clock: Clock
    log: logging.Logger
    base_url: str = ""
