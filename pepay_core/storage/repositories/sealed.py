"""Sealed records of any table, for those who seal them anew; and the keyring."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pepay_core.services.records import SealedRecord
from pepay_core.storage.repositories.rows import Repository
from pepay_core.storage.sealed import SEALED
from pepay_core.storage.tables import KeyringRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pepay_core.storage.sealed import SealedColumn

_PLACES: Final = {each.name: each for each in SEALED}


class SealedRepository(Repository):
    """What is declared in ``storage/sealed.py``, place by place."""

    @property
    def places(self) -> Sequence[str]:
        return tuple(_PLACES)

    async def count(self, place: str, mark: bytes) -> int:
        column = _PLACES[place]
        sql = f"SELECT COUNT(*) AS number FROM {column.table._meta.tablename} WHERE {_stale(column)}"  # noqa: S608, SLF001 - from the list above
        return (await self._raw(sql, mark))[0]["number"]

    async def stale(self, place: str, mark: bytes, after: str | int | None, limit: int) -> list[SealedRecord]:
        column = _PLACES[place]
        table, key = column.table._meta.tablename, _key(column)  # noqa: SLF001
        wanted = ", ".join(dict.fromkeys([key, *column.row, column.column, *([column.once_in] if column.once_in else [])]))
        beyond = "" if after is None else f"AND {key} > {{}}"
        sql = f"SELECT {wanted} FROM {table} WHERE {_stale(column)} {beyond} ORDER BY {key} LIMIT {{}}"  # noqa: S608
        rows = await self._raw(sql, mark, *([] if after is None else [after]), limit)
        return [_record(column, row) for row in rows]

    async def replace(self, place: str, record: SealedRecord, sealed: bytes) -> bool:
        column = _PLACES[place]
        table, key = column.table._meta.tablename, _key(column)  # noqa: SLF001
        if column.once_in not in {None, column.column} and record.sealed is None:
            emptied = f"{column.once_in} = {_nothing(column)}"
            sql = f"UPDATE {table} SET {column.column} = {{}}, {emptied} WHERE {key} = {{}} AND {column.column} IS NULL RETURNING {key}"  # noqa: S608
            return bool(await self._raw(sql, sealed, record.key))
        sql = f"UPDATE {table} SET {column.column} = {{}} WHERE {key} = {{}} AND {column.column} = {{}} RETURNING {key}"  # noqa: S608
        return bool(await self._raw(sql, sealed, record.key, record.clear if record.sealed is None else record.sealed))


def _key(column: SealedColumn) -> str:
    return column.table._meta.primary_key._meta.db_column_name  # noqa: SLF001


def _stale(column: SealedColumn) -> str:
    """Return the condition for what the present key has not sealed; a record that was emptied is no record."""
    stale = f"(length({column.column}) > 0 AND substr({column.column}, 1, 9) <> {{}})"
    if column.once_in not in {None, column.column}:
        stale = f"({stale} OR ({column.column} IS NULL AND {column.once_in} <> ''))"
    return stale


def _nothing(column: SealedColumn) -> str:
    """Return what stands where a text stood in clear."""
    once = column.table._meta.get_column_by_name(column.once_in or "")  # noqa: SLF001
    return "NULL" if once._meta.null else "''"  # noqa: SLF001


def _record(column: SealedColumn, row: dict[str, Any]) -> SealedRecord:
    stored: Any = row[column.column]
    clear: Any = None
    if column.once_in == column.column and not bytes(stored).startswith(b"\x01"):
        stored, clear = None, bytes(stored)
    elif stored is None and column.once_in is not None:
        clear = str(row[column.once_in]).encode()
    return SealedRecord(
        key=row[_key(column)],
        purpose=column.purpose,
        row=" ".join(str(row[each]) for each in column.row),
        sealed=None if stored is None else bytes(stored),
        clear=clear,
    )


class KeyringRepository(Repository):
    """Sealed keys by name."""

    async def all(self, *, lock: bool = False) -> dict[str, bytes]:
        if lock and self._session.postgres:
            await self._raw("LOCK TABLE pepay_keyring IN SHARE ROW EXCLUSIVE MODE")
        return {row["name"]: bytes(row["sealed"]) for row in await self._select(KeyringRow, order=[KeyringRow.name])}

    async def add(self, name: str, sealed: bytes) -> None:
        await self._insert_new(KeyringRow, {"name": name, "sealed": sealed})

    async def drop(self, names: Collection[str]) -> None:
        for name in names:
            await self._raw("DELETE FROM pepay_keyring WHERE name = {}", name)
