"""The short run: seeds until there were 5,000 hard faults, four times, in files of their own so that several workers share them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulation.report import run_all

if TYPE_CHECKING:
    from pathlib import Path

    from simulation.report import Total

PARTS: Final = range(1, 5)
PART: Final = 5_000
"""Hard faults in each of four parts: 20,000 altogether."""

_MOST: Final = 50


def total_of(part: int, empty: Path) -> Total:
    """Play one of the four parts."""
    return run_all(range(part * 1000, part * 1000 + _MOST), empty, hard=PART)


def play(part: int, empty: Path) -> None:
    """Play one of the four parts; fails where anything was violated, or too little happened to mean anything."""
    total = total_of(part, empty)
    assert not total.violations, str(total)
    assert total.hard >= PART, str(total)
    assert total.payments >= 10 * total.seeds, str(total)
