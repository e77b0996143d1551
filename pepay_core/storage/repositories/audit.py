"""The audit log."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.audit import Actor, AuditEntry, microseconds, moment
from pepay_core.storage.repositories.rows import Repository, cut, filters, unknown_neighbour
from pepay_core.storage.sessions import is_storable
from pepay_core.storage.tables import AuditHeadRow, AuditRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from piccolo.custom_types import Combinable

    from pepay_core.domain.ids import MerchantId
    from pepay_core.services.paging import Page, Slice

_HEAD: Final = "head"
_ENVIRONMENT: Final = {True: "live", False: "test"}
_LIVEMODE: Final = {None: None, "live": True, "test": False}

_FILTERS: Final[Mapping[str, Callable[[Any], Combinable]]] = {
    "actor": lambda value: AuditRow.actor == value,
    "action": lambda value: AuditRow.action == value,
    "subject": lambda value: AuditRow.subject == value,
    "created_from": lambda value: AuditRow.at >= microseconds(value),
    "created_to": lambda value: AuditRow.at <= microseconds(value),
}


class AuditRepository(Repository):
    """Entries by their sequence, and one head."""

    async def hold(self) -> bytes | None:
        rows = await self._select(AuditHeadRow, AuditHeadRow.name == _HEAD, lock=True)
        if not rows:
            # Somebody took it away; there must be one to wait at.
            await self._insert_new(AuditHeadRow, {"name": _HEAD, "sealed": None})
            rows = await self._select(AuditHeadRow, AuditHeadRow.name == _HEAD, lock=True)
        return _bytes(rows[0]["sealed"])

    async def add(self, entry: AuditEntry, head: bytes) -> None:
        await self._insert(AuditRow, _row(entry))
        await self._update(AuditHeadRow, {"sealed": head}, AuditHeadRow.name == _HEAD)

    async def head(self) -> bytes | None:
        rows = await self._select(AuditHeadRow, AuditHeadRow.name == _HEAD)
        return _bytes(rows[0]["sealed"]) if rows else None

    async def newest(self) -> AuditEntry | None:
        rows = await self._select(AuditRow, order=[AuditRow.seq], ascending=False, limit=1)
        return _entry(rows[0]) if rows else None

    async def after(self, sequence: int | None, limit: int) -> list[AuditEntry]:
        where = [] if sequence is None else [AuditRow.seq > sequence]
        return [_entry(row) for row in await self._select(AuditRow, *where, order=[AuditRow.seq], limit=limit)]

    async def count(self) -> int:
        return (await self._raw("SELECT COUNT(*) AS number FROM pepay_audit"))[0]["number"]

    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page, where: Mapping[str, Any]) -> Slice[AuditEntry]:
        backwards, neighbour = page.ending_before is not None, page.ending_before or page.starting_after
        # What belongs to no environment is shown in both.
        scope: list[Any] = [AuditRow.merchant == merchant, (AuditRow.environment == _ENVIRONMENT[livemode]) | AuditRow.environment.is_null()]
        conditions = [*scope, *filters(_FILTERS, where)]
        if neighbour is not None:
            found = await self._select(AuditRow, *scope, AuditRow.id == neighbour, limit=1) if is_storable(neighbour) else []
            if not found:
                raise unknown_neighbour(page)
            conditions.append(AuditRow.seq > found[0]["seq"] if backwards else AuditRow.seq < found[0]["seq"])
        rows = await self._select(AuditRow, *conditions, order=[AuditRow.seq], ascending=backwards, limit=page.limit + 1)
        return cut(rows, page, _entry)


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


def _row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "seq": entry.sequence,
        "id": entry.id,
        "at": microseconds(entry.at),
        "actor_kind": str(entry.actor.kind),
        "actor": entry.actor.name,
        "merchant": entry.actor.merchant,
        "environment": None if entry.actor.livemode is None else _ENVIRONMENT[entry.actor.livemode],
        "action": entry.action,
        "subject": entry.subject,
        "details": entry.details,
        "mac": entry.mac,
    }


def _entry(row: dict[str, Any]) -> AuditEntry:
    return AuditEntry(
        sequence=row["seq"],
        id=row["id"],
        at=moment(row["at"]),
        actor=Actor(row["actor_kind"], row["actor"], row["merchant"], _LIVEMODE[row["environment"]]),
        action=row["action"],
        subject=row["subject"],
        details=bytes(row["details"]),
        mac=bytes(row["mac"]),
    )
