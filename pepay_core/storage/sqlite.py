"""SQLite: one writer that lives as long as the store, and a few readers that can only read."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Self

import piccolo.engine.sqlite  # noqa: F401 - registers how times and booleans are read

from pepay_core.domain import money
from pepay_core.domain.errors import ConfigError, Conflict, InvalidInput, StorageUnavailable
from pepay_core.storage.rescuing import to_the_end

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

_BUSY_MS: Final = 5_000
_READERS: Final = 4
_QUEUE_SECONDS: Final = 30
_OLDEST: Final = (3, 35, 0)  # RETURNING

_CONSTRAINT: Final = re.compile(r"UNIQUE constraint failed|PRIMARY KEY constraint failed|FOREIGN KEY constraint failed")


class _UnitsSum:
    """``units_sum``: the exact sum of base units; NULL of nothing."""

    def __init__(self) -> None:
        self._total: int | None = None

    def step(self, value: str | None) -> None:
        if value is not None:
            self._total = (self._total or 0) + int(value)

    def finalize(self) -> str | None:
        return None if self._total is None else str(self._total)


class _DecimalSum:
    """``decimal_sum``: the exact sum of decimal texts; NULL of nothing."""

    def __init__(self) -> None:
        self._total: Decimal | None = None

    def step(self, value: str | None) -> None:
        if value is not None:
            self._total = money.add(self._total or Decimal(0), Decimal(value))

    def finalize(self) -> str | None:
        return None if self._total is None else money.plain(self._total)


class Line:
    """A connection, on which one statement runs after the other: in a thread of its own, which is the one thing that may be replaced."""

    def __init__(self, path: Path, *, readonly: bool) -> None:
        self._path = path
        self._readonly = readonly
        self._executor: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None

    def _open(self) -> None:
        connection = sqlite3.connect(
            self._path,
            timeout=_BUSY_MS / 1000,
            isolation_level=None,
            detect_types=sqlite3.PARSE_DECLTYPES,
            check_same_thread=False,
            cached_statements=512,
        )
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            if self._readonly:
                connection.execute("PRAGMA query_only=ON")
            connection.create_aggregate("units_sum", 1, _UnitsSum)  # type: ignore[arg-type]
            connection.create_aggregate("decimal_sum", 1, _DecimalSum)  # type: ignore[arg-type]
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    async def open(self) -> None:
        """Open the file."""
        await self.call(self._open)

    async def call(self, work: Callable[..., Any], *args: Any) -> Any:
        """Do the work where the connection is used, and return what it returns; a cancellation is raised once it is done."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="pepay-sqlite")
        # A statement cannot be left running: the connection goes to somebody else next.
        return await to_the_end(asyncio.get_running_loop().run_in_executor(self._executor, work, *args))

    async def fetch(self, sql: str, args: Sequence[Any]) -> list[dict[str, Any]]:
        """Run one statement; errors are translated into PePay's own."""
        try:
            return await self.call(self._fetch, sql, args)
        except (sqlite3.Error, OverflowError) as exc:
            raise _translated(exc) from exc

    def _fetch(self, sql: str, args: Sequence[Any]) -> list[dict[str, Any]]:
        assert self._connection is not None
        cursor = self._connection.execute(sql, args)
        if cursor.description is None:
            return []
        names = [each[0] for each in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    async def rollback(self) -> None:
        """Take back what the open transaction has done, if there is one."""

        def work() -> None:
            if self._connection is not None and self._connection.in_transaction:
                self._connection.rollback()

        await self.call(work)

    async def close(self) -> None:
        """Close the connection and end its thread."""

        def work() -> None:
            if self._connection is not None:
                self._connection.close()

        try:
            await self.call(work)
        finally:
            if self._executor is not None:
                self._executor.shutdown(wait=False)


class LiteDatabase:
    """A SQLite file in WAL mode; every commit is on the disk before it returns."""

    dialect = "sqlite"

    def __init__(self, path: Path, *, readers: int = _READERS, line: type[Line] = Line) -> None:
        self._writer = line(path, readonly=False)
        self._write = asyncio.Lock()
        self._readers = [line(path, readonly=True) for _ in range(readers)]
        self._idle: asyncio.LifoQueue[Line] = asyncio.LifoQueue()

    @classmethod
    async def open(cls, path: Path, *, readers: int = _READERS, line: type[Line] = Line) -> Self:
        """Open the file, creating it; raises ConfigError when that cannot be done."""
        if sqlite3.sqlite_version_info < _OLDEST:
            raise ConfigError(f"SQLite {sqlite3.sqlite_version} is too old", hint="PePay needs SQLite 3.35 or later, or PostgreSQL")
        database = cls(path, readers=readers, line=line)
        try:
            for each in [database._writer, *database._readers]:
                await each.open()
                if each is not database._writer:
                    database._idle.put_nowait(each)
        except sqlite3.Error as exc:
            await database.close()
            raise ConfigError(f"the SQLite database {path} cannot be opened: {exc}", hint="check the path and who may write there") from None
        except BaseException:
            await database.close()
            raise
        return database

    @asynccontextmanager
    async def transaction(self, *, readonly: bool) -> AsyncIterator[Line]:
        """Open a transaction: on the writer, or on a reader that sees one state throughout."""
        async with self._reader() if readonly else self._exclusive() as thread:
            try:
                await thread.fetch("BEGIN" if readonly else "BEGIN IMMEDIATE", ())
                yield thread
                await thread.fetch("COMMIT", ())
            except BaseException:
                await thread.rollback()
                raise

    @asynccontextmanager
    async def _exclusive(self) -> AsyncIterator[Line]:
        try:
            async with asyncio.timeout(_QUEUE_SECONDS):
                await self._write.acquire()
        except TimeoutError:
            raise StorageUnavailable("the database is busy: no turn to write came") from None
        try:
            yield self._writer
        finally:
            self._write.release()

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[Line]:
        try:
            async with asyncio.timeout(_QUEUE_SECONDS):
                thread = await self._idle.get()
        except TimeoutError:
            raise StorageUnavailable("the database is busy: no reader became free") from None
        try:
            yield thread
        finally:
            self._idle.put_nowait(thread)

    @property
    def idle(self) -> tuple[int, int]:
        """How many connections are free, of how many."""
        return self._idle.qsize() + (not self._write.locked()), len(self._readers) + 1

    async def close(self) -> None:
        """Close every connection and end its thread."""
        for thread in [*self._readers, self._writer]:
            await thread.close()


def _translated(exc: sqlite3.Error | OverflowError) -> Exception:
    if isinstance(exc, OverflowError | sqlite3.DataError):
        return InvalidInput("a number is too large to be stored")
    if isinstance(exc, sqlite3.IntegrityError) and _CONSTRAINT.search(str(exc)):
        return Conflict("contradicts something that is already stored")
    if isinstance(exc, sqlite3.OperationalError) and re.search(r"locked|busy|disk|full|readonly|I/O|unable to open", str(exc)):
        return StorageUnavailable(f"the database does not answer: {exc}")
    return exc
