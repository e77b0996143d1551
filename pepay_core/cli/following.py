"""Following a server's events, through restarts and lost connections, so that none is missed and none comes twice."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.errors import PePayError, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from pepay_core.contracts.context import Clock
    from pepay_core.http import AiohttpClient, Following

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_ERROR_BYTES: Final = 10_000


class NotWelcome(PePayError):
    """The server does not let this key follow, and will not however often it is asked."""

    code = "not_welcome"


@dataclass(frozen=True, slots=True)
class Told:
    """An event as the stream told it; ``body`` is the envelope as webhooks have it."""

    id: str
    type: str
    body: bytes

    def envelope(self) -> dict[str, Any]:
        """Return the envelope, read."""
        envelope: dict[str, Any] = json.loads(self.body)
        return envelope


class Follower:
    """Follows ``GET /api/v1/events/stream`` of a server. ``said`` is called with a sentence whenever the connection changes."""

    def __init__(self, http: AiohttpClient, clock: Clock, server: str, key: str, types: str, said: Callable[[str], None]) -> None:
        self._http = http
        self._clock = clock
        self._server = server.rstrip("/")
        self._headers = {"x-api-key": key, "Accept": "text/event-stream"}
        self._types = types
        self._said = said
        self._last: str | None = None
        self._began_empty = False
        self._pause = _FIRST_PAUSE

    async def events(self) -> AsyncIterator[Told]:
        """Yield what happens from now on, for ever; raises NotWelcome when the server refuses for good."""
        while True:
            try:
                if self._began_empty and self._last is None:
                    # There was no event to come back behind: everything that there is now is new.
                    async for each in self._from_the_beginning():
                        yield each
                async for each in self._connection():
                    yield each
                self._said("the server has ended the stream; connecting again")
            except Unavailable as exc:
                self._said(f"{exc.message}; trying again in {self._pause:g} s")
            await self._clock.sleep(self._pause)
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    async def _connection(self) -> AsyncGenerator[Told, None]:
        headers = self._headers | ({"Last-Event-ID": self._last} if self._last else {})
        async with self._http.follow(f"{self._server}/api/v1/events/stream?types={self._types}", headers=headers) as answer:
            if answer.status != 200:
                await self._refused(answer)
            fields: dict[str, bytes] = {}
            began = False
            async for line in answer.lines():
                if line:
                    name, _, value = line.partition(b":")
                    fields[name.decode()] = value.removeprefix(b" ")
                    continue
                if "id" in fields:
                    self._last = fields["id"].decode()
                if not began:
                    began, self._pause = True, _FIRST_PAUSE
                    self._began_empty = self._last is None
                    self._said("ready")
                if "data" in fields:
                    yield Told(fields["id"].decode(), fields["event"].decode(), fields["data"])
                fields = {}

    async def _from_the_beginning(self) -> AsyncGenerator[Told, None]:
        more = True
        while more:
            after = f"&starting_after={self._last}" if self._last else ""
            answer = await self._http.get(f"{self._server}/api/v1/events?limit=100{after}", headers=self._headers)
            if answer.status != 200:
                raise Unavailable(f"the server answers {answer.status}")
            page = answer.json()
            from pepay_core.domain.events import matches
            from pepay_core.domain.jsontext import encode

            for each in page["data"]:
                self._last = each["id"]
                if matches(tuple(self._types.split(",")), each["type"]):
                    yield Told(each["id"], each["type"], encode(each))
            more = page["has_more"]

    async def _refused(self, answer: Following) -> None:
        text = b""
        async for line in answer.lines():
            text += line
            if len(text) > _ERROR_BYTES:
                break
        message = _message(text) or f"the server answers {answer.status}"
        if answer.status in {429, 500, 502, 503, 504}:
            raise Unavailable(message)
        raise NotWelcome(message)


def _message(text: bytes) -> str:
    try:
        said = json.loads(text)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return ""
    return said if isinstance(said, str) else ""
