"""A real HTTP server on this machine that writes down what it is sent and answers as it is told.

::

    async with Receiver() as receiver:
        receiver.answer(500, 200)  # the first request fails, the second and all later ones succeed
        ...  # have something delivered to receiver.url
        first, second = await receiver.wait_for(2)
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

HUGE: Final = 32 * 1024 * 1024
"""Bytes that a ``flood`` sends to whoever keeps reading."""
_CHUNK: Final = 64 * 1024
_TRICKLE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Received:
    """One request. The names of ``headers`` are in lower case; the values of a repeated one are joined by a comma."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request is answered.

    ``silent`` accepts it and never answers; ``flood`` sends a body of 32 MB without announcing its length; ``trickle`` sends the
    body byte by byte and never ends it.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    silent: bool = False
    flood: bool = False
    trickle: bool = False


class Receiver:
    """Listens on a free port of the loopback address from entry to exit of ``async with``."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        """Everything that arrived, in order."""
        self.sent = 0
        """Bytes of bodies that could be handed to the network."""
        self.disconnected = 0
        """Answers that the client did not wait for."""
        self._answers = [Answer()]
        self._changed = asyncio.Condition()
        self._closing = asyncio.Event()
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where to deliver to."""
        return self.url_of("/hook")

    def url_of(self, path: str) -> str:
        """Return the address of a path on this server."""
        return f"http://127.0.0.1:{self._port}{path}"

    def answer(self, *answers: Answer | int) -> None:
        """Answer the next requests like this, one each, and all later ones like the last; a number is a status."""
        self._answers = [Answer(status=each) if isinstance(each, int) else each for each in answers] or [Answer()]

    def reply(self, request: Received) -> Answer:  # noqa: ARG002 (for those who override it)
        """Return the answer to a request: the next one that :meth:`answer` was given. Override it to answer by what is asked."""
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    async def wait_for(self, count: int, *, timeout: float = 5) -> list[Received]:
        """Return the requests as soon as there are ``count``; raises TimeoutError, which says how many came instead."""
        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(lambda: len(self.requests) >= count)
        except TimeoutError:
            raise TimeoutError(f"{len(self.requests)} of {count} requests arrived within {timeout:g} s") from None
        return list(self.requests)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()
        self._closing.set()
        for writer in self._connections.values():
            writer.transport.abort()
        if self._connections:
            await asyncio.wait(self._connections)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        try:
            # A client that goes away is no fault of the server.
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while (request := await _read_request(reader)) is not None:
                    answer = self.reply(request)
                    async with self._changed:
                        self.requests.append(request)
                        self._changed.notify_all()
                    if not await self._respond(writer, answer):
                        break
        finally:
            writer.close()
            del self._connections[task]

    async def _respond(self, writer: asyncio.StreamWriter, answer: Answer) -> bool:
        """Answer, and tell whether the connection can be used again."""
        if answer.silent:
            await self._closing.wait()
            return False
        unbounded = answer.flood or answer.trickle
        bodiless = answer.status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
        body = b"" if bodiless else answer.body
        head = {} if bodiless else {"connection": "close"} if unbounded else {"content-length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**head, **answer.headers}.items())
        writer.write(f"HTTP/1.1 {answer.status} \r\n{lines}\r\n".encode("latin-1"))
        try:
            if answer.flood:
                for _ in range(HUGE // _CHUNK):
                    await self._send(writer, b"x" * _CHUNK)
            elif answer.trickle:
                while not self._closing.is_set():
                    await self._send(writer, b"x")
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._closing.wait(), _TRICKLE_SECONDS)
            else:
                await self._send(writer, body)
        except ConnectionError:
            self.disconnected += 1
            raise
        return not unbounded

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        await writer.drain()
        self.sent += len(data)


async def _read_request(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, path, MappingProxyType(headers), body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while (await reader.readuntil(b"\r\n")) != b"\r\n":
        pass
    return bytes(body)
