from __future__ import annotations

import pytest

from pepay_core.domain.errors import StorageUnavailable
from pepay_core.services.allowing import SLICE_MS, SLICES, Count, LocalCounts, counted
from pepay_core.testing.clock import FakeClock
from pepay_core.web.limiting import READS, SIGN_INS, WRITES, Allowances, address_key


async def granted(allowances, times, limit=10, *, zone=WRITES, key="key"):
    return [(await allowances.take(zone, key, limit)).wait == 0 for _ in range(times)]


async def test_exactly_the_limit_passes_and_the_rest_waits():
    allowances = Allowances(FakeClock())
    standings = [await allowances.take(WRITES, "key", 100) for _ in range(150)]
    assert [each.wait == 0 for each in standings] == [True] * 100 + [False] * 50
    assert [standings[place].remaining for place in (0, 99, 149)] == [99, 0, 0]


async def test_no_minute_has_more_than_the_limit_however_the_requests_lie():
    clock = FakeClock()
    allowances = Allowances(clock)
    passed: list[float] = []
    for step in range(3_000):
        await clock.advance((step * 37) % 211 / 1_000)
        if (await allowances.take(WRITES, "key", 100)).wait == 0:
            passed.append(clock.monotonic())
    seconds = (SLICES - 1) * SLICE_MS / 1_000
    assert max(sum(start <= each < start + seconds for each in passed) for start in passed) == 100


async def test_what_was_taken_comes_back_after_a_minute_and_not_before_it_was_promised():
    clock = FakeClock()
    allowances = Allowances(clock)
    await granted(allowances, 4)
    await clock.advance(30)
    assert await granted(allowances, 7) == [True] * 6 + [False]
    wait = (await allowances.take(WRITES, "key", 10)).wait
    assert 20 < wait <= 30
    await clock.advance(wait)
    assert await granted(allowances, 5) == [True] * 4 + [False]
    await clock.advance(60)
    assert await granted(allowances, 11) == [True] * 10 + [False]


async def test_what_is_refused_costs_nothing():
    clock = FakeClock()
    allowances = Allowances(clock)
    await granted(allowances, 1_000)
    await clock.advance(60)
    assert await granted(allowances, 10) == [True] * 10


async def test_zones_and_keys_do_not_touch_each_other():
    allowances = Allowances(FakeClock())
    await granted(allowances, 10)
    assert await granted(allowances, 1, key="two") == [True]
    assert await granted(allowances, 1, zone=READS) == [True]


async def test_a_lower_limit_holds_at_once():
    allowances = Allowances(FakeClock())
    await granted(allowances, 8, limit=10)
    standing = await allowances.take(WRITES, "key", 5)
    assert (standing.wait > 0, standing.remaining) == (True, 0)


async def test_memory_is_bounded_and_freed():
    clock = FakeClock()
    allowances = Allowances(clock, max_keys=1_000)
    for number in range(5_000):
        await allowances.take(READS, str(number), 10)
    assert len(allowances) == 1_000
    await clock.advance(120)
    await allowances.take(READS, "last", 10)
    assert len(allowances) == 1


async def test_the_standing_is_told_in_structured_fields():
    headers = (await Allowances(FakeClock()).take(WRITES, "key", 100)).headers
    assert headers["RateLimit-Policy"] == '"writes";q=100;w=60'
    assert headers["RateLimit"].startswith('"writes";r=99;t=')
    assert 55 <= int(headers["RateLimit"].rpartition("=")[2]) <= 60


def test_how_long_it_takes_is_told_to_the_slice():
    slices = [3, 0, 2, *[0] * 8, 5]
    assert counted(slices, 1_000, 10, granted=False) == Count(granted=False, used=10, more_in=4_000)
    assert counted(slices, 1_000, 7, granted=False).more_in == 14_000
    assert counted([0] * SLICES, 0, 7, granted=True).more_in == SLICE_MS


class Elsewhere:
    """Counts that others share; the test says whether they answer."""

    def __init__(self, clock):
        self.counts, self.asked, self.down = LocalCounts(clock), 0, False

    async def take(self, bucket, limit):
        self.asked += 1
        if self.down:
            raise StorageUnavailable("the database does not answer")
        return await self.counts.take(bucket, limit)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def elsewhere(clock):
    return Elsewhere(clock)


@pytest.fixture
def sharing(clock, elsewhere):
    """Two processes that count together."""
    made = Allowances(clock), Allowances(clock)
    for each in made:
        each.share(elsewhere)
    return made


async def test_processes_that_share_their_counts_let_the_limit_through_once(sharing):
    one, two = sharing
    passed = [(await (one, two)[turn % 2].take(WRITES, "key", 10)).wait == 0 for turn in range(30)]
    assert passed.count(True) == 10


async def test_a_refusal_is_remembered_until_it_ends_and_asks_nobody_again(sharing, elsewhere, clock):
    one, two = sharing
    await granted(one, 11)
    asked = elsewhere.asked
    standing = one.refusal(WRITES, "key", 10)
    assert standing
    assert await granted(one, 50) == [False] * 50
    assert elsewhere.asked == asked
    assert two.refusal(WRITES, "key", 10) is None
    await clock.advance(standing.wait)
    assert one.refusal(WRITES, "key", 10) is None
    assert await granted(one, 11) == [True] * 10 + [False]


async def test_while_the_store_is_down_passwords_are_tried_by_nobody_and_pages_are_read(sharing, elsewhere, clock):
    one, _ = sharing
    elsewhere.down = True
    with pytest.raises(StorageUnavailable):
        await one.take(SIGN_INS, "203.0.113.7", 10)
    with pytest.raises(StorageUnavailable):
        await one.take(WRITES, "key", 10)
    assert await granted(one, 11, zone=READS) == [True] * 10 + [False]
    asked = elsewhere.asked
    assert await granted(one, 1, zone=READS, key="another") == [True]
    assert elsewhere.asked == asked
    elsewhere.down = False
    await clock.advance(6)
    assert await granted(one, 1, zone=READS) == [True]
    assert elsewhere.asked > asked


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_client_is_its_network(address, key):
    assert address_key(address) == key
