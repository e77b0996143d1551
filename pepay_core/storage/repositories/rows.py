"""What every repository does with rows."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from piccolo.querystring import QueryString

from pepay_core.domain.errors import InvalidInput, NotFound
from pepay_core.services.paging import Slice
from pepay_core.storage.sessions import is_storable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from piccolo.columns import Column
    from piccolo.custom_types import Combinable
    from piccolo.table import Table

    from pepay_core.services.paging import Page
    from pepay_core.storage.sessions import Session

_T = TypeVar("_T")

_MOST_PARAMETERS: Final = 500


class Repository:
    """Rows of a session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def _select(
        self,
        table: type[Table],
        *where: Combinable,
        order: Sequence[Column] = (),
        ascending: bool = True,
        limit: int | None = None,
        lock: bool = False,
        keep: bool = False,
    ) -> list[dict[str, Any]]:
        query = table.select(_columns(table))
        if where:
            query = query.where(*where)
        if order:
            query = query.order_by(*order, ascending=ascending)
        if limit is not None:
            query = query.limit(limit)
        if lock and self._session.postgres:
            # Keys do not change, so rows that refer to this one may still be written meanwhile.
            query = query.lock_rows("NO KEY UPDATE")
        elif keep and self._session.postgres and not self._session.readonly:
            # They may change meanwhile, but not go: rows that refer to them are about to be written.
            query = query.lock_rows("KEY SHARE")
        return await self._session.rows(query)

    async def _find(self, table: type[Table], id: str, *where: Combinable, lock: bool = False) -> dict[str, Any] | None:
        if not is_storable(id):
            return None
        key: Any = table._meta.primary_key  # noqa: SLF001 - how Piccolo names it
        rows = await self._select(table, key == id, *where, lock=lock)
        return rows[0] if rows else None

    async def _get(self, table: type[Table], what: str, id: str, *where: Combinable, lock: bool = False) -> dict[str, Any]:
        row = await self._find(table, id, *where, lock=lock)
        if row is None:
            raise missing(what, id)
        return row

    async def _insert(self, table: type[Table], *rows: Mapping[str, Any]) -> None:
        await self._session.rows(table.insert(*(table(**row) for row in rows)))

    async def _insert_new(self, table: type[Table], row: Mapping[str, Any]) -> bool:
        """Insert a row unless something unique is taken; tell whether it was inserted. Not an error: that would end the transaction."""
        query = table.insert(table(**row)).on_conflict(action="DO NOTHING").returning(table._meta.primary_key)  # noqa: SLF001
        return bool(await self._session.rows(query))

    async def _upsert(self, table: type[Table], rows: Sequence[Mapping[str, Any]], target: Sequence[Column]) -> None:
        """Insert rows, or write them over those that have the same ``target``; no two of them may."""
        if not rows:
            return
        keys = {column._meta.name for column in target} | {table._meta.primary_key._meta.name}  # noqa: SLF001
        values = [table._meta.get_column_by_name(name) for name in rows[0] if name not in keys]  # noqa: SLF001
        query = table.insert(*(table(**row) for row in rows)).on_conflict(target=tuple(target), action="DO UPDATE", values=values)
        await self._session.rows(query)

    async def _update(self, table: type[Table], values: Mapping[str, Any], *where: Combinable) -> bool:
        """Change rows; tell whether there was one."""
        # By way of a row, where each column adapts its value to the engines.
        row = table(_ignore_missing=True, **values)
        changes: dict[Any, Any] = {table._meta.get_column_by_name(name): getattr(row, name) for name in values}  # noqa: SLF001
        query = table.update(changes).where(*where).returning(table._meta.primary_key)  # noqa: SLF001
        return bool(await self._session.rows(query))

    async def _raw(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        """Run SQL that both engines understand, with ``{}`` for each argument."""
        return await self._session.rows(QueryString(sql, *args))

    async def _of(self, table: type[Table], column: Column, values: Collection[str], *, order: Sequence[Column] = ()) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for some in _chunks(sorted({each for each in values if is_storable(each)})):
            found += await self._select(table, column.is_in(some), order=order)
        return found

    async def _page(
        self,
        table: type[Table],
        key: Column,
        page: Page,
        make: Callable[[dict[str, Any]], _T],
        *where: Combinable,
        scope: Sequence[Combinable] = (),
    ) -> Slice[_T]:
        """Return a page, newest first. A neighbour must be in ``scope``; what is on the page must fulfil ``where`` as well."""
        backwards, neighbour = page.ending_before is not None, page.ending_before or page.starting_after
        conditions: list[Any] = [*scope, *where]
        if neighbour is not None:
            if not is_storable(neighbour) or not await self._select(table, key == neighbour, *scope, limit=1):
                raise unknown_neighbour(page)
            conditions.append(key > neighbour if backwards else key < neighbour)
        rows = await self._select(table, *conditions, order=[key], ascending=backwards, limit=page.limit + 1)
        return cut(rows, page, make)


@cache
def _columns(table: type[Table]) -> QueryString:
    """Return all columns of a table as one piece: Piccolo would write them anew for every query, which takes longer than the query."""
    return QueryString(", ".join(f'"{table._meta.tablename}"."{column._meta.db_column_name}"' for column in table._meta.columns))  # noqa: SLF001


def cut(rows: list[dict[str, Any]], page: Page, make: Callable[[dict[str, Any]], _T]) -> Slice[_T]:
    """Return a page of rows that were read in the direction of paging, one more than the page holds."""
    kept = rows[: page.limit]
    if page.ending_before is not None:
        kept.reverse()
    return Slice(tuple(make(row) for row in kept), len(rows) > page.limit)


def unknown_neighbour(page: Page) -> InvalidInput:
    """Return the error for a neighbour that is not in the list."""
    field = "starting_after" if page.ending_before is None else "ending_before"
    return InvalidInput(f"there is no {(page.ending_before or page.starting_after or '')[:40]!r} in this list", field=field)


def missing(what: str, id: str) -> NotFound:
    """Return the error for something that is not there, or is somebody else's."""
    return NotFound(f"there is no {what} {id[:60]!r}")


def filters(columns: Mapping[str, Callable[[Any], Combinable]], where: Mapping[str, Any]) -> list[Combinable]:
    """Return the conditions for what a caller filters by; None is no filter. Raises InvalidInput for a filter that does not exist."""
    conditions: list[Combinable] = []
    for name, value in where.items():
        if name not in columns:
            raise InvalidInput(f"this list cannot be filtered by {name[:40]!r}", field=name)
        if value is not None:
            conditions.append(columns[name](value))
    return conditions


def _chunks(values: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), _MOST_PARAMETERS):
        yield list(values[start : start + _MOST_PARAMETERS])
