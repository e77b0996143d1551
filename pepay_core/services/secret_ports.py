"""What the audit log, the keyring and the sealing of records need of storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pepay_core.domain.audit import AuditEntry
    from pepay_core.domain.ids import MerchantId
    from pepay_core.services.paging import Page, Slice
    from pepay_core.services.records import SealedRecord


class AuditLog(Protocol):
    """The audit log: entries are added, and nothing else ever happens to them."""

    async def hold(self) -> bytes | None:
        """Let nobody else add an entry before the transaction ends, and return the sealed head; None where there is none."""
        ...

    async def add(self, entry: AuditEntry, head: bytes) -> None:
        """Store an entry, and the head that goes with it."""
        ...

    async def head(self) -> bytes | None: ...
    async def newest(self) -> AuditEntry | None: ...
    async def count(self) -> int: ...
    async def after(self, sequence: int | None, limit: int) -> list[AuditEntry]:
        """Return the next entries in their order, of everybody; from the lowest on without a number."""
        ...

    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page, where: Mapping[str, Any]) -> Slice[AuditEntry]:
        """Return a merchant's entries, newest first; ``where``: actor, action, subject, created_from, created_to (all optional)."""
        ...


class SealedRecords(Protocol):
    """Every place in which there are sealed records, for those who seal them anew."""

    @property
    def places(self) -> Sequence[str]: ...
    async def count(self, place: str, mark: bytes) -> int:
        """Return how many records of a place do not begin with a mark; those in clear are among them."""
        ...

    async def stale(self, place: str, mark: bytes, after: str | int | None, limit: int) -> list[SealedRecord]:
        """Return the next of them, by the key of their row."""
        ...

    async def replace(self, place: str, record: SealedRecord, sealed: bytes) -> bool:
        """Store a record in place of one that was read; False, and nothing is done, where somebody has changed it since."""
        ...


class Keyring(Protocol):
    """Keys that are sealed with master keys."""

    async def all(self, *, lock: bool = False) -> dict[str, bytes]:
        """Return them by name; ``lock`` lets nobody else add or drop one before the transaction ends."""
        ...

    async def add(self, name: str, sealed: bytes) -> None:
        """Store one, unless there is one of this name."""
        ...

    async def drop(self, names: Collection[str]) -> None: ...
