"""An Ethereum node on loopback: py-evm behind JSON-RPC over HTTP, for machines without anvil."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from pepay_core.api import Unavailable, decode, encode
from pepay_sandbox import jsonrpc
from pepay_sandbox.children import beside
from pepay_sandbox.jsonrpc import RpcError
from pepay_sandbox.loopback import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pepay_sandbox.evm_methods import EvmMethods

_LOG: Final = logging.getLogger("pepay.plugin.sandbox")
_MAX_BATCH: Final = 1000


@asynccontextmanager
async def evm_server(*, chain_id: int, block_seconds: float, port: int = 0) -> AsyncIterator[str]:
    """Run a node and yield its URL. With ``block_seconds`` it mines a block that often, with 0 one for each transaction."""
    # py-evm computes, and is not thread-safe: one worker thread keeps it off the event loop, and calls in the order they came.
    with ThreadPoolExecutor(1, thread_name_prefix="pepay-evm") as worker:
        methods = await asyncio.get_running_loop().run_in_executor(worker, _build, chain_id, block_seconds == 0)
        node = _Node(methods, worker)
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_post("/", node.handle)
        async with AsyncExitStack() as stack:
            if block_seconds:
                await stack.enter_async_context(beside(node.mine_every(block_seconds)))
            yield await stack.enter_async_context(serve(app, port=port))


def _build(chain_id: int, automine: bool) -> EvmMethods:
    from pepay_sandbox.evm_methods import EvmMethods  # a second of imports, in the worker thread
    from pepay_sandbox.evm_state import EvmState

    return EvmMethods(EvmState(chain_id, _epoch()), _epoch, automine=automine)


def _epoch() -> int:
    return int(time.time())


class _Node:
    def __init__(self, methods: EvmMethods, worker: ThreadPoolExecutor) -> None:
        self._methods = methods
        self._worker = worker

    async def mine_every(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + seconds, loop.time())
            await asyncio.sleep(due - loop.time())
            await loop.run_in_executor(self._worker, self._methods.mine)

    async def handle(self, request: web.Request) -> web.Response:
        try:
            body = decode(await request.read())
        except Unavailable:
            return _respond(_failure(None, RpcError(jsonrpc.PARSE_ERROR, "the request is not JSON")))
        calls = body if isinstance(body, list) else [body]
        if not 0 < len(calls) <= _MAX_BATCH:
            return _respond(_failure(None, RpcError(jsonrpc.INVALID_REQUEST, f"a batch has 1 to {_MAX_BATCH} calls")))
        answers = await asyncio.get_running_loop().run_in_executor(self._worker, self._run, calls)
        return _respond(answers if isinstance(body, list) else answers[0])

    def _run(self, calls: list[Any]) -> list[dict[str, Any]]:
        return [self._answer(call) for call in calls]

    def _answer(self, call: Any) -> dict[str, Any]:
        if not isinstance(call, dict) or not isinstance(call.get("method"), str):
            return _failure(None, RpcError(jsonrpc.INVALID_REQUEST, "a call is an object with a method"))
        number, params = call.get("id"), call.get("params") or []
        if not isinstance(params, list):
            return _failure(number, RpcError(jsonrpc.INVALID_PARAMS, "params must be a list"))
        try:
            return {"jsonrpc": "2.0", "id": number, "result": self._methods.answer(call["method"], params)}
        except RpcError as exc:
            return _failure(number, exc)
        except Exception:  # noqa: BLE001  one call that fails is no reason to lose the chain
            _LOG.exception("the local chain failed in %s", call["method"])
            return _failure(number, RpcError(jsonrpc.INTERNAL_ERROR, "internal error"))


def _failure(number: Any, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": error.body()}


def _respond(body: Any) -> web.Response:
    return web.Response(body=encode(body), content_type="application/json")
