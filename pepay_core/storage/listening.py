"""Hints between processes, by PostgreSQL's LISTEN and NOTIFY on one connection per process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from pepay_core.services.waking import LocalWakes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator

_log: Final = logging.getLogger(__name__)

_CHANNEL: Final = "pepay"
_ALL: Final = "*"
_MOST: Final = 500  # topics that wait to be sent; what comes beyond them becomes one hint for everybody
_CONNECT_SECONDS: Final = 5
_FLUSH_SECONDS: Final = 1
_CHECKED: Final = 15.0  # seconds between looks whether the server is still there
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 10.0
_PATIENT: Final = 5.0
_SEND: Final = "SELECT pg_notify($1, $2 || ' ' || topic) FROM unnest($3::text[]) AS topic"


class PgWakes(LocalWakes):
    """Hints to and from every process on the same database.

    They are sent after the commit, in batches and on a connection of their own: NOTIFY inside a transaction would have the commits of the
    whole database wait for each other. What a process had not sent when it died is noticed by patience, as is everything while the
    connection is lost or where a pooler in between swallows notifications. The connection is made when it is first needed.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._me = secrets.token_hex(6)
        self._pending: set[str] = set()
        self._something = asyncio.Event()
        self._sent = asyncio.Event()
        self._sent.set()
        self._task: asyncio.Task[None] | None = None
        self._connected = False

    @property
    def patience(self) -> float:
        """Longer while hints of other processes come."""
        return _PATIENT if self._connected else super().patience

    @contextlib.contextmanager
    def on(self, call: Callable[[], object], *topics: str) -> Generator[None]:
        """Make a call at every hint about one of the topics until the block ends."""
        self._start()
        with super().on(call, *topics):
            yield

    def tell(self, topics: Collection[str]) -> None:
        """Give a hint here at once, and to the other processes as soon as the connection allows."""
        self._ring(topics)
        self._pending.update(topics)
        if len(self._pending) > _MOST:
            self._pending = {_ALL}
        self._sent.clear()
        self._something.set()
        self._start()

    async def close(self) -> None:
        """Send what waits, if that can be done soon, and disconnect."""
        if self._task is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._sent.wait()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="wakes")

    async def _run(self) -> None:
        pause, told = _FIRST_PAUSE, False
        while True:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    connection = await asyncpg.connect(self._url, timeout=_CONNECT_SECONDS, statement_cache_size=0)
                try:
                    await connection.add_listener(_CHANNEL, self._heard)
                    connection.add_termination_listener(lambda _: self._something.set())
                    pause, told, self._connected = _FIRST_PAUSE, False, True
                    # Whatever was told while nobody listened.
                    self._ring(None)
                    await self._send(connection)
                finally:
                    self._connected = False
                    connection.terminate()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
                if not told:
                    _log.warning("hints of other processes are late until the database answers again (%s)", type(exc).__name__)
                    told = True
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _send(self, connection: Any) -> None:
        """Send hints until the connection is lost."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CHECKED):
                    await self._something.wait()
            self._something.clear()
            topics, self._pending = self._pending, set()
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    await connection.execute(_SEND, _CHANNEL, self._me, sorted(topics))
            except BaseException:
                self._pending |= topics
                self._something.set()
                raise
            if not self._pending:
                self._sent.set()

    def _heard(self, _connection: object, _process: int, _channel: str, payload: object) -> None:
        sender, _, topic = str(payload).partition(" ")
        if sender != self._me:
            self._ring(None if topic == _ALL else (topic,))
