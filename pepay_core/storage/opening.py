"""Opening the database that a URL names."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar, cast

from pepay_core.domain.errors import ConfigError, StorageUnavailable
from pepay_core.services.waking import LocalWakes
from pepay_core.storage.sessions import Statistics, TryAgain, unit_of_work
from pepay_core.storage.sqlite import LiteDatabase
from pepay_core.storage.transactions import UnitOfWork

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from pepay_core.contracts.context import Clock
    from pepay_core.secrets import Vault
    from pepay_core.services.allowing import Counting
    from pepay_core.services.ports import Wakes
    from pepay_core.storage.postgres import PgDatabase
    from pepay_core.storage.sessions import Database, Session

_T = TypeVar("_T")

_ATTEMPTS: Final = 6
_FIRST_PAUSE: Final = 0.01
_HEALTH_SECONDS: Final = 2


class DatabaseStore:
    """The database. ``statistics`` counts what it has done since it was opened."""

    def __init__(self, database: Database, clock: Clock, wakes: Wakes | None = None) -> None:
        self._database = database
        self._clock = clock
        self._wakes = wakes or LocalWakes()
        self._vault: Vault | None = None
        self.statistics = Statistics()

    def use(self, vault: Vault) -> None:
        """Seal and open what is personal with this vault; without one, nothing of it can be read or written."""
        self._vault = vault

    @property
    def wakes(self) -> Wakes:
        """Who is told what was committed."""
        return self._wakes

    @property
    def database(self) -> Database:
        """The engine below."""
        return self._database

    def shared_counts(self) -> Counting | None:
        """Return where several processes count together, or None for a database that only one process may open."""
        if self._database.dialect != "postgres":
            return None
        from pepay_core.storage.allowing import SharedCounts

        return SharedCounts(cast("PgDatabase", self._database))

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        """Open a transaction that commits at the end of the block, and rolls back when an exception or a cancellation leaves it.

        A transaction that was cancelled while it was committing may have committed: what must not happen twice is written under a key.
        Raises StorageUnavailable, and RuntimeError when one is open already in this task.
        """
        session: Session
        async with unit_of_work(self._database, self.statistics, readonly=False) as session:
            session.use(self._vault)
            yield UnitOfWork(session)
        if session.topics:
            self._wakes.tell(session.topics)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[UnitOfWork]:
        """Open a unit of work that only reads, and sees one state throughout."""
        async with unit_of_work(self._database, self.statistics, readonly=True) as session:
            session.use(self._vault)
            yield UnitOfWork(session)

    async def run(self, work: Callable[[UnitOfWork], Awaitable[_T]]) -> _T:
        """Run ``work`` in a transaction, again from the start when the database asks for it (serialisation, deadlock, lost connection).

        It is not repeated when the connection was lost during the commit, because nobody knows what became of that.
        """
        for attempt in range(_ATTEMPTS - 1):
            try:
                async with self.begin() as tx:
                    return await work(tx)
            except TryAgain:
                self.statistics.retries += 1
                await self._clock.sleep(random.uniform(0, _FIRST_PAUSE * 2**attempt))  # noqa: S311 - keeps rivals apart, guards nothing
        async with self.begin() as tx:
            return await work(tx)

    async def health(self) -> None:
        """Return when the database answers; raises StorageUnavailable when it does not within 2 seconds."""
        try:
            async with asyncio.timeout(_HEALTH_SECONDS), unit_of_work(self._database, self.statistics, readonly=True) as session:
                await session.execute("SELECT 1")
        except TimeoutError:
            raise StorageUnavailable(f"the database has not answered within {_HEALTH_SECONDS} seconds") from None


@asynccontextmanager
async def open_store(url: str, clock: Clock) -> AsyncIterator[DatabaseStore]:
    """Open the database that a URL names, and close it at the end of the block.

    ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or ``postgres://user:password@host/name``.
    Raises ConfigError for a URL that leads nowhere, and StorageUnavailable while a server does not answer.
    """
    async with open_database(url) as database, _open_wakes(url) as wakes:
        yield DatabaseStore(database, clock, wakes)


@asynccontextmanager
async def _open_wakes(url: str) -> AsyncIterator[Wakes]:
    if url.startswith("sqlite"):
        yield LocalWakes()
        return
    from pepay_core.storage.listening import PgWakes

    wakes = PgWakes(url)
    try:
        yield wakes
    finally:
        await wakes.close()


@asynccontextmanager
async def open_database(url: str, *, connections: int | None = None) -> AsyncIterator[Database]:
    """Open the engine alone, as migrations need it."""
    database = await _connect(url, connections)
    try:
        yield database
    finally:
        await database.close()


async def _connect(url: str, connections: int | None) -> Database:
    scheme = url.partition("://")[0]
    if scheme == "sqlite":
        path = sqlite_path(url)
        return await (LiteDatabase.open(path) if connections is None else LiteDatabase.open(path, readers=connections))
    if scheme in {"postgres", "postgresql"}:
        try:
            from pepay_core.storage.postgres import PgDatabase
        except ModuleNotFoundError as exc:
            raise ConfigError("the PostgreSQL driver is not installed", hint="pip install 'pepay-core[postgres]'") from exc
        return await (PgDatabase.open(url) if connections is None else PgDatabase.open(url, connections=connections))
    raise ConfigError(
        "the database URL has a form that PePay does not know",
        hint="set [database] url to sqlite:///pepay.db or postgres://user:password@host/name",
    )


def sqlite_path(url: str) -> Path:
    """Return the file that a SQLite URL names; raises ConfigError when it names none."""
    hint = "set [database] url to sqlite:///pepay.db, or sqlite:////var/lib/pepay/pepay.db with four slashes for an absolute path"
    name = url.removeprefix("sqlite:///")
    if name == url or not name or name == ":memory:" or "\0" in name:
        raise ConfigError("the SQLite URL names no file", hint=hint)
    path = Path(name)
    if not path.parent.is_dir():
        raise ConfigError(f"the folder {path.parent} of the SQLite database does not exist", hint="make the folder, or change [database] url")
    if path.is_dir():
        raise ConfigError(f"the SQLite database {path} is a folder", hint=hint)
    return path
