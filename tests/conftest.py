"""What all tests share: a database of their own, on each engine."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from pepay_core.clock import SystemClock
from pepay_core.secrets import Vault
from pepay_core.storage.migrating import migrate
from pepay_core.storage.opening import open_store
from pepay_core.testing.postgres import postgres  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from pepay_core.storage.opening import DatabaseStore
    from pepay_core.testing.postgres import PostgresServer


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database to be copied."""
    path = tmp_path_factory.mktemp("template") / "pepay.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> Iterator[str]:  # noqa: F811
    """The name of a migrated PostgreSQL database to be copied."""
    name = postgres.create()
    _migrate(postgres.url(name))
    yield name
    postgres.drop(name)


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> str:
    """The engine that a test runs on; tests that use a database run on each."""
    return request.param


@pytest.fixture
def database_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database of the test's own, migrated and empty."""
    if engine == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_template"), tmp_path / "pepay.db")
        yield f"sqlite:///{tmp_path / 'pepay.db'}"
    else:
        yield from _postgres_database(request, request.getfixturevalue("postgres_template"))


@pytest.fixture
def new_database_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database in which there is nothing at all."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path / 'new.db'}"
    else:
        yield from _postgres_database(request, None)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[DatabaseStore]:
    """An open store on the test's own database."""
    async with open_store(database_url, SystemClock()) as opened:
        opened.use(Vault(bytes(range(32))))
        yield opened


def _postgres_database(request: pytest.FixtureRequest, template: str | None) -> Iterator[str]:
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create(template)
    yield server.url(name)
    server.drop(name)


def _migrate(url: str) -> None:
    with asyncio.Runner() as runner:
        runner.run(migrate(url))
