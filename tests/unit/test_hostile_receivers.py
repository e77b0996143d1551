"""A receiver of webhooks that means harm costs one attempt, some bytes and some seconds."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import re
from dataclasses import dataclass, field

import pytest

from pepay_core.domain.errors import Unavailable
from pepay_core.http import AiohttpClient

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
MOST = 16_000_000
"""Bytes that a receiver gets rid of at most, what the system holds for both sides included."""


@dataclass
class Hostile:
    """Answers every request with ``first``, and with ``then`` again and again for as long as somebody listens."""

    first: bytes = b""
    then: bytes = b""
    pause: float = 0
    requests: int = 0
    sent: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the other side has hung up."""
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests += 1
                await reader.readexactly(int(re.search(rb"(?i)content-length: (\d+)", head)[1]))
                writer.write(self.first)
                while self.then:
                    writer.write(self.then)
                    await writer.drain()
                    self.sent += len(self.then)
                    await asyncio.sleep(self.pause)
        self.left.set()
        writer.close()


@contextlib.asynccontextmanager
async def hostile(**options):
    made = Hostile(**options)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield made
    finally:
        server.close()


@pytest.fixture
async def http():
    async with AiohttpClient(allow_private=True) as http:
        yield http


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b"HTTP/1.1 103 Early Hints\r\nlink: </>\r\n\r\n" * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\nx: ", b"y" * 10_000),
        (b"HTTP/1.1 200 ", b"O" * 10_000),
        (b"", b"\r\n" * 10_000),
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\n", b"x: " + b"y" * 8_000 + b"\r\n"),
        (CHUNKED + b"1", b";" + b"x" * 10_000),
        (CHUNKED, b"1;" + b"x" * 10_000 + b"\r\nx\r\n"),
        (CHUNKED + b"0\r\n", b"x: y\r\n" * 1000),
        (CHUNKED + b"0\r\n", b"x: " + b"y" * 8_000 + b"\r\n"),
    ],
    ids=[
        "hints", "continue", "a header", "a reason", "empty lines", "headers", "long headers", "an extension", "extensions", "trailers",
        "long trailers",
    ],
)  # fmt: skip
async def test_what_never_becomes_an_answer_is_left_after_some_bytes(http, first, then):
    async with hostile(first=first, then=then) as receiver:
        with contextlib.suppress(Unavailable):
            answer = await http.post_public(receiver.url, b"{}", timeout=60)
            # Of a body, what had come of it is enough: its status is what counts.
            assert (first.startswith(CHUNKED), answer.status) == (True, 200)
        await receiver.left.wait()
        assert receiver.sent < MOST
        assert receiver.requests == 1


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (CHUNKED, b"1\r\nx\r\n"),
    ],
    ids=["continue", "a header", "a body", "a body in chunks"],
)
async def test_what_comes_slowly_and_never_ends_is_left_at_the_deadline(http, first, then):
    async with hostile(first=first, then=then, pause=0.02) as receiver:
        with pytest.raises(Unavailable, match=r"did not answer within 0\.3 s"):
            await http.post_public(receiver.url, b"{}", timeout=0.3)
        await receiver.left.wait()


async def test_answers_to_nothing_end_the_connection_that_is_kept(http):
    async with hostile(first=HEAD, then=HEAD * 1000) as receiver:
        assert (await http.post_public(receiver.url, b"{}")).status == 200
        await receiver.left.wait()
        assert receiver.sent < MOST
        receiver.then = b""
        assert (await http.post_public(receiver.url, b"{}")).body == b"ok"


@pytest.mark.parametrize("coding", [b"content-encoding: gzip", b"transfer-encoding: gzip, chunked"])
async def test_a_bomb_is_not_unpacked(http, coding):
    bomb = gzip.compress(bytes(20_000_000))
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(bomb), bomb) if coding.startswith(b"transfer") else bomb
    length = b"" if coding.startswith(b"transfer") else b"content-length: %d\r\n" % len(bomb)
    async with hostile(first=b"HTTP/1.1 200 OK\r\n" + length + coding + b"\r\n\r\n" + body) as receiver:
        answer = await http.post_public(receiver.url, b"{}", limit=16_384)
    assert answer.status == 200
    assert answer.body in {b"", bomb[:16_384]}


async def test_a_redirect_to_a_private_address_is_an_answer_like_any_other(http):
    async with hostile(first=HEAD) as inside:
        for status in (301, 302, 303, 307, 308):
            first = b"HTTP/1.1 %d Elsewhere\r\nlocation: %b\r\ncontent-length: 0\r\n\r\n" % (status, inside.url.encode())
            async with hostile(first=first) as receiver:
                assert (await http.post_public(receiver.url, b"{}")).status == status
        assert inside.requests == 0


async def test_a_body_that_is_wanted_comes_whole(http):
    body = b"x" * 2_000_000
    async with hostile(first=b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body) as receiver:
        assert (await http.post_public(receiver.url, b"{}", limit=len(body))).body == body
