"""Nobody keeps a connection with a request that never ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest
import uvicorn

from pepay_core.web import patience
from pepay_core.web.patience import PatientProtocol

PATIENCE = 1.0
ASKED = b"GET / HTTP/1.1\r\nhost: here\r\n"


class Slow:
    """An application that answers when it is told to."""

    def __init__(self) -> None:
        self.asked, self.ready = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope, receive, send):
        await receive()
        self.asked.set()
        await self.ready.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def app():
    return Slow()


@pytest.fixture
async def port(monkeypatch, app):
    monkeypatch.setattr(patience, "SECONDS", PATIENCE)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, http=PatientProtocol, ws="none", lifespan="off", log_config=None))
        server.install_signal_handlers = lambda: None
        task = asyncio.create_task(server.serve([listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await task


async def _drip(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(PATIENCE / 10)


async def hung_up_on(reader: asyncio.StreamReader) -> None:
    """Wait until the server has closed a connection."""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(30):
            while await reader.read(1000):
                pass


@pytest.mark.parametrize("begun", [b"", ASKED + b"x-", ASKED + b"\r\n" + ASKED + b"x-"], ids=["nothing", "a head", "a second head"])
async def test_whoever_sends_a_head_byte_by_byte_is_hung_up_on(app, port, begun):
    app.ready.set()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begun)
    dripping = asyncio.create_task(_drip(writer)) if begun else None
    await hung_up_on(reader)
    if dripping is not None:
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
    writer.close()


async def test_an_answer_may_take_longer_and_a_connection_is_kept_for_the_next_request(app, port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(ASKED + b"\r\n")
    await app.asked.wait()
    # Somebody who came later and says nothing has been hung up on by the time of the answer.
    silent, silence = await asyncio.open_connection("127.0.0.1", port)
    await hung_up_on(silent)
    silence.close()
    app.ready.set()
    for _ in range(3):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(2) == b"ok"
        writer.write(ASKED + b"\r\n")
    writer.close()
