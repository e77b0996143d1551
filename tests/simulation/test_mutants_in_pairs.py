"""Some guards stand in for each other: one may be missing, and only without both is something wrong."""

from __future__ import annotations

import pytest

from simulation.mutants import HIDDEN, PAIRS, hunt

WITHIN = range(8)


@pytest.mark.slow
@pytest.mark.parametrize("plan", PAIRS, ids=lambda plan: plan.name)
def test_two_guards_that_are_both_missing_are_noticed(plan, empty):
    found = hunt(plan, WITHIN, empty)
    assert found is not None, plan.name


@pytest.mark.parametrize("plan", HIDDEN, ids=lambda plan: plan.name)
def test_one_of_two_guards_is_enough(plan, empty):
    assert hunt(plan, range(1), empty) is None
