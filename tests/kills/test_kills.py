"""Money and events flow while processes are killed at random, and held up for longer than what they hold is theirs.

``PEPAY_TEST_KILL_SECONDS`` says for how long, ``PEPAY_TEST_KILL_SEED`` which of many courses of events it is.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import pytest
from blackbox import XPUB, Market, Shop, make_gateway, until
from fleet import Client, Fleet, Follower, environment, errors_in, say

from pepay_core.clock import SystemClock
from pepay_core.domain.ids import InvoiceId, MerchantId
from pepay_core.domain.invoices import assess
from pepay_core.services.paging import Page
from pepay_core.storage.opening import open_store
from pepay_core.testing import erc20
from pepay_core.testing.anvil import Anvil

SECONDS = float(os.environ.get("PEPAY_TEST_KILL_SECONDS", "60"))
SEED = int(os.environ.get("PEPAY_TEST_KILL_SEED", str(int(time.time()))))
BUYERS = 4
NEVER, EVER = datetime.min.replace(tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.slow


class MoodyShop(Shop):
    """A receiver that refuses some deliveries."""

    def __init__(self, refusing: float) -> None:
        self._chance = random.Random(SEED)
        self._refusing = refusing
        super().__init__()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        accepted = self._chance.random() >= self._refusing
        if accepted:
            super().answer(method, path, headers, body)
        return (200 if accepted else 500), b"{}"


@dataclass
class Order:
    """What a buyer did: an invoice by its key, and what was sent to it."""

    key: str
    invoice: dict[str, Any]
    sent: list[tuple[str, int]] = field(default_factory=list)

    @property
    def expected(self) -> str:
        units = sum(each for _, each in self.sent)
        due = int(self.invoice["payment_options"][0]["quote"]["amount_base_units"])
        return "unpaid" if not units else "paid" if units == due else "underpaid" if units < due else "overpaid"


class Buyers:
    """Threads that order and pay until they are told to stop."""

    def __init__(self, client: Client, node: Anvil, usdc: str) -> None:
        self._client = client
        self._node = node
        self._usdc = usdc
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.orders: list[Order] = []
        self.failures: list[BaseException] = []
        self._threads = [threading.Thread(target=self._buy, args=(number,)) for number in range(BUYERS)]

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join(240)

    def _buy(self, number: int) -> None:
        chance = random.Random(f"{SEED} {number}")
        turn = 0
        try:
            while not self._stop.is_set():
                turn += 1
                self._order(f"order-{number}-{turn}", chance)
        except BaseException as exc:
            self.failures.append(exc)
            raise

    def _order(self, key: str, chance: random.Random) -> None:
        asset = f"eip155:31337/erc20:{self._usdc.lower()}"
        body = {"amount_usd": "10.00", "pay_with": asset, "tokens": [asset], "metadata": {"key": key}}
        invoice = self._client.call("POST", "/api/v1/invoices", body, key=key)
        if chance.random() < 0.3:
            again = self._client.call("POST", "/api/v1/invoices", body, key=key)
            assert again == invoice, "the same key was answered differently"
        order = Order(key, invoice)
        option = invoice["payment_options"][0]
        due = int(option["quote"]["amount_base_units"])
        for units in chance.choice([[due], [due], [due // 2, due - due // 2], [due // 3], [due * 2], []]):
            with self._lock:
                order.sent.append((self._node.send(self._usdc, data=erc20.transfer(option["destination"], units)), units))
            self._client.call("GET", f"/api/v1/invoices/{invoice['id']}/status")
        self.orders.append(order)
        time.sleep(chance.uniform(0.1, 0.5))


@pytest.fixture
def node():
    with Anvil(block_time=1) as node:
        yield node


@pytest.fixture
def market():
    market = Market()
    yield market
    market.close()


@pytest.fixture(params=["postgres: 2 api, 2 workers", "sqlite: 1 process"])
def roles(request):
    return ("api", "api", "worker", "worker") if request.param.startswith("postgres") else ("all",)


@pytest.fixture
def database(roles, request):
    if len(roles) == 1:
        yield None
        return
    server = request.getfixturevalue("postgres")
    name = server.create()
    yield server.url(name)
    server.drop(name)


def test_nothing_is_lost_and_nothing_happens_twice_while_processes_are_killed(tmp_path, node, market, roles, database):
    say(f"\nseed {SEED}, {SECONDS:g} s, {'/'.join(roles)}")
    chance = random.Random(SEED)
    usdc = node.deploy(erc20.coin("USDC", 6, 10**15))
    node.mine()
    gateway = make_gateway(tmp_path, market, node.url, [("USDC", usdc, 6, "usd-coin")], database)
    text = (tmp_path / "pepay.toml").read_text().replace("[server]\nport = 0", '[server]\nbase_url = "http://pepay.test"')
    (tmp_path / "pepay.toml").write_text(text + "\n[limits]\nwrites_per_minute = 100000\nreads_per_minute = 1000000\n")
    shops = [MoodyShop(0.0), MoodyShop(0.15)]
    fleet = Fleet.of(roles, tmp_path, environment())
    try:
        fleet.start()
        client = Client(fleet, "pepay.test", gateway.made["keys"]["test"])
        client.call("POST", "/api/v1/wallets", {"chain_family": "eip155", "kind": "xpub", "value": XPUB}, key="wallet")
        hooks = [client.call("POST", "/api/v1/webhooks", {"url": f"{each.url}/hook", "enabled_events": ["*"]}, key=each.url) for each in shops]
        until(lambda: any(each["available"] for each in client.call("GET", "/api/v1/tokens?limit=100")["data"]), "an asset to be available")
        first = client.call("POST", f"/api/v1/webhooks/{hooks[0]['id']}/test", key="first")
        follower = Follower(fleet, "pepay.test", gateway.made["keys"]["test"], first["id"])
        follower.start()

        with Buyers(client, node, usdc) as buyers:
            fleet.harass(SECONDS, chance, lambda what: say(f"{what};", end=" "))
        assert not buyers.failures, buyers.failures
        assert buyers.orders
        quiet(client, buyers.orders, hooks)
        until(lambda: follower.last == list(client.pages("/api/v1/events"))[-1]["id"], "the stream to come to its end", 60)
        follower.stop()

        say(f"\n{len(buyers.orders)} orders, {dict(fleet.done)}, answers {dict(client.answers)}, {follower.connections} streams")
        check_orders(client, buyers.orders)
        check_events(client, buyers.orders, shops, follower, first["id"])
        asyncio.run(check_books(gateway.made, database or f"sqlite:///{tmp_path / 'pepay.db'}", buyers.orders))
        assert all(fleet.done[f"kill {role}"] for role in roles)
        assert client.faults == []
        assert follower.refused == []
        assert all(code == 0 for _, code in fleet.exits), fleet.exits
    finally:
        with suppress(AssertionError):
            fleet.stop()
        for each in shops:
            each.close()
    for each in fleet.members:
        assert errors_in(each.text) == [], each.text[-6000:]


def quiet(client: Client, orders: list[Order], hooks: list[dict[str, Any]]) -> None:
    """Wait until all that was sent is final, and all that happened is told."""

    def final() -> bool:
        return all(client.call("GET", f"/api/v1/invoices/{each.invoice['id']}/status")["status"] == each.expected for each in orders)

    until(final, "every order to have the status that its payments give it", 120)
    for hook in hooks:
        # What was refused waits for its next try: it is made due now, as a merchant may.
        def told(hook: dict[str, Any] = hook) -> bool:
            pending = [each for each in client.pages(f"/api/v1/webhooks/{hook['id']}/deliveries") if each["state"] != "delivered"]
            for each in pending:
                client.call("POST", f"/api/v1/webhooks/deliveries/{each['id']}/redeliver")
            return not pending

        until(told, "every event to be delivered", 120)


def check_orders(client: Client, orders: list[Order]) -> None:
    """Each key has one invoice, each transfer one payment, and nothing else was credited."""
    invoices = list(client.pages("/api/v1/invoices"))
    assert Counter(each["metadata"]["key"] for each in invoices) == Counter(each.key for each in orders)
    assert {each["id"] for each in invoices} == {each.invoice["id"] for each in orders}
    addresses = [each["payment_options"][0]["destination"] for each in (order.invoice for order in orders)]
    assert len(set(addresses)) == len(addresses)
    shown = {each["id"]: each for each in invoices}
    for order in orders:
        credited = [(each["transaction"], int(each["amount_base_units"]), each["status"]) for each in shown[order.invoice["id"]]["payments"]]
        assert sorted(credited) == sorted((hash_, units, "confirmed") for hash_, units in order.sent), order
        assert shown[order.invoice["id"]]["status"] == order.expected
    payments = list(client.pages("/api/v1/payments"))
    assert len(payments) == sum(len(each.sent) for each in orders)


def check_events(client: Client, orders: list[Order], shops: list[MoodyShop], follower: Follower, first: str) -> None:
    """The feed, the stream and the webhooks tell the same, all of it; in whichever order it is applied, it ends in the same state."""
    feed = {each["id"]: each for each in client.pages("/api/v1/events")}
    after = list(feed)[list(feed).index(first) + 1 :]
    assert follower.order == after, "the stream missed, or repeated, or disordered events"
    assert follower.repeated == []
    versions: dict[str, list[int]] = defaultdict(list)
    for each in feed.values():
        obj = each["data"]["object"]
        if obj["object"] == "invoice":
            versions[obj["id"]].append(obj["version"])
    for order in orders:
        seen = versions[order.invoice["id"]]
        assert len(set(seen)) == len(seen), f"two events of one version: {order.key} {seen}"
    truth = {each["id"]: (each["version"], each["status"], each["fulfil"]) for each in client.pages("/api/v1/invoices")}
    for shop in shops:
        received = {each["id"]: each for each in shop.events}
        missing = set(after) - set(received)
        assert not missing, [feed[each]["type"] for each in missing]
        for each in received.values():
            assert each == feed[each["id"]]
        deliveries = [each for each in shop.events if each["data"]["object"]["object"] == "invoice"]
        for attempt in range(3):
            random.Random(f"{SEED} {attempt}").shuffle(deliveries)
            state: dict[str, tuple[int, str, bool]] = {}
            for each in (event["data"]["object"] for event in deliveries):
                if each["version"] >= state.get(each["id"], (0,))[0]:
                    state[each["id"]] = (each["version"], each["status"], each["fulfil"])
            assert {key: value[1:] for key, value in state.items()} == {key: value[1:] for key, value in truth.items()}


async def check_books(made: dict[str, Any], url: str, orders: list[Order]) -> None:
    """The ledger balances, holds what was sent, and every status follows from what is stored."""
    async with open_store(url, SystemClock()) as store, store.read() as tx:
        assert await tx.ledger.imbalances() == []
        ids = [InvoiceId(each.invoice["id"]) for each in orders]
        payments, quotes = await tx.payments.of(ids), await tx.quotes.of(ids)
        for order in orders:
            invoice = await tx.invoices.find(InvoiceId(order.invoice["id"]))
            assert invoice is not None
            own = {each.id: each for each in quotes if each.invoice == invoice.id}
            again = assess(
                invoice.terms, [each for each in payments if each.invoice == invoice.id], own, invoice.decisions, EVER if invoice.closed_at else NEVER
            )
            for name in ("status", "timing", "resolution", "amount_paid", "amount_remaining", "amount_overpaid"):
                assert getattr(again, name) == getattr(invoice.assessment, name), (order, name)
            entries = await tx.ledger.of(invoice.id)
            assert bool(entries) is bool(order.sent)
        listed = await tx.endpoints.page(MerchantId(made["merchant"]), livemode=False, page=Page(limit=100))
        assert len(listed.items) == 2
