from __future__ import annotations

from datetime import timedelta

import pytest

from pepay_core.domain.ids import EndpointId
from pepay_core.services.breaking import FAILURES, Breakers
from pepay_core.testing.clock import FakeClock

A, B = EndpointId("whk_a"), EndpointId("whk_b")
TICK = timedelta(microseconds=1)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def breakers(clock):
    return Breakers(clock, lambda: 0.0)


def rests(breakers, clock, endpoint=A):
    """Return for how long an endpoint rests from now on."""
    total = timedelta(0)
    while endpoint in breakers.resting:
        clock.jump(timedelta(seconds=1))
        total += timedelta(seconds=1)
    return total.total_seconds()


def test_a_few_failures_are_nobodys_rest(breakers):
    for _ in range(FAILURES - 1):
        breakers.failed(A, 500, None)
    assert breakers.resting == set()


def test_failures_in_a_row_make_an_endpoint_rest_and_no_other(breakers, clock):
    for _ in range(FAILURES):
        breakers.failed(A, None, None)
    breakers.failed(B, None, None)
    assert breakers.resting == {A}
    clock.jump(timedelta(seconds=5) - TICK)
    assert breakers.resting == {A}
    clock.jump(TICK)
    assert breakers.resting == set()


def test_the_rest_grows_to_a_minute(breakers, clock):
    seen = []
    for _ in range(FAILURES + 6):
        breakers.failed(A, 500, None)
        seen.append(rests(breakers, clock))
    assert seen == [0] * (FAILURES - 1) + [5, 10, 20, 40, 60, 60, 60]


def test_a_success_forgets_everything(breakers):
    for _ in range(FAILURES):
        breakers.failed(A, 500, None)
    breakers.succeeded(A)
    assert breakers.resting == set()
    breakers.failed(A, 500, None)
    assert breakers.resting == set()


@pytest.mark.parametrize(
    ("status", "asked", "seconds"), [(429, None, 5), (429, 30, 30), (503, 120, 120), (503, None, 0), (429, 86400, 900), (429, 1, 5)]
)
def test_who_asks_for_time_is_left_alone_for_it_at_once(breakers, clock, status, asked, seconds):
    breakers.failed(A, status, asked)
    assert rests(breakers, clock) == seconds


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateway_without_its_server_rests_at_the_second_failure(breakers, clock, status):
    breakers.failed(A, status, None)
    assert rests(breakers, clock) == 0
    breakers.failed(A, status, None)
    assert rests(breakers, clock) == 5


def test_pauses_that_begin_together_do_not_end_together(clock):
    breakers = Breakers(clock, iter([0.0, 0.9]).__next__)
    for endpoint in (A, B):
        breakers.failed(endpoint, 429, 100)
    clock.jump(timedelta(seconds=105))
    assert breakers.resting == {B}
