"""What runs in a unit of work: one connection, one task, statements one after the other."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from piccolo.query.base import Query

from pepay_core.domain.errors import InvalidInput, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from piccolo.querystring import QueryString

    from pepay_core.secrets import Vault

_T = TypeVar("_T")

_log: Final = logging.getLogger(__name__)


class TryAgain(StorageUnavailable):
    """The transaction left nothing behind, and may go through when it is run again."""


class Connection(Protocol):
    """An open transaction of a driver."""

    async def fetch(self, sql: str, args: Sequence[Any]) -> list[dict[str, Any]]:
        """Run one statement; errors are translated into PePay's own."""
        ...


class Database(Protocol):
    """An engine: ``sqlite`` or ``postgres``, as Piccolo calls them."""

    dialect: str

    def transaction(self, *, readonly: bool) -> AbstractAsyncContextManager[Connection]:
        """Commit at the end of the block; roll back when anything else leaves it. The connection goes back in every case."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...


@dataclass(slots=True)
class Statistics:
    """What the store has done since it was opened; BEGIN, COMMIT and ROLLBACK are not counted."""

    statements: int = 0
    commits: int = 0
    retries: int = 0


class Session:
    """A unit of work. Only the task that opened it may use it, and only until it ends."""

    def __init__(self, connection: Connection, dialect: str, statistics: Statistics, *, readonly: bool) -> None:
        self.dialect = dialect
        self.readonly = readonly
        self._connection = connection
        self._statistics = statistics
        self._owner = asyncio.current_task()
        self._failure: BaseException | None = None
        self._callbacks: list[Callable[[], None]] = []
        self.topics: dict[str, None] = {}  # each once, in the order in which they were named
        self._vault: Vault | None = None
        self._closed = False

    @property
    def postgres(self) -> bool:
        """Whether statements are written in PostgreSQL's dialect."""
        return self.dialect == "postgres"

    @property
    def vault(self) -> Vault:
        """What personal columns are sealed with; raises RuntimeError where the store was given none."""
        if self._vault is None:
            raise RuntimeError("this store has no vault: `store.use(vault)` before anything personal is read or written")
        return self._vault

    def seal(self, purpose: str, row: str, text: str) -> bytes:
        """Return a text sealed for a row; raises InvalidInput for one that could not be stored in clear either."""
        _insist_on_storable(text)
        return self.vault.seal(purpose, row, text.encode())

    def opened(self, purpose: str, row: str, sealed: bytes | None, clear: _T) -> str | _T:
        """Return what was sealed for a row, or else what an older version stored in clear; raises ConfigError once all of that was sealed."""
        if sealed is not None:
            return self.vault.open(purpose, row, bytes(sealed)).decode()
        if clear:
            self.vault.admit_clear(purpose)
        return clear

    def use(self, vault: Vault | None) -> None:
        """Seal and open with this vault."""
        self._vault = vault

    @property
    def open(self) -> bool:
        """Whether it has not ended yet."""
        return not self._closed

    def check(self) -> None:
        """Raise RuntimeError unless the caller may use it now."""
        if self._closed:
            raise RuntimeError("this unit of work has ended")
        if asyncio.current_task() is not self._owner:
            raise RuntimeError("a unit of work belongs to the task that opened it: start no task inside one")
        if self._failure is not None:
            raise RuntimeError("a statement has failed in this unit of work, and nothing more can be done in it") from self._failure

    async def rows(self, query: Query[Any, Any] | QueryString) -> list[dict[str, Any]]:
        """Run a Piccolo query and return its rows as the driver gives them."""
        self.check()
        querystring = query.querystrings[0] if isinstance(query, Query) else query
        sql, args = querystring.compile_string(engine_type=self.dialect)
        if any(isinstance(arg, datetime) and arg.tzinfo is None for arg in args):
            raise TypeError("a time without a time zone is not a moment")
        return await self.execute(sql, args)

    async def execute(self, sql: str, args: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Run one statement that is written in the engine's own dialect."""
        self.check()
        for arg in args:
            _insist_on_storable(arg)
        self._statistics.statements += 1
        try:
            return await self._connection.fetch(sql, args)
        except BaseException as exc:
            self._failure = exc
            raise

    def after_commit(self, call: Callable[[], None]) -> None:
        """Run this once the unit of work has committed, and not otherwise."""
        self.check()
        self._callbacks.append(call)

    def wake(self, topic: str) -> None:
        """Have those who wait for a topic look once the unit of work has committed."""
        self.check()
        self.topics[topic] = None

    def finish(self) -> None:
        """Refuse to commit when a statement has failed and somebody swallowed the error."""
        if self._failure is not None:
            raise RuntimeError("a statement failed in this unit of work: all of it is rolled back") from self._failure

    def close(self) -> None:
        """Refuse every further use."""
        self._closed = True

    def announce(self) -> None:
        """Make the calls that waited for the commit; what they raise is logged, because the commit stands."""
        for call in self._callbacks:
            try:
                call()
            except Exception:  # noqa: BLE001 - nothing here can take the commit back
                _log.exception("a call after a commit failed")


_current: contextvars.ContextVar[Session | None] = contextvars.ContextVar("pepay_unit_of_work", default=None)


def current() -> Session:
    """Return the unit of work of the running task, or raise RuntimeError."""
    session = _current.get()
    if session is None or not session.open:
        raise RuntimeError("no unit of work is open: queries run inside `async with store.begin()` or `store.read()`")
    return session


@asynccontextmanager
async def unit_of_work(database: Database, statistics: Statistics, *, readonly: bool) -> AsyncIterator[Session]:
    """Open a unit of work: it commits at the end of the block, and rolls back when an exception or a cancellation leaves it."""
    outer = _current.get()
    if outer is not None and outer.open:
        outer.check()  # a child task is told so first
        raise RuntimeError("a unit of work is open already in this task: pass it on instead of opening another one")
    async with database.transaction(readonly=readonly) as connection:
        session = Session(connection, database.dialect, statistics, readonly=readonly)
        token = _current.set(session)
        try:
            yield session
            session.finish()
        finally:
            session.close()
            _current.reset(token)
    statistics.commits += not readonly
    session.announce()


def is_storable(text: str) -> bool:
    """Tell whether both engines can store a text: no NUL, no lone surrogate."""
    if text.isascii():
        return "\0" not in text
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _insist_on_storable(arg: Any) -> None:
    if isinstance(arg, str):
        if not is_storable(arg):
            raise InvalidInput("a text holds a character that cannot be stored")
    elif isinstance(arg, Decimal):
        raise TypeError("SQLite would make a float of a Decimal: amounts are stored as text, base units in BaseUnits")
