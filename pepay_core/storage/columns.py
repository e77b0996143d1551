"""Column types that keep their promise on both engines. Migrations import them from here, so this path never changes."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from piccolo.columns.base import Column
from piccolo.columns.column_types import Varchar

if TYPE_CHECKING:
    from piccolo.columns.combination import Where
    from piccolo.table import Table

WIDTH: Final = 78
"""The digits of the largest 256-bit number."""

# The name decides the affinity on SQLite: with INT in it the text would become a number, and lose digits.
_SQLITE_TYPE: Final = "BASE_UNITS_TEXT"


class Units(int):
    """A number of base units on its way into the database, where its text sorts as the number does."""


def units(value: float | Decimal) -> Units:
    """Return a value that both engines store without losing a digit; raises ValueError when it is no such number."""
    if isinstance(value, bool | float) or int(value) != value or not 0 <= value < 10**WIDTH:
        raise ValueError(f"{value!r} is not a number of base units")
    return Units(value)


sqlite3.register_adapter(Units, lambda value: f"{int(value):0{WIDTH}d}")
sqlite3.register_converter(_SQLITE_TYPE, int)


class BaseUnits(Column):
    """Base units of an asset, 0 to 2**256 - 1: exact, ordered and comparable on both engines, and always an int in Python.

    Without a sign: what can be negative is stored as a magnitude and a direction.
    """

    value_type = int

    def __init__(self, default: int | None = 0, **kwargs: Any) -> None:
        self.default = None if default is None else units(default)
        kwargs["default"] = default
        super().__init__(**kwargs)

    @property
    def column_type(self) -> str:
        """The type in the dialect of the engine."""
        return f"{_SQLITE_TYPE}({WIDTH})" if self._meta.engine_type == "sqlite" else f"NUMERIC({WIDTH},0)"

    @property
    def ddl(self) -> str:
        """The definition, with a check: a number that came here without becoming :class:`Units` is refused, not stored as it is."""
        name = self._meta.db_column_name
        check = f'length("{name}") = {WIDTH}' if self._meta.engine_type == "sqlite" else f'"{name}" >= 0'
        return f"{super().ddl} CHECK ({check})"

    def get_sql_value(self, value: Any, delimiter: str = "'") -> str:
        """Return the value as DDL writes it."""
        if value is None:
            return "null"
        return f"{delimiter}{int(value):0{WIDTH}d}{delimiter}" if self._meta.engine_type == "sqlite" else str(int(value))

    def __eq__(self, value: object) -> Where:  # type: ignore[override]
        return super().__eq__(_adapted(value))

    def __ne__(self, value: object) -> Where:  # type: ignore[override]
        return super().__ne__(_adapted(value))

    def __lt__(self, value: Any) -> Where:
        return super().__lt__(_adapted(value))

    def __le__(self, value: Any) -> Where:
        return super().__le__(_adapted(value))

    def __gt__(self, value: Any) -> Where:
        return super().__gt__(_adapted(value))

    def __ge__(self, value: Any) -> Where:
        return super().__ge__(_adapted(value))

    def __hash__(self) -> int:
        return hash(self._meta.name)

    def is_in(self, values: Any) -> Where:
        """Compare with several numbers."""
        return super().is_in([_adapted(value) for value in values])

    def not_in(self, values: Any) -> Where:
        """Compare with several numbers."""
        return super().not_in([_adapted(value) for value in values])

    def __get__(self, obj: Table | None, objtype: Any = None) -> Any:
        return self if obj is None else obj.__dict__[self._meta.name]

    def __set__(self, obj: Any, value: Any) -> None:
        obj.__dict__[self._meta.name] = _adapted(value)


def _adapted(value: Any) -> Any:
    return units(value) if isinstance(value, int | float | Decimal) else value


class Id(Varchar):
    """A prefixed id, sorted byte by byte whatever the database's language: ids sort by their time."""

    def __init__(self, default: str | None = "", **kwargs: Any) -> None:
        kwargs.pop("length", None)
        super().__init__(length=None, default=default, **kwargs)

    @property
    def column_type(self) -> str:
        """The type in the dialect of the engine."""
        return "VARCHAR" if self._meta.engine_type == "sqlite" else 'VARCHAR COLLATE "C"'
