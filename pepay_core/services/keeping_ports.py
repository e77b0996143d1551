"""What services need of storage for what only one may do, and for what an installation knows of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.services.records import StoredResponse


class Idempotency(Protocol):
    """Answers remembered by key, so that a repeated request has one effect."""

    async def claim(self, scope: str, key: str, fingerprint: str, now: datetime, until: datetime) -> StoredResponse | None:
        """Take the key for a running request, or return what is stored; raises IdempotencyConflict or RequestInProgress.

        ``now`` is the mark of whoever took it: another one that takes the key over, because ``until`` has passed, has a later mark.
        """
        ...

    async def complete(self, scope: str, key: str, response: StoredResponse, mark: datetime) -> None:
        """Store an answer; raises RequestInProgress when somebody else has taken the key over, and then nothing may be committed."""
        ...

    async def release(self, scope: str, key: str, mark: datetime) -> None:
        """Forget a request that had no effect, unless somebody else has taken the key over."""
        ...

    async def sweep(self, now: datetime) -> None: ...


class Leases(Protocol):
    """Who does what only one may do."""

    async def take(self, name: str, holder: str, now: datetime, until: datetime) -> bool:
        """Take or renew a lease; False while somebody else's is running."""
        ...

    async def insist(self, name: str, holder: str) -> None:
        """Raise Conflict unless the holder still has it; nobody takes it over before this transaction ends."""
        ...

    async def drop(self, name: str, holder: str) -> None: ...


class Facts(Protocol):
    """What an installation knows of itself, by name."""

    async def get(self, name: str) -> str | None: ...
    async def put(self, name: str, value: str) -> None: ...
