"""Hints: in one process on both engines, and between processes, here two stores, on PostgreSQL."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, asynccontextmanager, contextmanager

import asyncpg
import pytest

from pepay_core.clock import SystemClock
from pepay_core.services.waking import DELIVERIES, events_of, invoice_changed, watching
from pepay_core.storage.listening import PgWakes
from pepay_core.storage.opening import open_store

SECONDS = 20


class Told:
    """Who waits for hints."""

    def __init__(self) -> None:
        self.times = 0
        self._changed = asyncio.Event()

    def __call__(self) -> None:
        self.times += 1
        self._changed.set()

    async def within(self, times: int = 1) -> None:
        async with asyncio.timeout(SECONDS):
            while self.times < times:
                self._changed.clear()
                await self._changed.wait()


@contextmanager
def waiting(wakes, *topics):
    told = Told()
    with wakes.on(told, *topics):
        yield told


@asynccontextmanager
async def linked(url):
    """Two processes that hear each other."""
    async with open_store(url, SystemClock()) as one, open_store(url, SystemClock()) as other:
        with waiting(one.wakes, "ping") as here, waiting(other.wakes, "ping") as there:
            # The first hint of all is the one that says that a connection stands; then each tells the other.
            await asyncio.gather(here.within(), there.within())
            for wakes, told in ((one.wakes, there), (other.wakes, here)):
                before = told.times
                wakes.tell({"ping"})
                await told.within(before + 1)
        yield one, other


@pytest.fixture
async def settled(store):
    """A store whose connection for hints stands, where there is one: everybody is told of that once."""
    with waiting(store.wakes, "settled") as told:
        if isinstance(store.wakes, PgWakes):
            await told.within()
        yield store


async def commit(store, *topics, fail=False):
    async with store.begin() as tx:
        for topic in topics:
            tx.wake(topic)
        if fail:
            raise ZeroDivisionError


async def test_a_hint_comes_with_the_commit_and_not_before(settled):
    with waiting(settled.wakes, "a") as told:
        async with settled.begin() as tx:
            tx.wake("a")
            before = told.times
        assert told.times == before + 1


async def test_what_is_rolled_back_is_no_hint(settled):
    with waiting(settled.wakes, "a") as told:
        before = told.times
        with pytest.raises(ZeroDivisionError):
            await commit(settled, "a", fail=True)
        assert told.times == before


async def test_a_hint_is_for_those_who_wait_for_its_topic(settled):
    with waiting(settled.wakes, "a", "b") as both, waiting(settled.wakes, "c") as other:
        counts = both.times, other.times
        await commit(settled, "b", "b")
        assert (both.times, other.times) == (counts[0] + 1, counts[1])
    await commit(settled, "a")
    assert both.times == counts[0] + 1


async def test_a_call_that_breaks_keeps_no_other_from_its_hint(settled, caplog):
    with settled.wakes.on(lambda: 1 / 0, "a"), waiting(settled.wakes, "a") as told:
        before = told.times
        await commit(settled, "a")
        assert told.times == before + 1
    assert "a call at a hint about a failed" in caplog.text


async def test_events_deliveries_and_versions_of_invoices_are_told_by_who_writes_them(settled, samples):
    merchant = samples.merchant()
    invoice, event, endpoint = samples.invoice(merchant), samples.event(merchant), samples.endpoint(merchant)
    async with settled.begin() as tx:
        await tx.merchants.add(merchant)
        await tx.invoices.add(invoice)
        await tx.endpoints.add(endpoint)
    topics = events_of(merchant.id), DELIVERIES, invoice_changed(invoice.id)
    told = {topic: Told() for topic in topics}
    with ExitStack() as stack:
        for topic, each in told.items():
            stack.enter_context(settled.wakes.on(each, topic))
        async with settled.begin() as tx:
            await tx.events.add(event)
            await tx.deliveries.add([samples.delivery(event, endpoint)])
            await tx.invoices.save(samples.closed(invoice, samples.now))
    assert [told[topic].times for topic in topics] == [1, 1, 1]


@pytest.mark.parametrize("engine", ["postgres"])
class TestBetweenProcesses:
    async def test_a_commit_is_told_to_the_other_process(self, database_url):
        async with linked(database_url) as (one, other):
            with waiting(other.wakes, "a") as told, waiting(other.wakes, "b") as not_told:
                await commit(one, "a")
                await told.within(1)
                assert not not_told.times

    async def test_whoever_tells_hears_itself_once(self, database_url):
        async with linked(database_url) as (one, other):
            with waiting(one.wakes, "a") as here, waiting(other.wakes, "a", "end") as there:
                await commit(one, "a")
                await there.within(1)
                await commit(other, "a")
                await here.within(2)
                assert here.times == 2

    async def test_many_hints_at_once_become_one_for_everybody(self, database_url):
        async with linked(database_url) as (one, other):
            with waiting(other.wakes, "nobody's") as told:
                one.wakes.tell({f"topic:{number}" for number in range(1000)})
                await told.within(1)

    async def test_after_a_lost_connection_everybody_looks_and_hints_come_again(self, database_url):
        async with linked(database_url) as (one, other):
            with waiting(other.wakes, "a") as told:
                assert other.wakes.patience > 1
                await cut_listeners(database_url)
                # Both come back by themselves: the first hint says so, and whatever is told then arrives.
                await told.within(1)
                async with asyncio.timeout(SECONDS):
                    while told.times < 3:
                        await commit(one, "a")
                        await asyncio.sleep(0.05)

    async def test_a_process_that_ends_sends_what_it_has_told(self, database_url):
        async with linked(database_url) as (_, other):
            with waiting(other.wakes, "farewell") as told:
                async with open_store(database_url, SystemClock()) as short:
                    await commit(short, "farewell")
                await told.within(1)


async def test_while_the_server_cannot_be_reached_patience_is_short():
    wakes = PgWakes("postgres://nobody@127.0.0.1:1/nowhere")
    with waiting(wakes, "a") as told:
        wakes.tell({"a"})
        assert told.times == 1
        assert wakes.patience == 1
    await wakes.close()


async def cut_listeners(url):
    """End the connections by which hints come, as a restart of the server does."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE '%pg_notify%' "
            "AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()


class TestWatching:
    async def test_a_hint_between_looking_and_resting_is_not_lost(self, settled):
        with watching(settled.wakes, "a") as watch:
            await commit(settled, "a")
            async with asyncio.timeout(0.5):
                await watch.rest()

    async def test_after_a_hint_that_found_nothing_it_is_looked_again_soon(self, settled):
        with watching(settled.wakes, "a") as watch:
            await commit(settled, "a")
            await watch.rest()
            assert watch._pause < 0.1
            for _ in range(4):
                before = watch._pause
                await watch.rest()
                assert watch._pause == before * 2

    async def test_who_waits_is_sent_away_when_the_process_ends(self, settled):
        with watching(settled.wakes, "a") as watch:
            resting = asyncio.create_task(watch.rest())
            await asyncio.sleep(0)
            assert not settled.wakes.left
            settled.wakes.leave()
            async with asyncio.timeout(0.5):
                await resting
            assert settled.wakes.left
