"""The kinds of column that tables are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from piccolo.columns import ForeignKey, OnDelete, Text, Timestamptz

from pepay_core.storage.columns import Id

if TYPE_CHECKING:
    from piccolo.table import Table


def key() -> Id:
    """Return the column of an id."""
    return Id(primary_key=True)


def text() -> Text:
    """Return a column of text."""
    return Text()


def maybe_text() -> Text:
    """Return a column of text, or of nothing."""
    return Text(default=None, null=True)


def time() -> Timestamptz:
    """Return a column of a moment."""
    return Timestamptz(default=None)


def maybe_time() -> Timestamptz:
    """Return a column of a moment, or of nothing."""
    return Timestamptz(default=None, null=True)


def to(table: type[Table], on_delete: OnDelete = OnDelete.restrict) -> ForeignKey[Any]:
    """Return a column that leads to a row of another table."""
    return ForeignKey(table, on_delete=on_delete, null=False)


def maybe_to(table: type[Table]) -> ForeignKey[Any]:
    """Return a column that leads to a row of another table, or nowhere."""
    return ForeignKey(table, on_delete=OnDelete.restrict, null=True)
