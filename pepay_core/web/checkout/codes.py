"""QR codes as one SVG path, which needs no style and no script."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import segno

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_QUIET: Final = 4


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code: the side of its square in modules, quiet zone included, and the path of its dark ones."""

    side: int
    path: str


@lru_cache(1024)
def code(text: str) -> Code:
    """Return the code of a text."""
    made = segno.make_qr(text, error="m", boost_error=False)
    matrix = list(made.matrix)
    return Code(len(matrix) + 2 * _QUIET, "".join(_runs(matrix)))


def _runs(matrix: list[Any]) -> Iterator[str]:
    """Return a rectangle for each run of dark modules in a row."""
    for y, row in enumerate(matrix):
        x, cells = 0, bytes(row)
        while (start := cells.find(1, x)) >= 0:
            end = next((at for at in range(start, len(cells)) if not cells[at]), len(cells))
            yield f"M{start + _QUIET} {y + _QUIET}h{end - start}v1h-{end - start}z"
            x = end


def payload(option: Mapping[str, Any], natives: Collection[str]) -> str:
    """Return what a code holds.

    For a token of an EVM chain that is the bare address, which every wallet and exchange reads: several wallets take the token and the
    amount of a payment URI for something else. Everywhere else it is the payment URI.
    """
    uri = option["payment_uri"]
    return uri if uri and (option["asset"] in natives or not option["chain"].startswith("eip155:")) else option["destination"]
