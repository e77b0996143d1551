"""A database with records in every place that is sealed, and what they say."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from piccolo.columns import BigSerial, Boolean, Bytea, ForeignKey, Timestamptz

from pepay_core.clock import SystemClock
from pepay_core.domain.ids import MerchantId
from pepay_core.services.recording import Recorder, operator
from pepay_core.storage.columns import BaseUnits
from pepay_core.storage.sealed import SEALED
from pepay_core.storage.tables import AuditHeadRow, AuditRow

if TYPE_CHECKING:
    from piccolo.table import Table

    from pepay_core.secrets import Vault

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
_numbers = itertools.count(1)


class Filling:
    """Makes rows of any table: what a row says matters only where it is sealed."""

    def __init__(self, tx: Any, vault: Vault) -> None:
        self._tx, self._vault = tx, vault
        self._known: dict[Any, Any] = {}

    async def row(self, table: type[Table]) -> dict[str, Any]:
        number = next(_numbers)
        row: dict[str, Any] = {}
        told = {name for each in SEALED if each.table is table for name in each.row}
        for column in table._meta.columns:
            name = column._meta.name
            if isinstance(column, ForeignKey):
                row[name] = None if column._meta.null else await self._neighbour(column)
            elif not isinstance(column, BigSerial) and not column._meta.null:
                value = _value(column, f"{table._meta.tablename}_{name}_{number}")
                row[name] = number if value == 0 and name in told else value
        for each in SEALED:
            if each.table is table:
                row_id = " ".join(str(row[name]) for name in each.row)
                row[each.column] = self._vault.seal(each.purpose, row_id, f"{each.name} {row_id}".encode())
        await self._tx.facts._insert(table, row)
        return row

    async def _neighbour(self, column: ForeignKey) -> Any:
        table = column._foreign_key_meta.resolved_references
        if table not in self._known:
            self._known[table] = await self.row(table)
        return self._known[table][column._foreign_key_meta.resolved_target_column._meta.name]


def _value(column: Any, text: str) -> Any:
    if isinstance(column, Timestamptz):
        return NOW
    if isinstance(column, Boolean):
        return False
    if isinstance(column, Bytea):
        return text.encode()
    if isinstance(column, BaseUnits) or column.value_type is int:
        return 0
    return text


async def fill(store: Any, vault: Vault, rows: int) -> None:
    """Put so many records into every sealed place."""
    recorder = Recorder(SystemClock(), vault)
    for table in dict.fromkeys(each.table for each in SEALED):
        if table not in {AuditRow, AuditHeadRow}:
            async with store.begin() as tx:
                filling = Filling(tx, vault)
                for _ in range(rows):
                    await filling.row(table)
    async with store.begin() as tx:
        for number in range(rows):
            await recorder.note(tx, operator(MerchantId("mer_1")), "test.noted", str(number), {"number": number})


async def read(store: Any, vault: Vault) -> dict[tuple[str, Any], bytes]:
    """Open every record there is, and return what they say; raises ConfigError for one that does not open."""
    found: dict[tuple[str, Any], bytes] = {}
    async with store.read() as tx:
        for place in tx.sealed.places:
            after = None
            while batch := await tx.sealed.stale(place, bytes(9), after, 500):
                after = batch[-1].key
                for each in batch:
                    assert each.sealed is not None, f"{place} {each.key} is in clear"
                    found[place, each.key] = vault.open(each.purpose, each.row, each.sealed)
    return found


async def sealed_by(store: Any) -> set[str]:
    """Return the ids of the master keys that sealed anything."""
    found: set[str] = set()
    async with store.read() as tx:
        for place in tx.sealed.places:
            after = None
            while batch := await tx.sealed.stale(place, bytes(9), after, 500):
                after = batch[-1].key
                found |= {(each.sealed or b"")[1:9].hex() for each in batch}
    return found
