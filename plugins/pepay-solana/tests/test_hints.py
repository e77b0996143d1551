"""A WebSocket makes PePay look sooner, and whatever becomes of it costs nothing else."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from aiohttp import web
from pydantic import SecretStr
from solders.keypair import Keypair

from pepay_core.api import Destination, Watchlist

PATIENCE = 30  # seconds after which a hint counts as missing


class Deaf:
    """A WebSocket server that takes every connection and says nothing, or hangs up at once, or refuses."""

    def __init__(self):
        self.behaviour = "silent"
        self.connections = 0
        self.connected = asyncio.Event()
        self.url = ""

    async def handle(self, request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connections += 1
        self.connected.set()
        async for _ in socket:
            if self.behaviour == "refuses":
                await socket.send_json({"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no"}})
            elif self.behaviour == "garbage":
                await socket.send_str("garbage")
            elif self.behaviour == "hangs up":
                break
        return socket


@pytest.fixture
async def deaf():
    made = Deaf()
    app = web.Application()
    app.router.add_get("/", made.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/"
    yield made
    await runner.cleanup()


@pytest.fixture
def shop(cluster):
    wallet = str(cluster.wallet().pubkey())
    return Destination(wallet, str(Keypair().pubkey()))


async def watching(chain, shop, cluster):
    """Let a driver make a look, after which it knows what to listen for."""
    after = (await chain.tip()).block
    cluster.tick()
    return (await chain.scan(Watchlist([shop]), after, (await chain.tip()).block)).cursor


async def next_of(hints):
    async with asyncio.timeout(PATIENCE):
        await anext(hints)


async def test_without_endpoints_there_are_no_hints(make_chain):
    assert make_chain().wake() is None


async def test_a_payment_is_a_hint(cluster, make_chain, shop):
    buyer = cluster.wallet()
    chain = make_chain(ws=(SecretStr(cluster.ws_url),))
    after = await watching(chain, shop, cluster)
    async with aclosing(chain.wake()) as hints:
        await next_of(hints)  # the connection is there
        cluster.transfer(buyer, shop.address, 5, references=[shop.reference])
        cluster.tick()
        await next_of(hints)
    scan = await chain.scan(Watchlist([shop]), after, (await chain.tip()).block)
    assert [each.units for each in scan.transfers] == [5]


@pytest.mark.parametrize("behaviour", ["refuses", "garbage", "hangs up"])
async def test_the_next_endpoint_gives_hints_where_one_does_not(cluster, make_chain, deaf, shop, behaviour):
    deaf.behaviour = behaviour
    chain = make_chain(ws=(SecretStr(deaf.url), SecretStr(cluster.ws_url)))
    await watching(chain, shop, cluster)
    async with aclosing(chain.wake()) as hints:
        await next_of(hints)
    assert deaf.connections


async def test_an_endpoint_that_has_died_silently_stops_nothing(cluster, make_chain, deaf, shop):
    chain = make_chain(ws=(SecretStr(deaf.url),))
    after = await watching(chain, shop, cluster)
    async with aclosing(chain.wake()) as hints:
        waiting = asyncio.ensure_future(anext(hints))
        async with asyncio.timeout(PATIENCE):
            await deaf.connected.wait()
        cluster.transfer(cluster.wallet(), shop.address, 5, references=[shop.reference])
        cluster.tick()
        scan = await chain.scan(Watchlist([shop]), after, (await chain.tip()).block)
        assert [each.units for each in scan.transfers] == [5]
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
