"""How often something was done in the last minute: counted in slices of five seconds, exactly, and in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pepay_core.contracts.context import Clock

SLICES: Final = 12
SLICE_MS: Final = 5_000
WINDOW: Final = SLICES * SLICE_MS // 1_000
_MAX_KEYS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Count:
    """What came of asking for one more: whether there was one, how many were taken in the window, and in how many milliseconds there are more."""

    granted: bool
    used: int
    more_in: int


class Counting(Protocol):
    """Counts what is taken of each bucket, so that no window holds more than the limit, whoever asks, and however many at once."""

    async def take(self, bucket: str, limit: int) -> Count:
        """Take one, or be told when to ask again; what is refused costs nothing. Raises StorageUnavailable."""
        ...


def counted(slices: Sequence[int], into_slice: int, limit: int, *, granted: bool) -> Count:
    """Return how a bucket stands, of which ``slices`` were taken, oldest first, ``into_slice`` milliseconds into the last one."""
    used = left = sum(slices)
    for gone, taken in enumerate(slices, start=1):
        left -= taken
        if left < min(used, limit):
            return Count(granted, used, gone * SLICE_MS - into_slice)
    return Count(granted, used, SLICE_MS)


class LocalCounts:
    """Counts in the memory of one process. Of buckets that nobody asked for lately nothing is kept."""

    def __init__(self, clock: Clock, max_keys: int = _MAX_KEYS) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._taken: OrderedDict[str, tuple[int, list[int]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._taken)

    async def take(self, bucket: str, limit: int) -> Count:
        """Take one, or be told when to ask again."""
        moment, into_slice = self._now()
        slices = self._slices(bucket, moment)
        if sum(slices) >= limit:
            return counted(slices, into_slice, limit, granted=False)
        slices[-1] += 1
        self._put(bucket, moment, slices)
        return counted(slices, into_slice, limit, granted=True)

    def look(self, bucket: str, limit: int) -> Count:
        """Tell how a bucket stands, and take nothing."""
        moment, into_slice = self._now()
        slices = self._slices(bucket, moment)
        return counted(slices, into_slice, limit, granted=sum(slices) < limit)

    def _now(self) -> tuple[int, int]:
        return divmod(round(self._clock.monotonic() * 1_000), SLICE_MS)

    def _slices(self, bucket: str, moment: int) -> list[int]:
        """Return what was taken in the slices up to this one."""
        then, slices = self._taken.get(bucket, (moment, [0] * SLICES))
        gone = min(moment - then, SLICES)
        return [*slices[gone:], *[0] * gone]

    def _put(self, bucket: str, moment: int, slices: list[int]) -> None:
        self._taken[bucket] = (moment, slices)
        self._taken.move_to_end(bucket)
        while self._taken and (len(self._taken) > self._max_keys or next(iter(self._taken.values()))[0] <= moment - SLICES):
            self._taken.popitem(last=False)
