from __future__ import annotations

import pytest

from pepay_core.testing.clock import FakeClock
from pepay_core.web.limiting import Allowances, address_key


async def test_exactly_the_limit_passes_at_once_and_the_rest_waits():
    allowances = Allowances(FakeClock())
    granted = [allowances.take("writes", "key", 100) for _ in range(150)]
    assert [each.wait == 0 for each in granted] == [True] * 100 + [False] * 50
    assert granted[0].remaining == 99
    assert granted[99].remaining == 0


async def test_a_bucket_fills_again_evenly():
    clock = FakeClock()
    allowances = Allowances(clock)
    for _ in range(60):
        allowances.take("writes", "key", 60)
    wait = allowances.take("writes", "key", 60).wait
    assert wait == 1
    await clock.advance(wait)
    assert allowances.take("writes", "key", 60).wait == 0
    assert allowances.take("writes", "key", 60).wait == 1
    await clock.advance(60)
    assert sum(allowances.take("writes", "key", 60).wait == 0 for _ in range(100)) == 60


async def test_what_is_refused_costs_nothing():
    clock = FakeClock()
    allowances = Allowances(clock)
    for _ in range(1_000):
        allowances.take("writes", "key", 10)
    await clock.advance(6)
    assert allowances.take("writes", "key", 10).wait == 0


async def test_zones_and_keys_do_not_touch_each_other():
    allowances = Allowances(FakeClock())
    for _ in range(10):
        allowances.take("writes", "one", 10)
    assert allowances.take("writes", "two", 10).wait == 0
    assert allowances.take("reads", "one", 10).wait == 0


async def test_memory_is_bounded_and_freed():
    clock = FakeClock()
    allowances = Allowances(clock, max_keys=1_000)
    for number in range(5_000):
        allowances.take("buyers", str(number), 10)
    assert len(allowances) == 1_000
    await clock.advance(120)
    allowances.take("buyers", "last", 10)
    assert len(allowances) == 1


def test_the_standing_is_told_in_structured_fields():
    headers = Allowances(FakeClock()).take("writes", "key", 100).headers
    assert headers == {"RateLimit-Policy": '"writes";q=100;w=60', "RateLimit": '"writes";r=99;t=1'}


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
