"""Three endpoints that fail, lag, fork and lie: nothing wrong is ever credited, and everything that was paid arrives."""

from __future__ import annotations

import os
import random
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from engines import CHAIN, ETH, Engine, configured, opened
from faults import LIES, FaultProxy, Mode

from pepay_core.services.paging import Page
from pepay_core.testing import erc20
from pepay_core.testing.anvil import Anvil

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SEEDS = int(os.environ.get("PEPAY_TEST_FAULT_SEEDS", "3"))
STEPS = 18
OUTAGES = (Mode.LAG, Mode.LIMITED, Mode.HANG, Mode.DOWN)
DISHONEST = (*LIES, Mode.TRUNCATE, Mode.FORK)


class Bench:
    """An engine on three endpoints, and what was really paid."""

    def __init__(self, engine: Engine, proxies: list[FaultProxy]) -> None:
        self.engine = engine
        self.proxies = proxies
        self.invoices: list[dict[str, Any]] = []
        self.paid: dict[tuple[str, str], int] = {}

    async def open_invoices(self, count: int = 2) -> None:
        for asset in (ETH, self.engine.usdc_asset):
            for _ in range(count):
                self.invoices.append(await self.engine.invoice(amount_usd="40", pay_with=asset))
        for proxy in self.proxies:
            proxy.victims = [self.address(each) for each in self.invoices]
            proxy.token = self.engine.usdc

    def symbol(self, invoice: dict[str, Any]) -> str:
        return next(each["symbol"] for each in invoice["payment_options"] if each["quote"] is not None)

    def address(self, invoice: dict[str, Any]) -> str:
        return self.engine.option(invoice, self.symbol(invoice))["destination"]

    def send(self, invoice: dict[str, Any], units: int) -> None:
        to, node = self.address(invoice), self.engine.node
        hash_ = node.send(to, units) if self.symbol(invoice) == "ETH" else node.send(self.engine.usdc, data=erc20.transfer(to, units))
        self.paid[hash_, self.address(invoice)] = units

    async def payments(self) -> list[dict[str, Any]]:
        found = [await self.engine.get(each) for each in self.invoices]
        return [payment for each in found for payment in each["payments"]]

    async def check_nothing_wrong_is_final(self) -> None:
        for payment in await self.payments():
            if payment["status"] == "confirmed":
                truth = self.paid.get((payment["transaction"], payment["to"]))
                assert truth == int(payment["amount_base_units"]), payment

    async def difference(self) -> dict[tuple[str, str], Any]:
        """Return what is not as it must be in the end: everything that was paid is final, and nothing else is pending."""
        payments = [each for each in await self.payments() if each["status"] != "reverted"]
        found = {(each["transaction"], each["to"]): (int(each["amount_base_units"]), each["status"]) for each in payments}
        wanted = {key: (units, "confirmed") for key, units in self.paid.items()}
        return {key: (wanted.get(key), found.get(key)) for key in {*found, *wanted} if wanted.get(key) != found.get(key)}

    async def arrived(self) -> bool:
        """Tell whether everything is as it must be in the end."""
        return not await self.difference()

    async def pass_time(self, seconds: float) -> None:
        await self.engine.clock.advance(seconds)
        self.engine.mine()
        await self.engine.look()
        await self.check_nothing_wrong_is_final()

    async def until_status(self, invoice: dict[str, Any], status: str) -> None:
        """Let time pass until an invoice has a status, which it must have within twenty minutes."""
        for _ in range(40):
            if (await self.engine.get(invoice))["status"] == status:
                break
            await self.pass_time(30)
        assert (await self.engine.get(invoice))["status"] == status

    def pay(self, invoice: dict[str, Any]) -> None:
        """Pay an invoice of its own, in dollars and in full, and mine."""
        hash_ = self.engine.pay(invoice, "USDC")
        option = self.engine.option(invoice, "USDC")
        self.paid[hash_, option["destination"]] = int(option["quote"]["amount_base_units"])

    async def events(self, kind: str) -> list[dict[str, Any]]:
        page = await self.engine.runtime.feed.page(self.engine.caller, Page(limit=100), (kind,))
        return [each["data"]["object"] for each in page.items]


@pytest.fixture
def timeout(request):
    """Return how long an endpoint may take: where some hang, no longer than a test can wait."""
    return 1.0 if {"seed", "hasty"} & set(request.fixturenames) else 10.0


@pytest.fixture
def hasty():
    """Let endpoints be given up after a second."""


@pytest.fixture
async def bench(tmp_path, database_url, market, anvil, clock, timeout) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(FaultProxy(anvil.url, seed=place)) for place in range(3)]
        settings = configured(tmp_path, database_url, market, anvil, rpc=[each.url for each in proxies], network=f"timeout = {timeout}")
        engine = await stack.enter_async_context(opened(settings, anvil, clock))
        made = Bench(engine, proxies)
        await made.open_invoices()
        yield made


@pytest.fixture
def fork():
    """Return another chain of the same id."""
    with Anvil() as node:
        node.send(node.accounts[1], 1)  # empty blocks of nodes that were started in the same second are the same blocks
        node.mine(40)
        yield node


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_nothing_wrong_is_credited_and_everything_arrives(bench, fork, seed):
    chance = random.Random(f"faults {seed}")
    liar = bench.proxies[chance.randrange(3)]
    honest = [each for each in bench.proxies if each is not liar]
    liar.fork = fork.url
    for _ in range(STEPS):
        liar.mode = chance.choice([*DISHONEST, *DISHONEST, *OUTAGES, Mode.HONEST])
        out = chance.choice([None, *honest])
        for each in honest:
            each.mode = chance.choice(OUTAGES) if each is out else Mode.HONEST
            each.depth = chance.randint(1, 6)
            each.retry_after = chance.randint(0, 20)
        for invoice in chance.choices(bench.invoices, k=chance.randint(0, 3)):
            bench.send(invoice, chance.randint(1, 9_000_000))
        await bench.pass_time(chance.choice([1, 3, 12, 40]))

    alone = chance.random() < 0.5
    for each in bench.proxies:
        each.mode = Mode.DOWN if alone and each is not honest[0] else Mode.HONEST
    for _ in range(60):
        if await bench.arrived():
            break
        await bench.pass_time(10)
    assert await bench.difference() == {}
    for each in bench.invoices:
        assert (await bench.engine.balances(each)).get("wallet", 0) == sum(
            units for (_, to), units in bench.paid.items() if to == bench.address(each)
        )


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_is_found_out_and_ends_in_quarantine_or_in_nothing(bench, lie):
    liar = bench.proxies[0]
    liar.mode = lie
    for _ in range(4):
        bench.send(bench.invoices[0], 5_000)
        bench.send(bench.invoices[2], 7_000)
        await bench.pass_time(6)
    for _ in range(10):
        await bench.pass_time(6)

    assert await bench.difference() == {}
    active = [each for each in await bench.payments() if each["status"] != "reverted"]
    assert len(active) == 8


# --- telling -----------------------------------------------------------------------------


async def test_lost_redundancy_is_shown_and_announced_while_buyers_can_still_pay(bench):
    bench.proxies[1].mode = Mode.DOWN
    for _ in range(4):
        await bench.pass_time(15)

    (chain,) = await bench.engine.runtime.offering.chains(bench.engine.caller)
    shown = {each["endpoint"]: each["state"] for each in chain["endpoints"]}
    assert chain["state"] == "impaired"
    assert "1 of 3 endpoints cannot be used" in chain["reason"]
    assert shown == {bench.proxies[0].url: "serving", bench.proxies[1].url: "resting", bench.proxies[2].url: "standby"}
    assert (await bench.engine.invoice(pay_with=ETH))["payment_options"][0]["available"]
    told = await bench.events("chain.degraded")
    assert [(each["state"], each["endpoints"][1]["state"]) for each in told] == [("impaired", "resting")]
    assert await bench.events("chain.recovered") == []

    bench.proxies[1].mode = Mode.HONEST
    for _ in range(8):
        await bench.pass_time(15)
    assert [each["state"] for each in await bench.events("chain.recovered")] == ["healthy"]
    assert len(await bench.events("chain.degraded")) == 1


async def test_a_fork_is_announced_at_once_with_its_reason(bench, fork):
    bench.proxies[0].fork = fork.url
    bench.proxies[0].mode = Mode.FORK
    await bench.pass_time(15)
    await bench.pass_time(1)

    (told,) = await bench.events("chain.degraded")
    assert (told["state"], told["endpoints"][0]["state"]) == ("impaired", "quarantined")
    assert "on a fork" in told["reason"] or "ahead" in told["reason"]
    async with bench.engine.runtime.store.read() as tx:
        stored = await tx.chains.state("eip155:31337")
    assert next(str(each.state) for each in stored.sources) == "quarantined"


async def test_endpoints_that_contradict_each_other_stop_the_chain_until_they_agree(bench, fork):
    bench.proxies[1].mode = Mode.DOWN
    for _ in range(12):
        await bench.pass_time(15)
    bench.send(bench.invoices[0], 5_000)
    bench.proxies[0].fork = fork.url
    bench.proxies[0].mode = Mode.FORK
    bench.engine.mine(40)
    for _ in range(4):
        await bench.pass_time(6)

    assert [each["status"] for each in await bench.payments() if each["status"] == "confirmed"] == []
    (chain,) = await bench.engine.runtime.offering.chains(bench.engine.caller)
    assert chain["state"] == "degraded"
    assert "contradict each other" in chain["reason"]
    assert (await bench.events("chain.degraded"))[-1]["state"] == "degraded"

    bench.proxies[0].mode = bench.proxies[1].mode = Mode.HONEST
    for _ in range(12):
        await bench.pass_time(15)
    assert await bench.arrived()
    assert (await bench.events("chain.recovered"))[-1]["state"] == "healthy"


# --- alone -------------------------------------------------------------------------------


@pytest.mark.usefixtures("hasty")
async def test_small_amounts_arrive_through_the_one_endpoint_that_is_left_and_large_ones_wait(bench):
    large = await bench.engine.invoice(amount_usd="2000", pay_with=bench.engine.usdc_asset)
    for proxy in bench.proxies[1:]:
        proxy.mode = Mode.HANG
    bench.send(bench.invoices[2], 40_000_000)
    bench.pay(large)
    await bench.engine.look()
    for _ in range(2):
        await bench.pass_time(10)
    assert (await bench.engine.get(bench.invoices[2]))["status"] == "processing"

    await bench.until_status(bench.invoices[2], "paid")
    assert (await bench.engine.get(large))["status"] == "processing"

    bench.proxies[1].mode = Mode.HONEST
    await bench.until_status(large, "paid")


# --- looking twice -----------------------------------------------------------------------


async def test_an_invoice_expires_only_by_time_that_two_endpoints_have_looked_at(bench):
    invoice = await bench.engine.invoice(pay_with=ETH, expires_in=900)
    for _ in range(29):
        await bench.pass_time(30)
    for proxy in bench.proxies[1:]:
        proxy.mode = Mode.LIMITED
        proxy.retry_after = 60
    await bench.pass_time(60)
    await bench.engine.close_due()
    assert (await bench.engine.get(invoice))["status"] == "unpaid"

    for proxy in bench.proxies[1:]:
        proxy.mode = Mode.HONEST
    for _ in range(4):
        await bench.pass_time(30)
    await bench.engine.close_due()
    assert (await bench.engine.get(invoice))["status"] == "expired"


async def test_who_watches_again_goes_on_from_what_another_watcher_left(tmp_path, database_url, market, anvil, clock):
    async with AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(FaultProxy(anvil.url, seed=place)) for place in range(2)]
        settings = configured(tmp_path, database_url, market, anvil, rpc=[each.url for each in proxies])
        first = await stack.enter_async_context(opened(settings, anvil, clock))
        first.mine(4)
        await first.look()
        await clock.advance(60)
        other = await stack.enter_async_context(opened(settings, anvil, clock, first.caller))
        anvil.reorg(3)
        for _ in range(4):
            other.mine(2)
            await other.look()

        await clock.advance(60)
        for _ in range(4):
            first.mine()
            await first.look()

        async with first.runtime.store.read() as tx:
            newest = await tx.chains.newest_checkpoint(CHAIN)
            covered = await tx.chains.coverage(CHAIN)
        assert newest.height == anvil.height
        assert max(each.until for each in covered) >= newest.time
