"""Allowances per minute: who may ask how often, and what they are told of it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import StorageUnavailable
from pepay_core.services.allowing import WINDOW, Count, LocalCounts

if TYPE_CHECKING:
    from pepay_core.contracts.context import Clock
    from pepay_core.services.allowing import Counting

_LOCAL_FOR: Final = 5.0
_MAX_REFUSED: Final = 100_000


@dataclass(frozen=True, slots=True)
class Zone:
    """A class of requests that are counted together.

    ``strict``: while the database does not answer, nothing is let through; else each process counts for itself meanwhile.
    """

    name: str
    strict: bool = False


WRITES: Final = Zone("writes", strict=True)
READS: Final = Zone("reads")
BUYERS: Final = Zone("buyers")
STRAYS: Final = Zone("stray")
SIGN_INS: Final = Zone("sign-in", strict=True)
"""Passwords, codes and links that prove who somebody is, by address."""
ACCOUNTS: Final = Zone("account", strict=True)
"""The same, by the account that is asked for."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an allowance stands after a request asked for its share; ``wait`` is 0 when it was granted, else whole seconds."""

    zone: str
    limit: int
    remaining: int
    wait: int
    more_in: int

    @property
    def headers(self) -> dict[str, str]:
        """The standing as ``RateLimit`` and ``RateLimit-Policy`` (draft-ietf-httpapi-ratelimit-headers)."""
        return {
            "RateLimit-Policy": f'"{self.zone}";q={self.limit};w={WINDOW}',
            "RateLimit": f'"{self.zone}";r={self.remaining};t={self.wait or self.more_in}',
        }


class Allowances:
    """Lets ``limit`` requests of a zone and a key through in each minute, in all processes together once they share their counts."""

    def __init__(self, clock: Clock, max_keys: int = _MAX_REFUSED) -> None:
        self._clock = clock
        self._local = LocalCounts(clock, max_keys)
        self._shared: Counting | None = None
        self._local_until = 0.0
        self._refused: OrderedDict[tuple[str, int], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._local)

    def share(self, counts: Counting | None) -> None:
        """Count there from now on."""
        self._shared = counts

    async def take(self, zone: Zone, key: str, limit: int) -> Standing:
        """Take one request, and tell how the allowance stands; what is refused costs nothing.

        Raises StorageUnavailable for a strict zone while nobody can tell.
        """
        bucket = f"{zone.name}:{key}"
        if refused := self._remembered(zone, bucket, limit):
            return refused
        return _standing(zone, limit, await self._count(zone, bucket, limit))

    def refusal(self, zone: Zone, key: str, limit: int) -> Standing | None:
        """Return how an allowance stands that is known to be used up, else None; asks nobody, and takes nothing."""
        bucket = f"{zone.name}:{key}"
        if refused := self._remembered(zone, bucket, limit):
            return refused
        if self._counts is not self._local:
            return None
        count = self._local.look(bucket, limit)
        return None if count.granted else _standing(zone, limit, count)

    @property
    def _counts(self) -> Counting:
        return self._local if self._shared is None or self._clock.monotonic() < self._local_until else self._shared

    async def _count(self, zone: Zone, bucket: str, limit: int) -> Count:
        if self._shared is not None and (zone.strict or self._counts is self._shared):
            try:
                count = await self._shared.take(bucket, limit)
            except StorageUnavailable:
                if zone.strict:
                    raise
                self._local_until = self._clock.monotonic() + _LOCAL_FOR
            else:
                if not count.granted:
                    self._remember(bucket, limit, count)
                return count
        return await self._local.take(bucket, limit)

    def _remembered(self, zone: Zone, bucket: str, limit: int) -> Standing | None:
        """Return a refusal that still holds: nothing comes back before its time, so the database need not be asked again."""
        until = self._refused.get((bucket, limit))
        if until is None:
            return None
        left = round((until - self._clock.monotonic()) * 1_000)
        if left <= 0:
            del self._refused[bucket, limit]
            return None
        return _standing(zone, limit, Count(granted=False, used=limit, more_in=left))

    def _remember(self, bucket: str, limit: int, count: Count) -> None:
        self._refused[bucket, limit] = self._clock.monotonic() + count.more_in / 1_000
        while len(self._refused) > _MAX_REFUSED:
            self._refused.popitem(last=False)


def _standing(zone: Zone, limit: int, count: Count) -> Standing:
    seconds = max(1, -(-count.more_in // 1_000))
    return Standing(zone.name, limit, max(limit - count.used, 0), 0 if count.granted else seconds, seconds)


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
