"""Running seeds, and telling what came of them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import random
import secrets
import shutil
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from pepay_core.storage.migrating import migrate
from simulation.faults import USUAL
from simulation.loop import SimLoop, Stuck
from simulation.scenario import Scenario, Unfounded
from simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from simulation.faults import Weather


@dataclass(slots=True)
class Outcome:
    """What came of one seed."""

    seed: int
    violations: list[str]
    trace: str
    faults: Counter[str]
    hard: int
    payments: int
    commits: int
    steps: int
    virtual: float
    lines: list[str] | None = None


@dataclass(slots=True)
class Total:
    """What came of several seeds."""

    seeds: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    hard: int = 0
    payments: int = 0
    commits: int = 0
    virtual: float = 0.0
    violations: dict[int, list[str]] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.faults += outcome.faults
        self.hard += outcome.hard
        self.payments += outcome.payments
        self.commits += outcome.commits
        self.virtual += outcome.virtual
        if outcome.violations:
            self.violations[outcome.seed] = outcome.violations

    def __str__(self) -> str:
        lines = [f"  {number:8,} {kind}" for kind, number in self.faults.most_common()]
        return "\n".join(
            [
                f"{self.seeds:,} seeds in {self.seconds:.1f} s, {self.cpu:.1f} s of CPU, {self.virtual / 3600:.1f} virtual hours",
                f"{self.payments:,} payments, {self.commits:,} commits, {self.hard:,} hard faults injected, by kind:",
                *lines,
                f"{len(self.violations)} seeds with violations",
                *(f"  seed {seed}: {each}" for seed, found in self.violations.items() for each in found[:5]),
            ]
        )


def template(folder: Path) -> Path:
    """Return a migrated, empty database, made once in a folder."""
    path = folder / "template.db"
    if not path.exists():
        asyncio.run(migrate(f"sqlite:///{path}"))
    return path


def run(
    seed: int,
    empty: Path,
    *,
    weather: Weather = USUAL,
    keep: bool = False,
    hunting: bool = False,
    prepare: Callable[[Path], None] | None = None,
) -> Outcome:
    """Play one seed on a copy of an empty database, which ``prepare`` may change first.

    ``keep`` keeps the trace; ``hunting`` ends it with the first violation.
    """
    folder = Path(tempfile.mkdtemp(prefix="simulation", dir=empty.parent))
    path = folder / "pepay.db"
    shutil.copyfile(empty, path)
    if prepare is not None:
        prepare(path)
    loop = SimLoop(random.Random(f"{seed}/schedule"))
    with _sealed(seed):
        world = World(seed, path, loop, weather, keep=keep, hunting=hunting)
        scenario = Scenario(world)
        try:
            loop.run_until_complete(scenario.run())
        except Unfounded:
            raise
        except Stuck as exc:
            scenario.oracle.wrong("liveness", str(exc))
        except Exception as exc:  # noqa: BLE001 - whatever stops a run is what it found
            if not (hunting and scenario.oracle.violations):
                scenario.oracle.wrong("the run", repr(exc))
        finally:
            _end(world, loop)
            scenario.oracle.close()
            shutil.rmtree(folder)
    oracle = scenario.oracle
    return Outcome(
        seed,
        oracle.violations,
        world.trace,
        world.faults.count,
        world.faults.hard,
        oracle.payments,
        oracle.commits,
        loop.steps,
        loop.time(),
        world.lines,
    )


def run_all(seeds: Iterable[int], empty: Path, *, seconds: float | None = None, hard: int | None = None) -> Total:
    """Play several seeds, or as many of them as there is time for, or as it takes for so many hard faults."""
    total = Total()
    started, cpu = time.perf_counter(), time.process_time()
    for seed in seeds:
        total.add(run(seed, empty))
        total.seconds, total.cpu = time.perf_counter() - started, time.process_time() - cpu
        if (seconds is not None and total.seconds > seconds) or (hard is not None and total.hard >= hard):
            break
    return total


@contextlib.contextmanager
def _sealed(seed: int) -> Iterator[None]:
    """Let nothing in from outside: no randomness of the machine, no log, no collection of what must not be unwound yet."""
    chance = random.Random(f"{seed}/machine")
    state, level = random.getstate(), logging.root.manager.disable
    random.seed(f"{seed}/global")
    logging.disable(logging.CRITICAL)
    gc.disable()
    gc.freeze()  # what was there before need not be looked through when what a seed left is collected
    try:
        with (
            mock.patch.object(secrets, "token_bytes", lambda size=32: chance.randbytes(size)),
            mock.patch.object(secrets, "randbits", chance.getrandbits),
            mock.patch.object(secrets, "choice", chance.choice),
        ):
            yield
    finally:
        gc.unfreeze()
        gc.enable()
        logging.disable(level)
        random.setstate(state)


def _end(world: World, loop: SimLoop) -> None:
    """Unwind whatever was left standing, where nobody hears of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for process in world.processes:
            process.kill()
            process.bury()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        with contextlib.suppress(Exception):
            loop.run_until_complete(asyncio.sleep(0.001))
        loop.close()
        gc.collect()
