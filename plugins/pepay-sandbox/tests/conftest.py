import base64
import json
import os
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp import web

from pepay_core.api import Delivery
from pepay_core.testing.foundry import AnvilMissing, find_anvil
from pepay_sandbox.local_chain import local_chain
from pepay_sandbox.loopback import serve
from pepay_sandbox.solana.clients import solana_js  # noqa: F401  a fixture
from pepay_sandbox.solana.testing import cluster  # noqa: F401  a fixture
from pepay_sandbox.wallet import TestWallet
from pepay_webhook_hmac.notifier import headers


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def anvil_here(monkeypatch):
    """Make sure that anvil is installed, or skip with the reason; with ``anvil`` in PEPAY_TEST_REQUIRE, fail."""
    try:
        monkeypatch.setenv("PEPAY_ANVIL", str(find_anvil()))
    except AnvilMissing as exc:
        if "anvil" in os.environ.get("PEPAY_TEST_REQUIRE", "").split(","):
            pytest.fail(str(exc))
        pytest.skip(str(exc))


@pytest.fixture(params=["py-evm", "anvil"])
def node(request):
    if request.param == "anvil":
        request.getfixturevalue("anvil_here")
    return request.param


@pytest.fixture
async def open_chain(session):
    """Start a chain by kind; each ends with the test."""
    async with AsyncExitStack() as stack:

        async def start(kind, *, block_seconds=0, **options):
            return await stack.enter_async_context(local_chain(session, node=kind, block_seconds=block_seconds, **options))

        yield start


@pytest.fixture
async def chain(node, open_chain):
    """A chain that mines each transaction at once, on either back end."""
    return await open_chain(node)


@pytest.fixture
async def small_chain(open_chain):
    """A chain on py-evm that mines each transaction at once."""
    return await open_chain("py-evm")


@pytest.fixture
async def wallet(chain):
    return await TestWallet.open(chain)


class StubGateway:
    """Speaks as much of PePay's API as the shop uses. Its invoices move when the test says so, and it tells the shop by signed webhooks."""

    key = "pepay_test_stub"
    secret = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()

    def __init__(self, session):
        self.session = session
        self.url = self.hook = ""
        self.asset = self.destination = ""
        self.invoices = {}
        self.requests = []

    def app(self):
        app = web.Application()
        app.router.add_post("/api/v1/invoices", self.create)
        app.router.add_get("/api/v1/invoices/{id}", self.read)
        app.router.add_post("/api/v1/invoices/{id}/payment-options", self.choose)
        return app

    async def create(self, request):
        body = await request.json()
        self.requests.append((dict(request.headers), body))
        if request.headers.get("x-api-key") != self.key:
            return web.json_response({"detail": "no", "error": {"code": "unauthenticated", "message": "no such key"}}, status=401)
        number = f"inv_{len(self.invoices):026d}"
        quote = {"amount": "24.00", "amount_base_units": "24000000"}
        option = {"asset": self.asset, "symbol": "USDC", "network": "Sandbox", "quote": None, "destination": None}
        chosen = option | {"quote": quote, "destination": self.destination} if "pay_with" in body else option
        self.invoices[number] = {
            "object": "invoice",
            "id": number,
            "status": "unpaid",
            "fulfil": False,
            "amount": body["amount_usd"],
            "payment_url": f"{self.url}/pay/{number}?token=t",
            "payment_options": [chosen],
            "payments": [],
            "created_at": int(time.time()),
            "version": 1,
        }
        return web.json_response(self.invoices[number], status=201)

    async def read(self, request):
        return web.json_response(self.invoices[request.match_info["id"]])

    async def choose(self, request):
        [option] = self.invoices[request.match_info["id"]]["payment_options"]
        option |= {"quote": {"amount": "24.00", "amount_base_units": "24000000"}, "destination": self.destination}
        return web.json_response(option)

    async def move(self, number, kind, **changes):
        invoice = self.invoices[number]
        invoice |= changes | {"version": invoice["version"] + 1}
        return await self.tell(kind, invoice)

    async def tell(self, kind, subject, *, secret=None):
        event = {"id": f"evt_{time.time_ns()}", "object": "event", "type": kind, "data": {"object": subject, "previous_attributes": {}}}
        body = json.dumps(event).encode()
        delivery = Delivery(
            id="dlv_1",
            event_id=event["id"],
            event_type=kind,
            livemode=False,
            url=self.hook,
            body=body,
            attempt=1,
            at=datetime.now(UTC),
            secrets=(secret or self.secret,),
        )
        async with self.session.post(self.hook, data=body, headers=headers(delivery)) as answer:
            return answer.status


@pytest.fixture
async def stub(session):
    gateway = StubGateway(session)
    async with serve(gateway.app()) as url:
        gateway.url = url
        yield gateway
