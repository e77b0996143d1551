"""Twenty receivers in a process of their own: most accept, some fail, refuse for a while or never answer. Run as a program.

Each line that comes is a question, each line that goes an answer: ``counts`` asks what arrived, ``quit`` ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

HANG, FAIL, GONE_SLOW = "hang", "fail", "slow"


class Sink:
    """What arrived: per receiver, the events and when the last new one came."""

    def __init__(self) -> None:
        self.events: dict[str, set[str]] = {}
        self.requests: dict[str, int] = {}
        self.finished: dict[str, float] = {}
        self.bodies: dict[str, bytes] = {}

    def take(self, path: str, event: str, body: bytes) -> None:
        seen = self.events.setdefault(path, set())
        self.requests[path] = self.requests.get(path, 0) + 1
        if event not in seen:
            seen.add(event)
            self.finished[path] = time.time()
        self.bodies.setdefault(event, body)


class Receiving(asyncio.Protocol):
    """As little HTTP as a receiver needs: requests with a length, on connections that stay."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].decode("latin-1").split("\r\n")
            fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
            length = int(fields.get("content-length", "0"))
            if len(self._data) < end + 4 + length:
                return
            body, self._data = self._data[end + 4 : end + 4 + length], self._data[end + 4 + length :]
            self._answer(head[0].split(" ")[1], fields, body)

    def _answer(self, path: str, fields: dict[str, str], body: bytes) -> None:
        assert self._transport is not None
        if HANG in path:
            return
        if FAIL in path:
            self._transport.write(b"HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\noops")
            return
        self._sink.take(path, fields["webhook-id"], body)
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


async def main() -> None:
    sink, loop = Sink(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Receiving(sink), "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        line = (await asyncio.to_thread(sys.stdin.readline)).strip()
        if line in {"", "quit"}:
            return
        counts = {path: [len(seen), sink.requests[path], sink.finished[path]] for path, seen in sink.events.items()}
        answer = {"counts": counts} if line == "counts" else {"bodies": [each.decode() for each in sink.bodies.values()]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
