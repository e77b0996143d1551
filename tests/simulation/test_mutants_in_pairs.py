"""Some guards stand in for each other: one may be missing. That both may not, ``nox -s simulation -- --mutants`` proves."""

from __future__ import annotations

import pytest

from simulation.plans import HIDDEN, hunt


@pytest.mark.parametrize("plan", HIDDEN, ids=lambda plan: plan.name)
def test_one_of_two_guards_is_enough(plan, empty):
    assert hunt(plan, range(1), empty) is None
