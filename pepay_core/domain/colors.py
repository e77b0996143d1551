"""Colours as ``#rrggbb``, and how well one can be read on another (WCAG 2.2)."""

from __future__ import annotations

import re
from typing import Final

COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)
READABLE: Final = 4.5
"""The least contrast of text."""
VISIBLE: Final = 3.0
"""The least contrast of what is no text."""

BRAND: Final = "#4f46e5"
"""The accent of pages that ask for no other."""
LIGHT_CARD: Final = "#ffffff"
DARK_CARD: Final = "#12151c"
"""What the hosted page is written on, by day and by night."""
_INKS: Final = ("#ffffff", "#0b1020", "#000000")


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def ink(color: str) -> str:
    """Return what is written on a colour: the first of our inks that can be read on it, of which there is always one."""
    return next(each for each in _INKS if contrast(color, each) >= READABLE)


def lighter(color: str, ground: str, wanted: float) -> str:
    """Return a colour, mixed with as much white as it takes to stand out from a dark ground."""
    channels = _channels(color)
    for share in range(101):
        mixed = "#" + "".join(f"{each + (255 - each) * share // 100:02x}" for each in channels)
        if contrast(mixed, ground) >= wanted:
            return mixed
    return "#ffffff"


def _luminance(color: str) -> float:
    red, green, blue = (_linear(each / 255) for each in _channels(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
