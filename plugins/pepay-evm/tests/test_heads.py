"""Hints of new blocks: they come while an endpoint tells, and whatever it does otherwise costs hints alone."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, suppress

import pytest
from aiohttp import WSMsgType, web
from pydantic import SecretStr

from pepay_core.clock import SystemClock
from pepay_evm.heads import Heads


class Waits:
    """A clock whose sleeps pass at once, and are written down."""

    def __init__(self):
        self.waits = []

    async def sleep(self, seconds):
        self.waits.append(seconds)
        if len(self.waits) == 8:
            raise asyncio.CancelledError
        await asyncio.sleep(0)


class Endpoint:
    """What the tests say to the endpoint, and what it was asked."""

    def __init__(self):
        self.url, self.talk, self.asked = "", None, []


@pytest.fixture
async def endpoint():
    """Return a WebSocket endpoint that does with a connection what ``talk`` says."""
    made = Endpoint()

    async def serve(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                made.asked.append(message.json()["method"])
                await made.talk(socket)
        return socket

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/very-secret-key"
    yield made
    await runner.cleanup()


async def exhaust(heads):
    """Take hints until the eighth wait, and return how many there were."""
    hints = 0
    with suppress(asyncio.CancelledError):
        async for _ in heads.hints():
            hints += 1
    return hints


async def test_a_new_block_of_a_real_node_is_a_hint(anvil, http):
    heads = Heads([SecretStr(anvil.url.replace("http", "ws"))], http, SystemClock(), silence=60)
    async with aclosing(heads.hints()) as hints:
        hint = asyncio.ensure_future(anext(hints))
        while not hint.done():  # what is mined before the node has taken the subscription is not told
            await asyncio.to_thread(anvil.mine)
            await asyncio.wait({hint}, timeout=0.05)
        assert await hint is None


async def test_an_endpoint_that_falls_silent_is_connected_again_ever_less_eagerly(endpoint, http):
    async def silence(_socket):
        pass

    endpoint.talk = silence
    clock = Waits()
    assert await exhaust(Heads([SecretStr(endpoint.url)], http, clock, silence=0.02)) == 0
    assert clock.waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert endpoint.asked == ["eth_subscribe"] * 8


async def test_one_that_tells_again_is_trusted_again(endpoint, http):
    async def tell_once(socket):
        if len(endpoint.asked) == 5:
            await socket.send_json({"jsonrpc": "2.0", "method": "eth_subscription", "params": {}})
        await socket.close()

    endpoint.talk = tell_once
    clock = Waits()
    assert await exhaust(Heads([SecretStr(endpoint.url)], http, clock, silence=5)) == 1
    assert clock.waits == [1, 2, 4, 8, 1, 2, 4, 8]


@pytest.mark.parametrize("said", ['{"error": {"message": "no"}}', "<html>", "[]", "{", '{"id": 1, "result": "0x1"}'])
async def test_whatever_else_is_said_is_no_hint(endpoint, http, said):
    async def talk(socket):
        await socket.send_str(said)
        await socket.close()

    endpoint.talk = talk
    assert await exhaust(Heads([SecretStr(endpoint.url)], http, Waits(), silence=5)) == 0


async def test_the_key_in_a_url_is_not_logged(http, caplog):
    caplog.set_level(logging.DEBUG)
    urls = [SecretStr("ws://127.0.0.1:9/very-secret-key"), SecretStr("ws://[very-secret-key")]
    assert await exhaust(Heads(urls, http, Waits(), silence=5)) == 0
    assert "no hints of new blocks" in caplog.text
    assert "very-secret-key" not in caplog.text


async def test_a_network_without_websockets_gives_no_hints(make_chain):
    assert make_chain("http://127.0.0.1:9").wake() is None
    assert make_chain("http://127.0.0.1:9", ws=(SecretStr("ws://127.0.0.1:9"),)).wake() is not None
