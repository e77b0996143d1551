from __future__ import annotations

import json

import pytest
from aiohttp import ClientSession, web
from pydantic import SecretStr

from pepay_core.api import Finality
from pepay_core.clock import SystemClock
from pepay_core.http import AiohttpClient
from pepay_sandbox.solana.testing import cluster
from pepay_solana.addresses import TOKEN
from pepay_solana.chain import SolanaChain
from pepay_solana.clusters import Cluster, spl, with_tokens

__all__ = ["cluster"]


@pytest.fixture
async def http():
    async with AiohttpClient() as client:
        yield client


@pytest.fixture
def make_cluster(cluster):
    """Return a function that describes the test's cluster, served by some URLs, with tokens by symbol."""

    def make(*urls, tokens=None, genesis=None, **changes):
        fields = {
            "key": "local", "name": "Local", "genesis": genesis or cluster.genesis, "finality": Finality.finalized(),
            "block_seconds": 1.0, "testnet": True, "idle": True, "rpc": tuple(SecretStr(url) for url in urls or (cluster.url,)),
        }  # fmt: skip
        made = Cluster(**{**fields, **changes})
        added = {}
        for symbol, (mint, decimals, *program) in (tokens or {}).items():
            added[spl(made.genesis, symbol, mint, decimals, "usd-coin")] = program[0] if program else TOKEN
        return with_tokens(made, added)

    return make


@pytest.fixture
def make_chain(http, make_cluster):
    """Return a function that makes a driver for the test's cluster."""

    def make(*urls, **changes):
        return SolanaChain(make_cluster(*urls, **changes), http, SystemClock())

    return make


class Proxy:
    """A node between the driver and a real one, which counts the calls and tampers with the answers on their way back.

    ``tamper`` gets the calls by id and the answers, and returns what is sent: JSON, or raw bytes, or a status.
    """

    def __init__(self, target):
        self.target = target
        self.tamper = lambda _calls, answers: answers
        self.calls = []
        self.requests = 0
        self.url = ""

    async def handle(self, request):
        sent = await request.json()
        calls = sent if isinstance(sent, list) else [sent]
        self.requests += 1
        self.calls += [(call["method"], call["params"]) for call in calls]
        async with ClientSession() as session, session.post(self.target, json=calls) as response:
            answers = await response.json()
        answer = self.tamper({call["id"]: call for call in calls}, answers)
        if isinstance(answer, web.Response):
            return answer
        if isinstance(answer, int):
            return web.Response(status=answer)
        if isinstance(answer, list) and not isinstance(sent, list):
            (answer,) = answer
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return web.Response(body=body, content_type="application/json")

    def methods(self):
        return [method for method, _ in self.calls]

    def on(self, method, change):
        """Tamper with the result of one method only: ``change`` gets the parameters and the result."""

        def tamper(calls, answers):
            for answer in answers:
                call = calls[answer["id"]]
                if call["method"] == method:
                    answer["result"] = change(call["params"], answer.pop("result", None))
                    answer.pop("error", None)
            return answers

        self.tamper = tamper

    def fail(self, method, code, message="an error", **members):
        """Answer one method with an error."""

        def tamper(calls, answers):
            return [
                {"jsonrpc": "2.0", "id": answer["id"], "error": {"code": code, "message": message, **members}}
                if calls[answer["id"]]["method"] == method
                else answer
                for answer in answers
            ]

        self.tamper = tamper

    def honest(self):
        """Tamper no more."""
        self.tamper = lambda _calls, answers: answers


@pytest.fixture
async def proxy(cluster):
    made = Proxy(cluster.url)
    app = web.Application()
    app.router.add_post("/{path:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()
