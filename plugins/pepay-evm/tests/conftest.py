from __future__ import annotations

import json

import pytest
from aiohttp import ClientSession, web
from pydantic import SecretStr

from pepay_core.api import Finality
from pepay_core.clock import SystemClock
from pepay_core.http import AiohttpClient
from pepay_core.testing.anvil import anvil
from pepay_evm.chain import EvmChain
from pepay_evm.networks import Network, coin

__all__ = ["anvil"]


@pytest.fixture
async def http():
    async with AiohttpClient() as client:
        yield client


@pytest.fixture
def make_network():
    """Return a function that describes a development network served by some URLs."""

    def make(*urls, number=31337, **changes):
        chain = f"eip155:{number}"
        fields = {
            "key": "dev",
            "name": "Dev",
            "id": chain,
            "native": coin(chain, "ETH", "ethereum"),
            "finality": Finality.finalized(),
            "block_seconds": 1.0,
            "testnet": True,
            "idle": True,
        }
        return Network(**{**fields, **changes}, rpc=tuple(SecretStr(url) for url in urls))

    return make


@pytest.fixture
def make_chain(http, make_network):
    """Return a function that makes a driver for a development network served by some URLs."""

    def make(*urls, **changes):
        return EvmChain(make_network(*urls, **changes), http, SystemClock())

    return make


class Proxy:
    """A node between the driver and a real one, which tampers with the answers on their way back.

    ``tamper`` gets the calls and the answers of a batch, and returns what is sent: JSON, or raw bytes, or a status. Methods in ``denied``
    do not exist for those who ask it, and calls that ``refuse`` holds for are answered with ``words``.
    """

    def __init__(self, target):
        self.target = target
        self.tamper = lambda _calls, answers: answers
        self.denied = set()
        self.refuse = lambda _call: False
        self.words = "the method does not exist"
        self.batches = []
        self.url = ""

    async def handle(self, request):
        asked = await request.json()
        calls = asked if isinstance(asked, list) else [asked]
        self.batches.append([call["method"] for call in calls])
        allowed = [call for call in calls if call["method"] not in self.denied and not self.refuse(call)]
        async with ClientSession() as session, session.post(self.target, json=allowed) as response:
            answers = await response.json()
        refusal = {"code": -32601, "message": self.words}
        answers += [{"jsonrpc": "2.0", "id": call["id"], "error": refusal} for call in calls if call not in allowed]
        sent = self.tamper({call["id"]: call for call in calls}, answers)
        if isinstance(sent, list) and isinstance(asked, dict):
            sent = sent[0]
        if isinstance(sent, int):
            return web.Response(status=sent)
        body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        return web.Response(body=body, content_type="application/json")

    def deny_traces(self):
        """Be a node without any kind of traces."""
        self.denied |= {"trace_block", "debug_traceBlockByNumber", "debug_traceBlockByHash"}

    @property
    def calls(self):
        """How many calls were made, without the chain id that every batch asks for."""
        return sum(len(batch) - 1 for batch in self.batches)

    def on(self, method, change):
        """Tamper with the result of one method only: ``change`` gets the parameters and the result."""

        def tamper(calls, answers):
            for answer in answers:
                call = calls[answer["id"]]
                if call["method"] == method:
                    answer["result"] = change(call["params"], answer.get("result"))
            return answers

        self.tamper = tamper


@pytest.fixture
async def proxy(anvil):
    made = Proxy(anvil.url)
    app = web.Application()
    app.router.add_post("/{path:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    made.url = f"http://127.0.0.1:{port}"
    yield made
    await runner.cleanup()
