"""The node on loopback: JSON-RPC over HTTP, and over WebSocket with subscriptions, as clients of Solana expect both."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiohttp import WSMsgType, web

from pepay_core.api import Unavailable, decode, encode
from pepay_sandbox import jsonrpc
from pepay_sandbox.children import beside
from pepay_sandbox.jsonrpc import RpcError
from pepay_sandbox.loopback import free_pair, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pepay_sandbox.solana.node import Node
    from pepay_sandbox.solana.subscriptions import Subscriptions

_LOG: Final = logging.getLogger("pepay.plugin.sandbox")
_MAX_BODY: Final = 16 * 1024 * 1024
_MAX_BATCH: Final = 1000
_CORS: Final = {"Access-Control-Allow-Origin": "*"}


@dataclass(frozen=True, slots=True)
class Running:
    """A node that serves."""

    rpc: str
    ws: str
    node: Node


@asynccontextmanager
async def solana_server(*, port: int = 0, slot_ms: int = 400, confirm_slots: int = 1, final_slots: int = 32) -> AsyncIterator[Running]:
    """Run a cluster of one node: JSON-RPC at ``port``, WebSocket at the port after it.

    Every ``slot_ms`` a slot begins; with 0 only when it is told to. Raises OSError when a port is taken.
    """
    # A tenth of a second of imports.
    from pepay_sandbox.solana.ledger import Ledger
    from pepay_sandbox.solana.node import Node
    from pepay_sandbox.solana.subscriptions import Subscriptions

    node = Node(Ledger(lambda: int(time.time()), confirm_slots=confirm_slots, final_slots=final_slots))
    front = _Front(node, Subscriptions(node.ledger))
    first = port or free_pair()
    async with AsyncExitStack() as stack:
        if slot_ms:
            await stack.enter_async_context(beside(_pace(node, slot_ms)))
        rpc = await stack.enter_async_context(serve(front.app(), port=first))
        ws = await stack.enter_async_context(serve(front.app(), port=first + 1))
        stack.push_async_callback(front.hang_up)
        yield Running(rpc, ws.replace("http://", "ws://"), node)


async def _pace(node: Node, slot_ms: int) -> None:
    loop = asyncio.get_running_loop()
    seconds = slot_ms / 1000
    due = loop.time()
    while True:
        due = max(due + seconds, loop.time())
        await asyncio.sleep(due - loop.time())
        if node.ticking:
            node.ledger.tick()


class _Front:
    """Both ports answer both: clients that are given one URL derive the other in more than one way."""

    def __init__(self, node: Node, subscriptions: Subscriptions) -> None:
        from pepay_sandbox.solana.methods import answer

        self._node = node
        self._subscriptions = subscriptions
        self._answer_call = answer
        self._sockets: set[web.WebSocketResponse] = set()

    def app(self) -> web.Application:
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_post("/", self._post)
        app.router.add_get("/", self._socket)
        app.router.add_get("/health", _health)
        app.router.add_options("/", _preflight)
        return app

    async def hang_up(self) -> None:
        """Close every WebSocket: they would outlive the server."""
        for socket in list(self._sockets):
            await socket.close()

    # --- HTTP -------------------------------------------------------------------------

    async def _post(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            return web.Response(status=415, text="Supplied content type is not allowed. Content-Type: application/json is required\n", headers=_CORS)
        body = self._answers(await request.read(), self._call)
        return web.Response(body=b"" if body is None else encode(body), content_type="application/json", headers=_CORS)

    def _call(self, method: str, params: list[Any]) -> Any:
        return self._answer_call(self._node, method, params)

    def _answers(self, text: bytes | str, call: Callable[[str, list[Any]], Any]) -> Any:
        """Return the answer to one call or to a batch, None where none is wanted."""
        try:
            body = decode(text)
        except Unavailable:
            return _failure(None, RpcError(jsonrpc.PARSE_ERROR, "Parse error"))
        if not isinstance(body, list):
            return self._one(body, call)
        if not 0 < len(body) <= _MAX_BATCH:
            return _failure(None, RpcError(jsonrpc.INVALID_REQUEST, "Invalid request"))
        return [answer for each in body if (answer := self._one(each, call)) is not None] or None

    def _one(self, body: Any, call: Callable[[str, list[Any]], Any]) -> dict[str, Any] | None:
        if not isinstance(body, dict) or not isinstance(body.get("method"), str):
            return _failure(None, RpcError(jsonrpc.INVALID_REQUEST, "Invalid request"))
        if "id" not in body:  # one that wants no answer, such as the ping that keeps a WebSocket open
            return None
        number, params = body["id"], body.get("params")
        try:
            if not isinstance(params, list | None):
                raise RpcError(jsonrpc.INVALID_PARAMS, "Invalid params: invalid type: map, expected a sequence.")  # noqa: TRY301
            return {"jsonrpc": "2.0", "result": call(body["method"], params or []), "id": number}
        except RpcError as exc:
            return _failure(number, exc)
        except Exception:  # noqa: BLE001  one call that fails is no reason to lose the cluster
            _LOG.exception("the local cluster failed in %s", body["method"])
            return _failure(number, RpcError(jsonrpc.INTERNAL_ERROR, "Internal error"))

    # --- WebSocket --------------------------------------------------------------------

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(max_msg_size=_MAX_BODY)
        if not socket.can_prepare(request):
            return web.Response(status=405, text="Used HTTP Method is not allowed. POST or OPTIONS is required\n", headers=_CORS)
        await socket.prepare(request)
        self._sockets.add(socket)
        outbox: asyncio.Queue[Any] = asyncio.Queue()
        mine: set[int] = set()

        def call(method: str, params: list[Any]) -> Any:
            if not method.endswith(("Subscribe", "Unsubscribe")):
                return self._call(method, params)
            result = self._subscriptions.answer(method, params, outbox.put_nowait)
            if method.endswith("Subscribe") and not isinstance(result, bool):
                mine.add(result)
            return result

        try:
            async with beside(_post_all(socket, outbox)):
                async for message in socket:
                    if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                        continue
                    known = set(mine)
                    answer = self._answers(message.data, call)
                    if answer is not None:
                        outbox.put_nowait(answer)
                    for number in mine - known:
                        self._subscriptions.settle(number)
        finally:
            self._subscriptions.forget(mine)
            self._sockets.discard(socket)
        return socket


async def _post_all(socket: web.WebSocketResponse, outbox: asyncio.Queue[Any]) -> None:
    """Send what is in the outbox, in order, for as long as somebody is there."""
    while True:
        message = await outbox.get()
        try:
            await socket.send_str(encode(message).decode())
        except ConnectionError:
            return


async def _health(_request: web.Request) -> web.Response:
    return web.Response(text="ok", headers=_CORS)


async def _preflight(request: web.Request) -> web.Response:
    asked = request.headers.get("Access-Control-Request-Headers", "content-type")
    return web.Response(
        status=204,
        headers=_CORS | {"Access-Control-Allow-Methods": "POST, OPTIONS", "Access-Control-Allow-Headers": asked, "Access-Control-Max-Age": "86400"},
    )


def _failure(number: Any, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": error.body(), "id": number}
