"""Each guard is there for a reason: without it, something is found to be wrong. The whole hunt is ``nox -s simulation -- --mutants``."""

from __future__ import annotations

import pytest

from simulation.mutants import QUICK, hunt

# Whatever else changes moves what happens in a world, so that another one may have to be looked at as well.
WITHIN = 6


@pytest.mark.parametrize(("plan", "seed"), [pytest.param(*each, id=each[0].name) for each in QUICK])
def test_a_guard_that_is_missing_is_noticed(plan, seed, empty):
    found = hunt(plan, range(seed, seed + WITHIN), empty)
    assert found is not None, plan.mutants[0].because
