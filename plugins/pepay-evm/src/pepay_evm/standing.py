"""How one endpoint fares: what it may be used for now, and how well it has done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pepay_core.api import Source, SourceState

if TYPE_CHECKING:
    from pepay_core.api import Block, Clock

_LONGEST_REST: Final = 60.0
_LONGEST_QUARANTINE: Final = 3600.0
_GOOD_CONDUCT: Final = 900.0
_SMOOTH: Final = 0.2
_DOUBT: Final = 4.0
_FORGOTTEN: Final = 60.0  # seconds after which half of a doubt is left
_FAILED: Final = 2  # failures in a row after which an endpoint is shown as resting
PATIENCE: Final = 120.0
"""For how many seconds an endpoint that is out is expected to come back."""


class Standing:
    """The record of one endpoint."""

    def __init__(self, label: str, clock: Clock) -> None:
        self.label = label
        self._clock = clock
        self.head: Block | None = None
        self.behind = 0
        """Blocks that its newest block is behind that of the others."""
        self.halted: str | None = None
        """Why it is believed to stand still, where that is not certain enough to use it no more."""
        self.losses = 0
        """How often it has failed so far."""
        self._failures = 0
        self._limits = 0
        self._errors = 0.0
        self._latency = 0.0
        self._doubts = 0.0
        self._doubted_at = 0.0
        self._reason: str | None = None
        self._rests_until = 0.0
        self._compare_at = 0.0
        self._quarantined = False
        self._probe_at = 0.0
        self._strikes = 0
        self._readmitted_at = 0.0
        self._lost_at: float | None = None

    def answered(self, seconds: float) -> None:
        """Note a whole and well-formed answer."""
        self._failures = self._limits = 0
        self._compare_at = 0.0
        self._errors *= 1 - _SMOOTH
        self._latency += _SMOOTH * (seconds - self._latency)
        if not self._quarantined:
            self._reason = self._lost_at = None

    def failed(self, reason: str) -> None:
        """Note that it could not be used."""
        self.losses += 1
        self._failures += 1
        self._errors += _SMOOTH * (1 - self._errors)
        self._compare_at = self._clock.monotonic() + min(2.0**self._failures, _LONGEST_REST)
        self._lose(reason)

    def limited(self, seconds: float | None, reason: str) -> None:
        """Leave it alone for as long as it asks, or longer each time where it does not say."""
        self._limits += 1
        rest = seconds if seconds is not None else min(2.0 ** (self._limits - 1), _LONGEST_REST)
        self._rests_until = self._clock.monotonic() + rest
        self._lose(reason)

    def _lose(self, reason: str) -> None:
        if not self._quarantined:
            self._reason = reason
        if self._lost_at is None:
            self._lost_at = self._clock.monotonic()

    def doubt(self) -> None:
        """Note that what it showed last did not last: as likely bad luck as bad faith, so others are only preferred for a while."""
        self._doubts = self._doubt + 1.0
        self._doubted_at = self._clock.monotonic()

    @property
    def _doubt(self) -> float:
        return self._doubts * 0.5 ** ((self._clock.monotonic() - self._doubted_at) / _FORGOTTEN)

    def quarantine(self, reason: str, seconds: float, *, longest: float = _LONGEST_QUARANTINE) -> None:
        """Use it no more until a probe, after so many seconds and twice as many each further time, finds it in order."""
        now = self._clock.monotonic()
        if self._quarantined and now < self._probe_at:
            return
        if not self._quarantined and now - self._readmitted_at > _GOOD_CONDUCT:
            self._strikes = 0
        self._lose(reason)
        self._quarantined, self._reason = True, reason
        self._probe_at = now + min(seconds * 2**self._strikes, longest)
        self._strikes = min(self._strikes + 1, 12)

    def readmit(self) -> None:
        """Use it again."""
        if self._quarantined:
            self._quarantined, self._reason, self._lost_at = False, None, None
            self._readmitted_at = self._clock.monotonic()

    @property
    def quarantined(self) -> bool:
        """Whether it must not be used."""
        return self._quarantined

    @property
    def may_be_asked(self) -> bool:
        """Whether it does not rest, and any quarantine has lasted long enough for a probe."""
        now = self._clock.monotonic()
        return now >= self._rests_until and (not self._quarantined or now >= self._probe_at)

    @property
    def may_be_compared(self) -> bool:
        """Whether asking it besides the others is worth while: one that failed is asked ever less often."""
        return self.may_be_asked and self._clock.monotonic() >= self._compare_at

    @property
    def usable(self) -> bool:
        """Whether it may serve."""
        return self.may_be_asked and not self._quarantined

    @property
    def expected(self) -> bool:
        """Whether it has not been out for long, so that its word is worth waiting for."""
        return self._lost_at is None or self._clock.monotonic() - self._lost_at < PATIENCE

    @property
    def reason(self) -> str:
        """Why it is not used."""
        return self._reason or f"{self.label} does not answer"

    def cost(self, block_seconds: float) -> float:
        """Return how much there is against using it, in seconds that would be lost."""
        behind = self.behind * block_seconds if self.behind > 1 else 0.0
        return min(2.0 * self._failures, 30.0) + behind + _DOUBT * self._doubt + 5.0 * self._errors + self._latency

    def source(self, *, serving: bool) -> Source:
        """Return how it is shown."""
        if self._quarantined:
            state = SourceState.QUARANTINED
        elif not self.may_be_asked or self._failures >= _FAILED or self.halted:
            state = SourceState.RESTING
        else:
            state = SourceState.SERVING if serving else SourceState.STANDBY
        well = state in {SourceState.SERVING, SourceState.STANDBY}
        return Source(self.label, state, None if well else self._reason or self.halted or self.reason, self.head.height if self.head else None)
