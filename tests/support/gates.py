"""A node behind a gate: the test says which methods it has, and whether it is there."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import ClientSession, web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TRACES = frozenset({"trace_block", "debug_traceBlockByNumber", "debug_traceBlockByHash"})


class Gate:
    """Passes JSON-RPC batches on, but for the methods that are ``denied``; ``down`` is an outage. ``posts`` and ``calls`` count."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.url = ""
        self.denied: frozenset[str] = frozenset()
        self.down = False
        self.posts = 0
        self.calls = 0
        self._session: ClientSession | None = None

    async def handle(self, request: web.Request) -> web.Response:
        if self.down:
            return web.Response(status=503)
        batch: list[dict[str, Any]] = await request.json()
        self.posts += 1
        self.calls += len(batch)
        passed = [call for call in batch if call["method"] not in self.denied]
        assert self._session is not None
        async with self._session.post(self.target, json=passed) as response:
            answers = await response.json()
        refusal = {"code": -32601, "message": "the method does not exist"}
        answers += [{"jsonrpc": "2.0", "id": call["id"], "error": refusal} for call in batch if call not in passed]
        return web.Response(body=json.dumps(answers).encode(), content_type="application/json")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Gate]:
        """Serve until the block ends."""
        app = web.Application(client_max_size=64_000_000)
        app.router.add_post("/{path:.*}", self.handle)
        runner = web.AppRunner(app, access_log=None)
        async with ClientSession() as self._session:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            try:
                yield self
            finally:
                await runner.cleanup()
