"""The places that a chain is read from, and what they say of each other's reports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Testimony(StrEnum):
    """What the other sources of a chain say of a transfer that one of them reported."""

    AGREED = "agreed"
    """Another source holds the same transfer in the same block."""
    AWAITED = "awaited"
    """No other source has answered, and one is expected to soon."""
    UNHEARD = "unheard"
    """No other source answers, and none has for a while."""
    CONTRADICTED = "contradicted"
    """Sources say different things, and no majority decides between them."""
    REFUTED = "refuted"
    """The majority, and two sources at least, says that the chain does not hold it."""


class SourceState(StrEnum):
    """What a source is used for at the moment."""

    SERVING = "serving"
    STANDBY = "standby"
    RESTING = "resting"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Source:
    """One of the places that a chain is read from: its name without any credential, its state and why, and its newest block."""

    label: str
    state: SourceState
    reason: str | None = None
    head: int | None = None

    @property
    def well(self) -> bool:
        """Whether it can be used."""
        return self.state in {SourceState.SERVING, SourceState.STANDBY}
