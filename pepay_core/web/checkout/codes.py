"""QR codes as drawings that need no style and no script: one path, three rounded eyes, and room for a mark in the middle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import segno

from pepay_core.domain.assets import family_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_QUIET: Final = 4
_EYE: Final = 7
# The share of the side that the mark takes: a twentieth of the area, where level M forgives three times as much.
_MARK: Final = 0.22


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code: the side of its square in modules, quiet zone included, and how it is drawn.

    ``path`` is to be stroked one module wide; ``eyes`` are the upper left corners of the eyes; the mark goes into the middle of
    the square that begins at ``hole`` and is ``room`` wide.
    """

    side: int
    path: str
    eyes: tuple[tuple[int, int], ...]
    hole: int
    room: int


@lru_cache(512)
def code(text: str) -> Code:
    """Return the code of a text."""
    made = segno.make_qr(text, error="m", boost_error=False)
    matrix = [bytearray(row) for row in made.matrix]
    size = len(matrix)
    corners = ((0, 0), (size - _EYE, 0), (0, size - _EYE))
    room = int(size * _MARK) | 1
    hole = (size - room) // 2
    for x, y, side in (*((*each, _EYE) for each in corners), (hole, hole, room)):
        for row in matrix[y : y + side]:
            row[x : x + side] = bytes(side)
    eyes = tuple((x + _QUIET, y + _QUIET) for x, y in corners)
    return Code(size + 2 * _QUIET, "".join(_strokes(matrix)), eyes, hole + _QUIET, room)


def _strokes(matrix: Sequence[bytearray]) -> Iterator[str]:
    """Return a line for each run of dark modules, from row to row."""
    for y, cells in enumerate(matrix):
        x, pen = 0, None
        while (start := cells.find(1, x)) >= 0:
            x = end if (end := cells.find(0, start)) >= 0 else len(cells)
            yield f"M{start + _QUIET} {y + _QUIET}.5" if pen is None else f"m{start - pen} 0"
            yield f"h{x - start}"
            pen = x


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the codes that a buyer can switch between: ``amount`` (a payment request), ``address`` alone, or this ``page``."""

    kind: str
    text: str

    @property
    def code(self) -> Code:
        """The code itself."""
        return code(self.text)


def choices(option: Mapping[str, Any], natives: Collection[str], page: str, preferred: str | None = None) -> tuple[Choice, ...]:
    """Return the codes for a chosen option, the one to be shown first in front.

    A token of an EVM chain has its bare address in front, which every wallet and exchange reads: several wallets take the token and the
    amount of a payment URI for something else. Everywhere else the payment URI is in front. An address that needs a reference is not
    shown without it. ``preferred`` is the merchant's wish.
    """
    found: list[Choice] = []
    if option["payment_uri"]:
        found.append(Choice("amount", option["payment_uri"]))
    if not option["reference"] or not found:
        found.append(Choice("address", option["destination"]))
    first = preferred or ("address" if family_of(option["chain"]) == "eip155" and option["asset"] not in natives else "amount")
    found.sort(key=lambda each: each.kind != first)
    return (*found, Choice("page", page))
