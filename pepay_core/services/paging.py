"""Pages of lists: by the id of a neighbour, never by counting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Page:
    """At most ``limit`` objects after, or before, the object with an id; both None: the first page."""

    limit: int = 10
    starting_after: str | None = None
    ending_before: str | None = None


@dataclass(frozen=True, slots=True)
class Slice(Generic[_T]):
    """One page, in the list's own order, and whether there is more beyond it in the direction of paging."""

    items: tuple[_T, ...]
    has_more: bool
