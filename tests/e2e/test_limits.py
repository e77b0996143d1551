"""A limit is one limit, however many processes count it, and over however many addresses the requests are spread."""

from __future__ import annotations

import pytest
from bursts import LIMIT, ROUTES, burst, limited_gateway


@pytest.fixture(scope="module", params=[4])
def gateway(request, tmp_path_factory, postgres):
    with limited_gateway(tmp_path_factory.mktemp("limits"), postgres, workers=request.param) as running:
        yield running


@pytest.mark.parametrize("routes", [ROUTES[:1], ROUTES], ids=["one route", "twenty routes"])
def test_a_limit_lets_through_what_it_says(gateway, routes):
    outcome = burst(gateway, gateway.new_key(), routes, 200)
    assert outcome.passed == LIMIT, outcome
    assert outcome.refused == 200 - LIMIT
    assert all(1 <= wait <= 60 for wait in outcome.waits)
