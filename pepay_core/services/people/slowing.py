"""Guessing gets slower and slower, per account and per address; nobody is ever locked out for good.

A try is counted before it is looked at, in one transaction of the database, so that neither parallel guesses nor several
processes get more tries than one after the other would. One that succeeds is taken back.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import RateLimited

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.contracts.context import Clock
    from pepay_core.secrets import Vault
    from pepay_core.services.ports import Store, Transaction

_FORGOTTEN_AFTER: Final = timedelta(days=1)
_SWEEP_EVERY: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pace:
    """How many failures are free, and how the wait doubles from the first to the longest with each one after them, in seconds."""

    kind: str
    free: int
    most: int
    first: int = 1

    def wait(self, failures: int) -> timedelta:
        """Return how long to wait after so many failures."""
        beyond = failures - self.free
        return timedelta(seconds=0 if beyond <= 0 else min(self.most, self.first * 2 ** min(beyond - 1, 30)))


# An attacker can keep the owner of an account waiting, so the longest wait for an account is short: a minute leaves 1440 guesses a day.
ACCOUNT: Final = Pace("account", free=5, most=60)
ADDRESS: Final = Pace("address", free=20, most=900)
# Whoever gets to the second factor knows the password: six digits need longer waits than that.
SECOND: Final = Pace("second", free=5, most=900)
# Letters are sent to somebody's mailbox: three, and then ever fewer.
LETTER: Final = Pace("letter", free=3, most=86_400, first=300)


@dataclass(frozen=True, slots=True)
class Subject:
    """Of what the tries are counted."""

    pace: Pace
    name: str


class Slowing:
    """Counts tries, and refuses those that come too soon."""

    def __init__(self, store: Store, clock: Clock, vault: Vault) -> None:
        self._store = store
        self._clock = clock
        self._key = vault.derive("tries")
        self._swept: datetime | None = None

    async def take(self, *subjects: Subject) -> None:
        """Count a try; raises RateLimited, and counts nothing, where one comes too soon."""
        now = self._clock.now()
        names = sorted(((self._name(each), each.pace) for each in subjects), key=lambda each: each[0])

        async def work(tx: Transaction) -> None:
            if self._swept is None or now - self._swept >= _SWEEP_EVERY:
                await tx.attempts.sweep(now - _FORGOTTEN_AFTER)
                self._swept = now
            for name, pace in names:
                tries = await tx.attempts.hold(name, now)
                if tries.not_before > now:
                    raise RateLimited("too many tries: wait before the next one", retry_after=math.ceil((tries.not_before - now).total_seconds()))
                failures = 1 if now - tries.tried_at >= _FORGOTTEN_AFTER else tries.failures + 1
                await tx.attempts.save(replace(tries, failures=failures, tried_at=now, not_before=now + pace.wait(failures)))

        await self._store.run(work)

    async def take_back(self, tx: Transaction, *subjects: Subject) -> None:
        """Uncount a try that succeeded; the failures before it stay counted."""
        for subject in subjects:
            tries = await tx.attempts.hold(self._name(subject), self._clock.now())
            await tx.attempts.save(replace(tries, failures=max(0, tries.failures - 1), not_before=self._clock.now()))

    async def forget(self, tx: Transaction, subject: Subject) -> None:
        """Forget all tries, because whoever they were kept from has come."""
        await tx.attempts.forget(self._name(subject))

    def _name(self, subject: Subject) -> str:
        return hmac.digest(self._key, f"{subject.pace.kind} {subject.name}".encode("utf-8", "surrogatepass"), hashlib.sha256).hex()


def from_address(address: str | None) -> tuple[Subject, ...]:
    """Return an address as tries are counted, or nothing where none is known: an IPv6 network of 64 bits is one household."""
    try:
        ip = ip_address(address or "")
    except ValueError:
        return ()
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return (Subject(ADDRESS, str(ip) if ip.version == 4 else str(ip_network(f"{ip}/64", strict=False))),)
