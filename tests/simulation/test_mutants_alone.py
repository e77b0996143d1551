"""Each guard is there for a reason: without it, something is found to be wrong. The whole hunt is ``nox -s simulation -- --mutants``."""

from __future__ import annotations

import pytest

from simulation.plans import QUICK, hunt

# Whatever changes in the product changes the worlds, so none of them is one in which it must show.
WORLDS = range(12)


@pytest.mark.parametrize("plan", QUICK, ids=lambda plan: plan.name)
def test_a_guard_that_is_missing_is_noticed(plan, empty):
    assert hunt(plan, WORLDS, empty) is not None, plan.mutants[0].because
