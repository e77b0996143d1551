"""The real storage on real SQLite files, without threads: statements run where they are called, and commits are where processes die."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pepay_core.domain.errors import StorageUnavailable
from pepay_core.storage.sqlite import Line, LiteDatabase
from simulation.loop import PROCESS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from simulation.faults import Faults
    from simulation.loop import Process


class Writers:
    """The queue of those who want to write to a file; whoever dies leaves it, at its head or in its middle."""

    def __init__(self) -> None:
        self._queue: list[tuple[Process | None, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        place = (PROCESS.get(), asyncio.get_running_loop().create_future())
        self._queue.append(place)
        self._next()
        try:
            await place[1]
            yield
        finally:
            if place in self._queue:
                self._queue.remove(place)
                self._next()

    def died(self, process: Process) -> None:
        self._queue = [each for each in self._queue if each[0] is not process]
        self._next()

    def _next(self) -> None:
        if self._queue and not self._queue[0][1].done():
            self._queue[0][1].set_result(None)


class SimLine(Line):
    """A connection that is used in place."""

    def _open(self) -> None:
        super()._open()
        assert self._connection is not None
        # Processes die here and machines do not, so what was written stays written.
        self._connection.execute("PRAGMA synchronous=OFF")

    async def call(self, work: Callable[..., Any], *args: Any) -> Any:
        result = work(*args)
        await asyncio.sleep(0)
        return result

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def cut(self) -> None:
        """Lose the connection, as the death of its process does it: what was not committed is gone."""
        with contextlib.suppress(sqlite3.ProgrammingError):
            if self._connection is not None and self._connection.in_transaction:
                self._connection.rollback()
            if self._connection is not None:
                self._connection.close()


class SimDatabase(LiteDatabase):
    """One process's connections to the file. ``committed`` is called after every commit, whoever learns of it."""

    faults: Faults
    writers: Writers
    committed: Callable[[], None]

    @classmethod
    async def start(cls, path: Path, process: Process, writers: Writers, faults: Faults, committed: Callable[[], None]) -> SimDatabase:
        database = await cls.open(path, readers=2, line=SimLine)
        database.faults, database.writers, database.committed = faults, writers, committed
        lines = [database._writer, *database._readers]

        def died() -> None:
            for each in lines:
                assert isinstance(each, SimLine)
                each.cut()
            writers.died(process)

        process.on_death.append(died)
        if not process.alive:
            died()
            await asyncio.get_running_loop().create_future()
        return database

    @asynccontextmanager
    async def _exclusive(self) -> AsyncIterator[Line]:
        async with super()._exclusive() as line, self.writers.turn():
            yield _Writing(line, self)

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[Line]:
        async with super()._reader() as line:
            if self.faults.strikes("read refused"):
                raise StorageUnavailable("the database does not answer: unable to open database file")
            yield line


class _Writing:
    """The writer's connection during one transaction, in which a commit may fail, or succeed unheard."""

    def __init__(self, line: Line, database: SimDatabase) -> None:
        self._line = line
        self._database = database

    async def rollback(self) -> None:
        await self._line.rollback()

    async def fetch(self, sql: str, args: Sequence[Any]) -> list[dict[str, Any]]:
        faults = self._database.faults
        if sql == "BEGIN IMMEDIATE":
            if faults.strikes("database locked"):
                raise StorageUnavailable("the database does not answer: database is locked")
        elif sql == "COMMIT":
            await self._commit(faults)
            return []
        return await self._line.fetch(sql, args)

    async def _commit(self, faults: Faults) -> None:
        process = PROCESS.get()
        if process is not None and faults.strikes("crash before commit"):
            await _die(process)
        if faults.strikes("commit refused"):
            raise StorageUnavailable("the database does not answer: disk I/O error")
        connection = self._line._connection
        assert connection is not None
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as exc:
            raise StorageUnavailable(str(exc)) from exc
        self._database.committed()
        if process is not None and faults.strikes("crash after commit"):
            await _die(process)
        if faults.strikes("commit unheard"):
            raise StorageUnavailable("the database does not answer: connection lost")
        await asyncio.sleep(0)


async def _die(process: Process) -> None:
    process.kill()
    await asyncio.get_running_loop().create_future()
