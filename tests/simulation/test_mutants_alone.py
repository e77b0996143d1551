"""Each guard is there for a reason: without it, something is found to be wrong."""

from __future__ import annotations

import pytest

from simulation.mutants import ALONE, hunt

WITHIN = range(8)


@pytest.mark.slow
@pytest.mark.parametrize("plan", ALONE, ids=lambda plan: plan.name)
def test_a_guard_that_is_missing_is_noticed(plan, empty):
    found = hunt(plan, WITHIN, empty)
    assert found is not None, plan.mutants[0].because
