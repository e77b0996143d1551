"""What may go wrong, how often with this seed, and how often it did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

# The most often that a fault happens, as a share of the occasions on which it could. Each seed has its own share of some of them.
HARD: Final = {
    "crash": 0.0,
    "crash before commit": 0.04,
    "crash after commit": 0.04,
    "commit refused": 0.08,
    "commit unheard": 0.08,
    "database locked": 0.08,
    "read refused": 0.02,
    "node refuses": 0.20,
    "node answers late": 0.08,
    "node answers 429": 0.20,
    "node answers 5xx": 0.20,
    "node answers half": 0.20,
    "node answers a page": 0.10,
    "node leaves out an answer": 0.20,
    "node answers twice": 0.10,
    "node answers an error": 0.15,
    "node leaves out events": 0.40,
    "node answers null": 0.15,
    "node is of another chain": 0.03,
    "node is on a fork": 0.06,
    "node reorganises while it answers": 0.06,
    "reorganisation": 0.0,
    "receiver refuses": 0.20,
    "receiver answers 5xx": 0.30,
    "receiver hangs": 0.06,
    "receiver accepts unheard": 0.20,
    "rates fail": 0.20,
    "rates hang": 0.05,
}
"""Errors, time-outs, truncations, lies, crashes and reorganisations."""

SOFT: Final = {
    "node lags": 0.30,
    "node answers in another order": 0.30,
    "node answers slowly": 0.10,
    "receiver is slow": 0.20,
    "rates are wrong": 0.10,
    "rates are old": 0.10,
    "pause": 0.0,
}
"""What is unpleasant, and not counted as a fault."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What is settled before any seed decides: kinds of faults that happen as often as can be, and kinds that do not happen.

    ``shares`` are kinds that happen as often as is said there; ``gusty`` says whether bad weather comes and goes, ``processes`` how many
    there are.
    """

    rough: tuple[str, ...] = ()
    calm: tuple[str, ...] = ()
    gusty: bool | None = None
    processes: int | None = None
    shares: tuple[tuple[str, float], ...] = ()


USUAL: Final = Weather()


class Faults:
    """Decides whether a fault happens; every seed has some kinds of them, more or less often."""

    def __init__(self, chance: random.Random, weather: Weather) -> None:
        self.on = True
        self.level = 1.0
        """By how much everything is less frequent at the moment: bad weather comes in gusts, or nothing would ever get on."""
        self.count: Counter[str] = Counter()
        self._chance = chance
        self.gusty = chance.random() < 0.4 if weather.gusty is None else weather.gusty
        most = {**HARD, **SOFT}
        self._shares = {kind: share * chance.uniform(0.2, 1.0) for kind, share in most.items() if chance.random() < 0.7}
        self._shares |= {kind: most[kind] for kind in weather.rough}
        self._shares |= dict.fromkeys(weather.calm, 0.0)
        self._shares |= dict(weather.shares)

    def strikes(self, kind: str) -> bool:
        """Tell whether it happens this time, and count it."""
        share = self._shares.get(kind)
        if not share or not self.on or self._chance.random() >= share * self.level:
            return False
        self.count[kind] += 1
        return True

    def happened(self, kind: str) -> None:
        """Count something that happened for a reason of its own."""
        self.count[kind] += 1

    @property
    def hard(self) -> int:
        """How many there were of those that count."""
        return sum(number for kind, number in self.count.items() if kind in HARD)
