"""One seed decides everything: the same seed does the same, in this process and in any other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.report import run

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("seed", [3, 1_000_003])
def test_the_same_seed_does_the_same_thing_again(empty, seed):
    first, again = run(seed, empty), run(seed, empty)
    assert (first.trace, first.steps, first.faults) == (again.trace, again.steps, again.faults)


def test_another_seed_does_something_else(empty):
    assert run(4, empty).trace != run(5, empty).trace


def test_no_order_of_hashing_decides_anything():
    def trace(hashing: str) -> str:
        command = [sys.executable, "-m", "simulation", "--seed", "6"]
        paths = os.pathsep.join([str(TESTS), str(TESTS / "support")])
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": hashing, "PYTHONPATH": paths}, cwd=TESTS
        )
        return next(line for line in done.stdout.splitlines() if line.startswith("seed 6"))

    assert trace("1") == trace("2")
