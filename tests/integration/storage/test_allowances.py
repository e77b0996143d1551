"""The counts that processes share are those that one process would make."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from pepay_core.clock import SystemClock
from pepay_core.domain.errors import StorageUnavailable
from pepay_core.services.allowing import SLICE_MS, SLICES
from pepay_core.storage.opening import open_store

PROCESSES = 4


@pytest.fixture
def engine():
    return "postgres"


@pytest.fixture
async def stores(database_url):
    """As many stores as there would be processes, each with connections of its own."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_store(database_url, SystemClock())) for _ in range(PROCESSES)]


@pytest.fixture
def counts(stores):
    return [store.shared_counts() for store in stores]


async def age(store, slices):
    """Make everything older, as time would."""
    await store.database.alone("UPDATE pepay_allowance SET slice = slice - $1", (slices,))


async def rows(store):
    return (await store.database.alone("SELECT count(*) AS n FROM pepay_allowance", ()))[0]["n"]


async def passed(counts, times, limit=100, bucket="writes:key"):
    taken = await asyncio.gather(*(counts[number % PROCESSES].take(bucket, limit) for number in range(times)))
    return sum(each.granted for each in taken)


async def test_at_once_and_from_all_sides_exactly_the_limit_passes(counts):
    assert await passed(counts, 300) == 100
    assert await passed(counts, 50) == 0
    assert await passed(counts, 5, limit=3, bucket="writes:another") == 3


async def test_what_is_left_is_told(counts):
    first = await counts[0].take("b", 3)
    assert (first.granted, first.used) == (True, 1)
    assert 55_000 < first.more_in <= 60_000
    await counts[1].take("b", 3)
    await counts[2].take("b", 3)
    refused = await counts[3].take("b", 3)
    assert (refused.granted, refused.used) == (False, 3)
    assert 50_000 < refused.more_in <= 60_000


async def test_what_was_taken_comes_back_slice_by_slice(counts, stores):
    for attempt in range(10):
        if await undisturbed(counts, stores[0], f"bucket {attempt}"):
            return
    raise AssertionError("a slice of five seconds ended in each of ten attempts")


async def undisturbed(counts, store, bucket):
    """Take at random while slices go by, as far as the test lets them; False when a real one has ended meanwhile."""
    rng, history, began = random.Random(7), [], await slice_now(store)
    for _ in range(30):
        asked = rng.randrange(0, 9)
        got = await passed(counts, asked, limit=20, bucket=bucket)
        if await slice_now(store) != began:
            return False
        assert got == min(asked, 20 - sum(history[-(SLICES - 1) :]))
        history.append(got)
        await age(store, 1)
    return True


async def slice_now(store):
    found = await store.database.alone(f"SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint / {SLICE_MS} AS n", ())
    return found[0]["n"]


async def test_buckets_that_are_empty_again_are_swept(counts, stores, database_url):
    await passed(counts, 40)
    assert await rows(stores[0]) == 1
    await age(stores[0], 2 * SLICES)
    async with open_store(database_url, SystemClock()) as later:
        await later.shared_counts().take("another", 5)
    assert await rows(stores[0]) == 1


async def test_no_name_of_a_bucket_is_kept(counts, stores):
    await counts[0].take("account:ann@example.com", 5)
    dumped = str(await stores[0].database.alone("SELECT * FROM pepay_allowance", ()))
    assert "ann" not in dumped


async def test_a_database_that_is_gone_is_told(counts, stores):
    await stores[0].database.close()
    with pytest.raises(StorageUnavailable):
        await counts[0].take("b", 3)


async def test_sqlite_has_one_process_and_nothing_to_share(tmp_path):
    async with open_store(f"sqlite:///{tmp_path / 'new.db'}", SystemClock()) as store:
        assert store.shared_counts() is None
