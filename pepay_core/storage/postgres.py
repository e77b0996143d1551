"""PostgreSQL: a pool of connections, each given back whatever happens to the task that had it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import asyncpg
from asyncpg import exceptions as failures

from pepay_core.domain.errors import ConfigError, Conflict, InvalidInput, StorageUnavailable
from pepay_core.storage.rescuing import to_the_end
from pepay_core.storage.sessions import TryAgain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

_log: Final = logging.getLogger(__name__)

_CONNECTIONS: Final = 10
_CONNECT_SECONDS: Final = 5
_QUEUE_SECONDS: Final = 10
_STATEMENT_SECONDS: Final = 30
_ROLLBACK_SECONDS: Final = 5
_OLDEST: Final = 13  # xid8

_LOST: Final = (
    OSError,
    failures.PostgresConnectionError,
    failures.ConnectionDoesNotExistError,
    failures.InternalClientError,
    failures.OperatorInterventionError,
)


class _Borrowed:
    """A connection of the pool, in a transaction."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def fetch(self, sql: str, args: Sequence[Any]) -> list[dict[str, Any]]:
        try:
            return [dict(record) for record in await self.connection.fetch(sql, *args)]
        except Exception as exc:
            raise _translated(exc, self.connection) from exc


class PgDatabase:
    """A PostgreSQL server, 13 or later."""

    dialect = "postgres"

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, url: str, *, connections: int = _CONNECTIONS) -> PgDatabase:
        """Connect; raises ConfigError when the URL or the server is not one to work with, StorageUnavailable when it does not answer."""
        place = _place(url)
        hint = "set [database] url to postgres://user:password@host/name"
        try:
            async with asyncio.timeout(_CONNECT_SECONDS + 1):
                pool = await asyncpg.create_pool(
                    url,
                    min_size=1,
                    max_size=connections,
                    timeout=_CONNECT_SECONDS,
                    command_timeout=_STATEMENT_SECONDS,
                    init=_prepare,
                    reset=_leave_as_it_is,
                )
        except (ValueError, failures.ClientConfigurationError) as exc:
            raise ConfigError(f"the database URL is not one of PostgreSQL ({type(exc).__name__})", hint=hint) from None
        except (failures.InvalidAuthorizationSpecificationError, failures.InvalidCatalogNameError) as exc:
            raise ConfigError(f"PostgreSQL at {place} refuses: {exc}", hint="check user, password and database name in [database] url") from None
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
            raise StorageUnavailable(f"PostgreSQL at {place} does not answer ({type(exc).__name__})") from None
        database = cls(pool)
        try:
            await database._insist_on_version()
        except BaseException:
            await database.close()
            raise
        return database

    async def _insist_on_version(self) -> None:
        async with self._pool.acquire(timeout=_QUEUE_SECONDS) as connection:
            version = connection.get_server_version()
        if version.major < _OLDEST:
            raise ConfigError(f"PostgreSQL {version.major} is too old", hint=f"PePay needs PostgreSQL {_OLDEST} or later")

    @asynccontextmanager
    async def transaction(self, *, readonly: bool) -> AsyncIterator[_Borrowed]:
        """Open a transaction; one that only reads sees one state throughout."""
        connection = await self._acquire()
        try:
            borrowed = _Borrowed(connection)
            try:
                await borrowed.fetch(f"BEGIN ISOLATION LEVEL {'REPEATABLE READ READ ONLY' if readonly else 'READ COMMITTED READ WRITE'}", ())
                yield borrowed
                await self._commit(connection)
            except BaseException:
                await to_the_end(self._rollback(connection))
                raise
        finally:
            await to_the_end(self._release(connection))

    async def alone(self, sql: str, args: Sequence[Any]) -> list[dict[str, Any]]:
        """Run one statement that is a transaction of its own: one way there and back."""
        connection = await self._acquire()
        try:
            return await _Borrowed(connection).fetch(sql, args)
        finally:
            await to_the_end(self._release(connection))

    async def _acquire(self) -> Any:
        try:
            return await self._pool.acquire(timeout=_QUEUE_SECONDS)
        except TimeoutError:
            raise StorageUnavailable("the database is busy: no connection became free") from None
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
            raise TryAgain(f"the database does not answer ({type(exc).__name__})") from exc

    async def _commit(self, connection: Any) -> None:
        try:
            await connection.execute("COMMIT")
        except Exception as exc:
            translated = _translated(exc, connection)
            if isinstance(translated, TryAgain) and not isinstance(exc, failures.TransactionRollbackError):
                raise StorageUnavailable("the connection was lost during the commit: whether it took place is unknown") from exc
            raise translated from exc

    async def _rollback(self, connection: Any) -> None:
        if _is_closed(connection) or not connection.is_in_transaction():
            return
        try:
            async with asyncio.timeout(_ROLLBACK_SECONDS):
                await connection.execute("ROLLBACK")
        except Exception as exc:  # noqa: BLE001 - whatever it is: this connection is used no more, and the server rolls back by itself
            _log.warning("a connection is dropped, because it could not be rolled back (%s)", type(exc).__name__)
            connection.terminate()

    async def _release(self, connection: Any) -> None:
        # A connection that cannot be given back is closed by the pool, which then makes another one.
        with suppress(Exception):
            await self._pool.release(connection, timeout=_ROLLBACK_SECONDS)

    @property
    def idle(self) -> tuple[int, int]:
        """How many connections are free, of how many."""
        return self._pool.get_idle_size(), self._pool.get_size()

    async def close(self) -> None:
        """Close every connection; those that are still in use after a while are dropped."""
        try:
            async with asyncio.timeout(_ROLLBACK_SECONDS):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


async def _prepare(connection: Any) -> None:
    # NUMERIC without a fraction is base units: an int, never a Decimal that the default context would round.
    await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=_number, format="text")


def _number(text: str) -> int | Decimal:
    return int(text) if text.removeprefix("-").isdigit() else Decimal(text)


async def _leave_as_it_is(connection: Any) -> None:
    """Save the round trip: transactions here leave nothing in the session."""


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2] or 'the local socket'}{parts.path}"


def _is_closed(connection: Any) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool has taken a dead connection back already
        return True


def _translated(exc: Exception, connection: Any) -> Exception:
    # A time-out is an OSError, and a cancelled query an intervention of the operator: neither is a lost connection.
    if isinstance(exc, TimeoutError | failures.QueryCanceledError | failures.InsufficientResourcesError | failures.ReadOnlySQLTransactionError):
        return StorageUnavailable(f"the database does not answer ({type(exc).__name__})")
    if isinstance(exc, failures.SerializationError | failures.DeadlockDetectedError):
        return TryAgain(f"the database asks to try again ({type(exc).__name__})")
    if isinstance(exc, _LOST) or (isinstance(exc, asyncpg.InterfaceError) and _is_closed(connection)):
        return TryAgain(f"the connection to the database was lost ({type(exc).__name__})")
    if isinstance(exc, failures.UniqueViolationError | failures.ForeignKeyViolationError | failures.RestrictViolationError):
        return Conflict("contradicts something that is already stored")
    if isinstance(exc, failures.DataError):
        return InvalidInput("a value cannot be stored")
    return exc
