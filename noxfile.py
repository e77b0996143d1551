"""What can be run: ``nox -l`` lists it. Every session uses the versions in ``uv.lock``."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["tests", "stories", "browser", "worlds", "fuzz", "lint", "types"]

SOURCES = ("pepay_core", "plugins", "contrib", "tests", "docs", "noxfile.py")


def sync(session: nox.Session, *groups: str) -> None:
    """Install the workspace and some dependency groups, as locked, into the session's environment."""
    chosen = [part for group in ("stock", *groups) for part in ("--group", group)]
    session.run_install(
        "uv",
        "sync",
        "--locked",
        "--quiet",
        "--no-default-groups",
        *chosen,
        env={"UV_PROJECT_ENVIRONMENT": session.virtualenv.location, "VIRTUAL_ENV": session.virtualenv.location},
    )


# A file's own fixtures stay in one of the workers.
# Files begin in the order of their names: those with few tests are the long ones, and must not be left for the end.
SHARED = ("--dist", "loadfile", "--no-loadscope-reorder")
WORKERS = ("-n", "auto", *SHARED)
# Most of the tests wait now and then, for nodes, databases and processes: one worker more than there are processors uses the time.
ONE_MORE = ("-n", str((os.cpu_count() or 1) + 1), *SHARED)
# What takes long, or needs a browser, has a session of its own.
FUZZ = "tests/e2e/test_schemathesis.py"
STORIES = (
    "tests/e2e",
    "tests/integration/test_outbox.py",
    "tests/integration/engine/test_catch_up.py",
    "tests/integration/engine/test_cold_pass.py",
    "tests/integration/engine/test_endpoint_faults.py",
    "tests/integration/engine/test_flush_command.py",
    "tests/integration/engine/test_odd_tokens.py",
    "tests/integration/engine/test_random_reorganisations.py",
    "tests/integration/storage/test_migrations.py",
    "tests/integration/web/test_hostile_input.py",
    "tests/unit/docs/test_first_payment.py",
    "tests/unit/docs/test_write_a_plugin.py",
    "tests/unit/plugins/test_scaffold.py",
    "plugins/pepay-sandbox/tests/test_commands.py",
    "plugins/pepay-sandbox/tests/test_demo.py",
)
APART = ("tests/simulation", "tests/browser", "tests/kills", *STORIES)
QUICK = tuple(part for each in APART for part in ("--ignore", each))


def node() -> tuple[str, ...]:
    """Return the group that brings npm, through which the tests get anvil, and a Node that runs the clients of Solana, where the machine has none."""
    found = shutil.which("node")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout if found else ""  # noqa: S603 (a fixed command)
    new_enough = said.startswith("v") and int(said[1:].partition(".")[0]) >= 20
    return () if new_enough and shutil.which("npm") else ("node",)


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test but the long ones and those in a browser, on the running Python; PEPAY_TEST_REQUIRE names what must not be skipped."""
    sync(session, "test", "pg", *node())
    session.run("pytest", *ONE_MORE, *QUICK, *session.posargs)


@nox.session
def worlds(session: nox.Session) -> None:
    """Play the short run of the simulation: 20,000 hard faults of which none may do harm, and planted ones that must be found."""
    sync(session, "test")
    session.run("pytest", *WORKERS, "tests/simulation", *session.posargs)


@nox.session(python=["3.11", "3.12", "3.13"])
def tests_all(session: nox.Session) -> None:
    """Run the tests on every supported Python that is installed; none is downloaded."""
    sync(session, "test", "pg", *node())
    session.run("pytest", *ONE_MORE, *QUICK, *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """Open the pages in a real Chromium, and pay on them."""
    sync(session, "test", "browser", "pg", *node())
    session.run("pytest", *WORKERS, *(session.posargs or ["tests/browser"]))


@nox.session
def lighthouse(session: nox.Session) -> None:
    """Measure the checkout as on a phone with Lighthouse, three times: performance and good practice at least 95, accessibility 100."""
    sync(session, "test", "browser", "pg", *node())
    session.run("pytest", "-s", "tests/browser/lighthouse.py", *session.posargs)


@nox.session
def stories(session: nox.Session) -> None:
    """Play what takes long: the server from outside, crashes, migrations, hostile input, chains and tokens that lie, commands and the demo."""
    sync(session, "test", "pg", *node())
    session.run("pytest", *ONE_MORE, "--ignore", FUZZ, *STORIES, *session.posargs)


@nox.session
def kills(session: nox.Session) -> None:
    """Kill processes at random while money and events flow, for minutes."""
    sync(session, "test", "pg", *node())
    session.run("pytest", "tests/kills", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Send the API whatever its document allows and forbids; PEPAY_TEST_EXAMPLES says how many of each."""
    sync(session, "test", "pg", *node())
    session.run("pytest", FUZZ, *session.posargs)


@nox.session
def simulation(session: nox.Session) -> None:
    """Play simulated worlds for as long as it takes: ``-- --seeds 0:1000``, ``-- --seed 7 --trace``, ``-- --mutants``."""
    sync(session, "test")
    session.run("python", "-m", "simulation", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session
def reorganisations(session: nox.Session) -> None:
    """Make two hundred random reorganisations while buyers pay, and let endpoints fail and lie by two dozen seeds."""
    sync(session, "test", "pg", *node())
    tests = ("tests/integration/engine/test_random_reorganisations.py", "tests/integration/engine/test_endpoint_faults.py")
    session.run("pytest", *tests, *session.posargs, env={"PEPAY_TEST_REORGANISATIONS": "200", "PEPAY_TEST_FAULT_SEEDS": "24"})


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    sync(session, "lint")
    session.run("ruff", "check", *SOURCES)
    session.run("ruff", "format", "--check", *SOURCES)


@nox.session
def types(session: nox.Session) -> None:
    """Check types: strictly where plugins and money are concerned."""
    sync(session, "types", "test")
    session.run("pyright", "--pythonpath", str(Path(session.virtualenv.bin) / "python"))


@nox.session
def wheels(session: nox.Session) -> None:
    """Build every distribution, install the bundle from the files alone, and start it."""
    dist = Path(session.create_tmp()) / "dist"
    session.run_install("uv", "build", "--all-packages", "--wheel", "--out-dir", str(dist), "--quiet")
    session.install("--find-links", str(dist), "pepay==0.1.0")
    session.run("pepay", "--help")
    session.run("pepay", "plugin", "list")
    session.run("pepay", "demo", "--pay")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure what watching costs, and write the tables of docs/reference/performance.md anew."""
    sync(session, "test", "pg", *node())
    session.run("pytest", "-s", "-p", "no:cacheprovider", *(session.posargs or sorted(map(str, Path("tests/benchmarks").glob("bench_*.py")))))
