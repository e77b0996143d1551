"""Passwords: argon2id, in threads of their own, so that a flood of sign-ins delays nobody but those who sign in."""

from __future__ import annotations

import asyncio
import os
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from pepay_core.domain.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

MEMORY_KIB: Final = 19 * 1024
PASSES: Final = 2
LANES: Final = 1

SHORTEST: Final = 12
LONGEST: Final = 1024

# At some 30 ms each, the last of those who wait has its answer after two seconds; nobody waits longer than that.
_MOST_WAITING: Final = 64


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a password was right, and whether its hash was made with weaker parameters than today's."""

    right: bool
    stale: bool = False


def check_form(password: str, field: str = "password") -> None:
    """Raise InvalidInput unless a password has a length that is accepted; nothing else is asked of it."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(f"must have {SHORTEST} to {LONGEST} characters", field=field)


class Passwords:
    """Hashes and checks. Every check costs the same, also where there is nothing to compare with; ``checks`` counts them."""

    def __init__(self) -> None:
        from argon2 import PasswordHasher

        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        # Half of the processors stay with those who take payments.
        self._pool = ThreadPoolExecutor(max(1, min(4, (os.cpu_count() or 2) // 2)), thread_name_prefix="passwords")
        self._waiting = 0
        self.checks = 0

    async def hash(self, password: str) -> str:
        """Return the hash of a password, with its parameters and salt."""
        return await self._aside(lambda: self._hasher.hash(_bytes(password)))

    async def check(self, encoded: str, password: str) -> Checked:
        """Compare a password with a hash."""
        self.checks += 1
        return await self._aside(lambda: self._check(encoded, password))

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _check(self, encoded: str, password: str) -> Checked:
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            self._hasher.verify(encoded, _bytes(password))
        except (VerificationError, InvalidHashError):
            return Checked(right=False)
        return Checked(right=True, stale=self._hasher.check_needs_rehash(encoded))

    async def _aside(self, work: Callable[[], _T]) -> _T:
        if self._waiting >= _MOST_WAITING:
            raise Unavailable("too many are signing in at this moment", retry_after=3)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1


def _bytes(password: str) -> bytes:
    """Return what is hashed: the same for every way in which a keyboard may compose a letter."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
