"""The long run: ``python -m simulation --seeds 0:1000``; one seed with its trace: ``python -m simulation --seed 7 --trace``."""

from __future__ import annotations

# ruff: noqa: T201 - printing is what it is for
import argparse
import sys
import tempfile
from pathlib import Path

from simulation.plans import ALL, hunt
from simulation.report import Total, run, run_all, template
from simulation.short import PARTS, total_of


def main() -> int:
    """Run what is asked for; the exit status says whether anything was wrong."""
    parser = argparse.ArgumentParser(prog="simulation", description="Runs PePay in simulated worlds, each of which one seed decides.")
    parser.add_argument("--seeds", default="0:200", metavar="FROM:TO", help="which seeds to run (default: 0:200)")
    parser.add_argument("--seed", type=int, help="run one seed")
    parser.add_argument("--trace", action="store_true", help="print everything that happened with --seed")
    parser.add_argument("--seconds", type=float, help="stop after this long")
    parser.add_argument("--short", action="store_true", help="play what the tests play, and print what came of each of its parts")
    parser.add_argument("--mutants", action="store_true", help="plant every fault that is known, and look for it")
    given = parser.parse_args()
    first, _, last = given.seeds.partition(":")
    with tempfile.TemporaryDirectory() as folder:
        empty = template(Path(folder))
        if given.mutants:
            return _hunt_all(range(int(first), int(last)), empty)
        if given.short:
            return _play_short(empty)
        if given.seed is not None:
            outcome = run(given.seed, empty, keep=given.trace)
            total = Total(seconds=1e-9)
            total.add(outcome)
            print(*(outcome.lines or ()), sep="\n")
            print(f"seed {outcome.seed}: trace {outcome.trace}, {outcome.steps:,} steps, {outcome.virtual:.0f} virtual seconds")
        else:
            total = run_all(range(int(first), int(last)), empty, seconds=given.seconds)
    print(total)
    return 1 if total.violations else 0


def _play_short(empty: Path) -> int:
    violated = 0
    for part in PARTS:
        total = total_of(part, empty)
        violated += len(total.violations)
        print(f"part {part}: {total}", flush=True)
    return 1 if violated else 0


def _hunt_all(seeds: range, empty: Path) -> int:
    missed = 0
    for plan in ALL:
        found = hunt(plan, seeds, empty)
        missed += found is None
        print(f"{plan.name}: {'NOT FOUND' if found is None else f'seed {found[0]}: {found[1][0]}'}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
