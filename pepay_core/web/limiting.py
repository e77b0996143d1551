"""Allowances per minute, counted in this process: exact, and bounded in memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pepay_core.contracts.context import Clock

WINDOW: Final = 60
_NANOSECONDS: Final = WINDOW * 1_000_000_000
_MAX_KEYS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Standing:
    """How an allowance stands after a request asked for its share; ``wait`` is 0 when it was granted."""

    zone: str
    limit: int
    remaining: int
    wait: int

    @property
    def headers(self) -> dict[str, str]:
        """The standing as ``RateLimit`` and ``RateLimit-Policy`` (draft-ietf-httpapi-ratelimit-headers)."""
        until_more = self.wait or ceil(WINDOW / self.limit)
        return {
            "RateLimit-Policy": f'"{self.zone}";q={self.limit};w={WINDOW}',
            "RateLimit": f'"{self.zone}";r={self.remaining};t={until_more}',
        }


class Allowances:
    """Token buckets: a full one lets ``limit`` requests through at once, and fills again within a minute.

    Of each bucket only the moment is kept at which it is full again, and of buckets that nobody asked for lately, nothing.
    """

    def __init__(self, clock: Clock, max_keys: int = _MAX_KEYS) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._full_at: OrderedDict[tuple[str, str], int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, zone: str, key: str, limit: int) -> Standing:
        """Take one request from a bucket, and tell how it stands; what is refused costs nothing."""
        now, each = self._now(), _NANOSECONDS // limit
        filling = self._filling(zone, key, now)
        if filling > _NANOSECONDS - each:
            return Standing(zone, limit, 0, _seconds(filling - _NANOSECONDS + each))
        self._put((zone, key), now + filling + each, now)
        return Standing(zone, limit, (_NANOSECONDS - filling - each) // each, 0)

    def look(self, zone: str, key: str, limit: int) -> Standing:
        """Tell how a bucket stands, and take nothing."""
        each = _NANOSECONDS // limit
        filling = self._filling(zone, key, self._now())
        over = filling - _NANOSECONDS + each
        return Standing(zone, limit, (_NANOSECONDS - filling) // each, _seconds(over) if over > 0 else 0)

    def _now(self) -> int:
        # Whole nanoseconds: a hundred times a hundredth must be the whole.
        return int(self._clock.monotonic() * 1_000_000_000)

    def _filling(self, zone: str, key: str, now: int) -> int:
        """Return how long a bucket needs to be full again."""
        return max(self._full_at.get((zone, key), now) - now, 0)

    def _put(self, bucket: tuple[str, str], full_at: int, now: int) -> None:
        self._full_at[bucket] = full_at
        self._full_at.move_to_end(bucket)
        while self._full_at and (len(self._full_at) > self._max_keys or next(iter(self._full_at.values())) <= now):
            self._full_at.popitem(last=False)


def _seconds(nanoseconds: int) -> int:
    return max(1, ceil(nanoseconds / 1_000_000_000))


def address_key(address: str) -> str:
    """Return what an address is counted under: an IPv6 client has a whole /64, so that is one key."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(IPv6Address(int(ip) >> 64 << 64))
    return str(ip)
