"""A unit of work commits as a whole or leaves nothing behind, whatever happens to the task that it runs in."""

# ruff: noqa: PT012 - what fails here is the block as a whole

from __future__ import annotations

import asyncio
import logging
import random
import threading

import pytest

from pepay_core.clock import SystemClock
from pepay_core.domain.errors import Conflict, StorageUnavailable
from pepay_core.storage import postgres, sqlite
from pepay_core.storage.opening import DatabaseStore, open_database, open_store
from pepay_core.storage.sessions import Statistics, TryAgain, unit_of_work


async def names(store):
    async with store.read() as tx:
        return [each.name for each in await tx.merchants.all()]


def idle_is_complete(store):
    idle, size = store.database.idle
    return idle == size


async def test_what_commits_is_seen_by_the_next_reader(store, samples):
    async with store.begin() as tx:
        await tx.merchants.add(samples.merchant(name="a"))
    assert await names(store) == ["a"]


async def test_an_exception_leaves_nothing_behind(store, samples):
    with pytest.raises(KeyError):
        async with store.begin() as tx:
            await tx.merchants.add(samples.merchant())
            raise KeyError
    assert await names(store) == []
    assert idle_is_complete(store)


async def test_a_reader_sees_one_state_throughout(store, samples):
    async def write():
        async with store.begin() as tx:
            await tx.merchants.add(samples.merchant(name="late"))

    started, written = asyncio.Event(), asyncio.Event()

    async def write_when_told():
        await started.wait()
        await write()
        written.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(write_when_told())
        async with store.read() as tx:
            assert await tx.merchants.all() == []
            started.set()
            await written.wait()
            assert await tx.merchants.all() == []
    assert await names(store) == ["late"]


async def test_a_reader_cannot_write(store, samples):
    with pytest.raises(StorageUnavailable):
        async with store.read() as tx:
            await tx.merchants.add(samples.merchant())
    assert await names(store) == []


async def test_a_swallowed_error_does_not_let_the_rest_commit(store, samples):
    first = samples.merchant()
    with pytest.raises(RuntimeError, match="rolled back"):
        async with store.begin() as tx:
            await tx.merchants.add(first)
            with pytest.raises(Conflict):
                await tx.merchants.add(first)
    assert await names(store) == []


async def test_nothing_more_is_done_after_a_failed_statement(store, samples):
    first = samples.merchant()
    with pytest.raises(RuntimeError, match="has failed"):
        async with store.begin() as tx:
            await tx.merchants.add(first)
            with pytest.raises(Conflict):
                await tx.merchants.add(first)
            await tx.merchants.all()


async def test_units_of_work_do_not_nest(store):
    async with store.begin():
        with pytest.raises(RuntimeError, match="open already"):
            async with store.begin():
                pass
        with pytest.raises(RuntimeError, match="open already"):
            async with store.read():
                pass
    async with store.read():
        with pytest.raises(RuntimeError, match="open already"):
            async with store.begin():
                pass
    assert idle_is_complete(store)


async def test_a_child_task_may_not_use_its_parents_unit_of_work(store):
    async with store.begin() as tx:

        async def child():
            await tx.merchants.all()

        async def grandchild():
            async with store.read():
                pass

        for work in (child, grandchild):
            with pytest.raises(RuntimeError, match="belongs to the task"):
                await asyncio.create_task(work())


async def test_a_task_that_outlives_a_unit_of_work_can_open_its_own(store):
    over = asyncio.Event()

    async def survivor():
        await over.wait()
        async with store.read() as tx:
            return await tx.merchants.all()

    async with store.begin():
        task = asyncio.create_task(survivor())
    over.set()
    assert await task == []


async def test_a_unit_of_work_that_has_ended_is_refused(store):
    async with store.begin() as tx:
        pass
    with pytest.raises(RuntimeError, match="has ended"):
        await tx.merchants.all()
    with pytest.raises(RuntimeError, match="has ended"):
        tx.after_commit(lambda: None)


async def test_calls_after_a_commit_are_made_after_it_and_only_then(store, samples, caplog):
    told = []
    async with store.begin() as tx:
        tx.after_commit(lambda: told.append("one"))
        tx.after_commit(lambda: 1 / 0)
        tx.after_commit(lambda: told.append("two"))
        assert told == []
    assert told == ["one", "two"]
    assert "a call after a commit failed" in caplog.text
    with pytest.raises(KeyError):
        async with store.begin() as tx:
            tx.after_commit(lambda: told.append("never"))
            raise KeyError
    assert told == ["one", "two"]


async def test_a_call_after_a_commit_may_start_a_task_that_reads(store, samples):
    started = []

    async def read():
        return await names(store)

    async with store.begin() as tx:
        await tx.merchants.add(samples.merchant(name="a"))
        tx.after_commit(lambda: started.append(asyncio.create_task(read())))
    assert await started[0] == ["a"]


async def test_cancellation_at_any_step_leaks_nothing(store, samples):
    """A cancelled transaction is whole or absent, and its connection is back."""
    dice = random.Random(7)

    async def write(number):
        async with store.begin() as tx:
            for part in "ab":
                await tx.merchants.add(samples.merchant(name=f"{number}{part}"))
            await tx.merchants.all()

    for number in range(150):
        task = asyncio.create_task(write(number))
        for _ in range(dice.randrange(60)):
            await asyncio.sleep(0)
        if dice.random() < 0.5:
            await asyncio.sleep(dice.random() * 0.01)
        task.cancel()
        # Whoever is impatient cancels again, while the first cancellation is still rolling back.
        for _ in range(dice.randrange(4)):
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or task.exception() is None
    assert idle_is_complete(store)
    stored = set(await names(store))
    assert {name for name in stored if name.endswith("a")} == {f"{name[:-1]}a" for name in stored if name.endswith("b")}
    assert len(stored) % 2 == 0
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        for number in range(1000, 1030):
            group.create_task(write(number))
    assert idle_is_complete(store)


async def test_cancelled_readers_give_their_connection_back(store):
    for steps in range(60):
        task = asyncio.create_task(names(store))
        for _ in range(steps // 2):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    assert idle_is_complete(store)
    assert await names(store) == []


async def test_many_writers_at_once_all_commit(store, samples):
    made = [samples.merchant(name=str(number)) for number in range(64)]

    async def write(merchant):
        async with store.begin() as tx:
            await tx.merchants.add(merchant)

    async with asyncio.TaskGroup() as group:
        for merchant in made:
            group.create_task(write(merchant))
    assert sorted(await names(store)) == sorted(str(number) for number in range(64))


async def test_work_is_run_again_when_the_database_asks_for_it(store, samples):
    tries = []

    async def work(tx):
        tries.append(1)
        await tx.merchants.add(samples.merchant(name=str(len(tries))))
        if len(tries) < 3:
            raise TryAgain("as a deadlock would")
        return "done"

    assert await store.run(work) == "done"
    assert await names(store) == ["3"]
    assert store.statistics.retries == 2


async def test_work_is_not_run_again_for_ever(store):
    tries = []

    async def work(tx):
        tries.append(1)
        raise TryAgain("always")

    with pytest.raises(StorageUnavailable):
        await store.run(work)
    assert 2 <= len(tries) <= 10


async def test_work_that_refuses_is_run_once(store):
    tries = []

    async def work(tx):
        tries.append(1)
        raise Conflict("no")

    with pytest.raises(Conflict):
        await store.run(work)
    assert len(tries) == 1


async def test_a_task_that_gets_no_connection_is_told_so(engine, database_url, monkeypatch):
    monkeypatch.setattr(postgres if engine == "postgres" else sqlite, "_QUEUE_SECONDS", 0.05)
    async with open_database(database_url, connections=1) as database:
        store = DatabaseStore(database, SystemClock())
        taken, over = asyncio.Event(), asyncio.Event()

        async def occupy():
            async with store.begin():
                taken.set()
                await over.wait()

        async with asyncio.TaskGroup() as group:
            group.create_task(occupy())
            await taken.wait()
            with pytest.raises(StorageUnavailable, match="busy"):
                async with store.begin():
                    pass
            over.set()
        assert idle_is_complete(store)


async def test_the_statements_of_a_unit_of_work_are_counted(store, samples):
    before = store.statistics.statements
    async with store.begin() as tx:
        await tx.merchants.add(samples.merchant())
        await tx.merchants.all()
    assert store.statistics.statements - before == 2


async def test_a_healthy_database_says_so(store):
    assert await store.health() is None
    assert idle_is_complete(store)


async def test_a_closed_store_leaves_no_thread_behind(engine, database_url):
    before = threading.active_count()
    async with open_store(database_url, SystemClock()) as store:
        assert await names(store) == []
    deadline = asyncio.get_running_loop().time() + 5
    while threading.active_count() > before and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - threads set no event
        await asyncio.sleep(0.01)
    assert threading.active_count() <= before


class TestPostgres:
    """What only a server can do to us."""

    @pytest.fixture
    def engine(self):
        return "postgres"

    @pytest.fixture
    async def deferred(self, store):
        """A table whose uniqueness is checked by the commit."""
        async with unit_of_work(store.database, Statistics(), readonly=False) as session:
            await session.execute("CREATE TABLE test_deferred (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")

    async def insert(self, store, *numbers):
        async with unit_of_work(store.database, Statistics(), readonly=False) as session:
            for number in numbers:
                await session.execute("INSERT INTO test_deferred VALUES ($1)", [number])

    async def count(self, store):
        async with unit_of_work(store.database, Statistics(), readonly=True) as session:
            return (await session.execute("SELECT COUNT(*) AS n FROM test_deferred"))[0]["n"]

    async def test_a_failed_commit_leaves_nothing_behind(self, store, deferred):
        for _ in range(15):
            with pytest.raises(Conflict):
                await self.insert(store, 1, 1)
        assert idle_is_complete(store)
        assert await self.count(store) == 0
        with pytest.raises(KeyError):
            async with unit_of_work(store.database, Statistics(), readonly=False) as session:
                await session.execute("INSERT INTO test_deferred VALUES (2)")
                raise KeyError
        assert await self.count(store) == 0

    async def test_a_lost_connection_is_replaced_and_the_work_run_again(self, store, samples):
        tries = []

        async def work(tx):
            tries.append(1)
            await tx.merchants.add(samples.merchant(name=str(len(tries))))
            if len(tries) == 1:
                await tx._session.execute("SELECT pg_terminate_backend(pg_backend_pid())")

        await store.run(work)
        assert await names(store) == ["2"]
        assert idle_is_complete(store)

    async def test_a_connection_that_is_lost_while_idle_costs_nothing(self, store, postgres, database_url):
        assert await names(store) == []
        database = database_url.split("?")[0].rpartition("/")[2]
        await asyncio.to_thread(postgres.execute, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")

        async def work(tx):
            return await tx.merchants.all()

        assert await store.run(work) == []

    async def test_serialisation_failures_and_deadlocks_are_run_again(self, store, samples):
        a, b = samples.merchant(name="a"), samples.merchant(name="b")
        async with store.begin() as tx:
            await tx.merchants.add(a)
            await tx.merchants.add(b)
        at = asyncio.Barrier(2)
        tries = []

        async def swap(first, second):
            async def work(tx):
                tries.append(1)
                await tx.merchants.save(first)
                if len(tries) <= 2:
                    await at.wait()
                await tx.merchants.save(second)

            await store.run(work)

        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            group.create_task(swap(a, b))
            group.create_task(swap(b, a))
        assert store.statistics.retries == 1
        assert idle_is_complete(store)

    async def test_a_lost_commit_is_not_repeated_because_nobody_knows_whether_it_took_place(self, store, samples, monkeypatch):
        tries = []

        async def work(tx):
            tries.append(1)
            await tx.merchants.add(samples.merchant())
            connection = tx._session._connection.connection
            connection.terminate()

        with pytest.raises(StorageUnavailable, match="unknown") as caught:
            await store.run(work)
        assert not isinstance(caught.value, TryAgain)
        assert len(tries) == 1
        assert idle_is_complete(store)

    async def test_a_server_that_does_not_answer_is_not_healthy(self, store, monkeypatch):
        monkeypatch.setattr("pepay_core.storage.opening._HEALTH_SECONDS", 0.2)
        monkeypatch.setattr(store.database, "transaction", stuck)
        with pytest.raises(StorageUnavailable):
            await store.health()

    async def test_a_number_that_stays_exact_is_an_integer(self, store):
        async with unit_of_work(store.database, Statistics(), readonly=True) as session:
            row = (
                await session.execute("SELECT 10::numeric(78,0) AS a, SUM(x) AS b, 1.50::numeric AS c FROM (VALUES (2^200::numeric), (1)) AS v(x)")
            )[0]
        assert type(row["a"]) is int
        assert (row["b"], str(row["c"])) == (2**200 + 1, "1.50")


def stuck(*, readonly):
    class Stuck:
        async def __aenter__(self):
            await asyncio.Event().wait()

        async def __aexit__(self, *_):
            logging.getLogger(__name__).debug("left")

    return Stuck()
