"""How long an API key is valid: one of a few usual times, or as many seconds as somebody says; for ever only to whoever asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

NEVER: Final = "never"
"""What is asked for when a key shall not expire."""

_DAY: Final = 24 * 3600

PRESETS: Final[Mapping[str, int]] = {"1h": 3600, "1d": _DAY, "7d": 7 * _DAY, "30d": 30 * _DAY, "90d": 90 * _DAY, "1y": 365 * _DAY}
"""Seconds by the names of the usual times."""

USUAL: Final = PRESETS["90d"]
"""How long a key is valid of which nothing is said, in seconds."""

SHORTEST: Final = 60
LONGEST: Final = 3660 * _DAY


def read_lifetime(text: str) -> int | None:
    """Return how many seconds one of :data:`PRESETS` is, or None for ``never``; raises InvalidInput."""
    if text == NEVER:
        return None
    try:
        return PRESETS[text]
    except KeyError:
        raise InvalidInput(f"must be a number of seconds, or one of {', '.join(PRESETS)}, {NEVER}", field="expires_in") from None
