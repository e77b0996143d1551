"""What is drawn is the code, but for what is left out on purpose."""

from __future__ import annotations

import re

import pytest
import segno

from pepay_core.web.checkout.codes import code

TEXTS = [
    "0x7A58c0Be72BE218B41C608b7Fe7C5bB630736C71",
    "solana:" + "7" * 44 + "?amount=25.01&reference=" + "8" * 44,
    "https://pay.example/" + "x" * 90,
]


def dark(path):
    """Return the modules that a path covers."""
    found, x, y = set(), 0, 0
    for move, first, second, run in re.findall(r"([Mm])(\d+) (\d+(?:\.5)?)|h(\d+)", path):
        if run:
            found |= {(x + at, y) for at in range(int(run))}
            x += int(run)
        elif move == "M":
            x, y = int(first), int(float(second))
        else:
            x += int(first)
    return found


@pytest.mark.parametrize("text", TEXTS)
def test_the_drawing_is_the_code_with_room_for_eyes_and_mark(text):
    matrix = list(segno.make_qr(text, error="m", boost_error=False).matrix)
    made = code(text)
    size = len(matrix)
    assert made.side == size + 8
    left_out = {
        (x + dx, y + dy)
        for x, y, side in [*((ex, ey, 7) for ex, ey in made.eyes), (made.hole, made.hole, made.room)]
        for dx in range(side)
        for dy in range(side)
    }
    wanted = {(x + 4, y + 4) for y, row in enumerate(matrix) for x, cell in enumerate(row) if cell} - left_out
    assert dark(made.path) == wanted
    assert made.room**2 <= 0.06 * size**2
