"""Pages of lists: by the id of a neighbour, never by counting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pepay_core.domain.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def slice_of(items: Sequence[dict[str, Any]], page: Page) -> Slice[dict[str, Any]]:
    """Return a page of a list that is short enough to be read whole; raises InvalidInput when the neighbour is not in it."""
    neighbour, field = (page.ending_before, "ending_before") if page.ending_before else (page.starting_after, "starting_after")
    if neighbour is None:
        return Slice(tuple(items[: page.limit]), len(items) > page.limit)
    at = next((place for place, item in enumerate(items) if item["id"] == neighbour), None)
    if at is None:
        raise InvalidInput(f"there is no {neighbour[:40]!r} in this list", field=field)
    if page.ending_before:
        return Slice(tuple(items[max(at - page.limit, 0) : at]), at > page.limit)
    return Slice(tuple(items[at + 1 : at + 1 + page.limit]), len(items) > at + 1 + page.limit)
