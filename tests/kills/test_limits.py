"""One process and sixteen count the same limit."""

from __future__ import annotations

import pytest
from bursts import LIMIT, ROUTES, burst, limited_gateway

from pepay_core.testing.postgres import postgres

__all__ = ["postgres"]


@pytest.fixture(scope="module", params=[1, 16])
def gateway(request, tmp_path_factory, postgres):
    with limited_gateway(tmp_path_factory.mktemp("limits"), postgres, workers=request.param) as running:
        yield running


@pytest.mark.parametrize("routes", [ROUTES[:1], ROUTES], ids=["one route", "twenty routes"])
def test_any_number_of_processes_lets_through_what_the_limit_says(gateway, routes):
    outcome = burst(gateway, gateway.new_key(), routes, 400)
    assert (outcome.passed, outcome.refused) == (LIMIT, 400 - LIMIT), outcome
