"""Idempotency keys: a repeated request gets the first one's answer, and has no second effect."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.errors import InvalidInput, RequestInProgress
from pepay_core.domain.jsontext import encode
from pepay_core.services.records import StoredResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from datetime import datetime

    from pepay_core.contracts.context import Clock
    from pepay_core.secrets import Vault
    from pepay_core.services.ports import Store, Transaction

# Longer than any request may run: a claim that is older belongs to a process that died.
_RUNNING: Final = timedelta(seconds=60)
_SWEEP_EVERY: Final = timedelta(minutes=10)
_PATIENCE: Final = 5.0
_POLL: Final = 0.1
PURPOSE: Final = "idempotency"
"""What answers are sealed for, under their scope and key."""


def check_key(key: str) -> None:
    """Raise InvalidInput unless a key is 1 to 255 printable ASCII characters."""
    if not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
        raise InvalidInput("must be 1 to 255 printable ASCII characters", field="Idempotency-Key")


def fingerprint(method: str, path: str, body: bytes) -> str:
    """Return what makes two requests the same."""
    return hashlib.sha256(b"\n".join([method.encode(), path.encode(), body])).hexdigest()


@dataclass(slots=True)
class Remember:
    """Writes down what a request with a key is answered. ``kept`` is the answer, once it has committed together with what the request did.

    A process that was held up for longer than a request may run finds its key taken over, and commits nothing: ``mark`` tells.
    """

    scope: str
    key: str
    mark: datetime
    status: int
    vault: Vault
    kept: bytes | None = None

    async def complete(self, tx: Transaction, body: bytes) -> None:
        """Store the answer; sealed, because answers hold secrets that are shown once. Raises RequestInProgress when the key is somebody else's."""
        sealed = self.vault.seal(PURPOSE, f"{self.scope} {self.key}", body)
        await tx.idempotency.complete(self.scope, self.key, StoredResponse(self.status, sealed), self.mark)


_ASKED: Final = ContextVar[Remember | None]("pepay_idempotency", default=None)


@contextmanager
def asked_under(remember: Remember) -> Generator[None]:
    """Let :func:`answer` know the key of the request that is answered in the block."""
    token = _ASKED.set(remember)
    try:
        yield
    finally:
        _ASKED.reset(token)


async def answer(store: Store, work: Callable[[Transaction], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """Run ``work`` in a transaction, and return what it returns, which is the answer to the request that is being answered.

    Where that has an idempotency key, the answer is stored in the same transaction: both commit, or neither does. So what is done by a
    process that dies before anybody hears of it is not done again when the request is repeated.
    """
    asked = _ASKED.get()
    if asked is None or asked.kept is not None:
        return await store.run(work)

    async def both(tx: Transaction) -> tuple[dict[str, Any], bytes]:
        made = await work(tx)
        body = encode(made)
        await asked.complete(tx, body)
        return made, body

    made, asked.kept = await store.run(both)
    return made


class Remembering:
    """Lets one request of each key through, and gives its answer to the others."""

    def __init__(self, store: Store, clock: Clock, vault: Vault) -> None:
        self._store = store
        self._clock = clock
        self._vault = vault
        self._running: dict[tuple[str, str], asyncio.Event] = {}
        self._swept: datetime | None = None

    async def begin(self, scope: str, key: str, mark: str, status: int) -> StoredResponse | Remember:
        """Return the stored answer, or the means to store one with this status: then call :meth:`finish` in any case.

        While another request with the key runs, wait for it for some seconds. Raises IdempotencyConflict, RequestInProgress.
        """
        deadline = self._clock.monotonic() + _PATIENCE
        while True:
            try:
                now = self._clock.now()
                stored = await self._claim(scope, key, mark, now)
            except RequestInProgress:
                if self._clock.monotonic() >= deadline:
                    raise RequestInProgress from None
                await self._wait(scope, key)
                continue
            if stored is None:
                self._running[scope, key] = asyncio.Event()
                return Remember(scope, key, now, status, self._vault)
            return StoredResponse(stored.status, self._vault.open(PURPOSE, f"{scope} {key}", stored.body))

    async def complete(self, remember: Remember, body: bytes) -> None:
        """Store the answer of a request that may be repeated: it found something out, or what it did is the same when it is done again."""
        async with self._store.begin() as tx:
            await remember.complete(tx, body)

    async def release(self, remember: Remember) -> None:
        """Forget a request that was refused: the key can be used again."""
        async with self._store.begin() as tx:
            await tx.idempotency.release(remember.scope, remember.key, remember.mark)

    def finish(self, remember: Remember) -> None:
        """Let those look again who wait for this request."""
        event = self._running.pop((remember.scope, remember.key), None)
        if event is not None:
            event.set()

    async def _claim(self, scope: str, key: str, mark: str, now: datetime) -> StoredResponse | None:
        if (scope, key) in self._running:
            raise RequestInProgress
        async with self._store.begin() as tx:
            if self._swept is None or now - self._swept >= _SWEEP_EVERY:
                await tx.idempotency.sweep(now)
                self._swept = now
            return await tx.idempotency.claim(scope, key, mark, now, now + _RUNNING)

    async def _wait(self, scope: str, key: str) -> None:
        """Wait until the request that runs in this process is done, or a moment where it runs in another."""
        event = self._running.get((scope, key))
        if event is None:
            await self._clock.sleep(_POLL)
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await event.wait()
        except TimeoutError:
            raise RequestInProgress from None
