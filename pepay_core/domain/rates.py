"""Exchange rates: what providers say, which of it is believed, and the evidence for that."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from pepay_core.domain import money

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

RATE_DECIMALS = 18


@dataclass(frozen=True, slots=True)
class Pair:
    """What a rate is between: the CoinGecko id of a coin, and the currency in which one of it is priced."""

    base: str
    quote: str


@dataclass(frozen=True, slots=True)
class Rate:
    """One provider's word: the price of one unit of the base, and when that was its price."""

    value: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """One provider's answer and what became of it; ``dropped`` is None, ``stale``, ``deviation`` or ``invalid``."""

    provider: str
    value: Decimal
    at: datetime
    dropped: str | None = None

    @property
    def used(self) -> bool:
        """Whether the answer counted."""
        return self.dropped is None


@dataclass(frozen=True, slots=True)
class AgreedRate:
    """A rate that a quorum stands for; ``at`` is the time of the oldest answer that counted."""

    value: Decimal
    at: datetime
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class NoRate:
    """There is no rate, and why: fewer than the quorum were left."""

    reason: str
    evidence: tuple[Evidence, ...]


def median(values: Sequence[Decimal]) -> Decimal:
    """Return the middle value, or the mean of the two middle ones."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return money.divide(money.add(ordered[middle - 1], ordered[middle]), Decimal(2))


def agree(answers: Mapping[str, Rate], *, now: datetime, max_age: timedelta, max_deviation: Decimal, quorum: int) -> AgreedRate | NoRate:
    """Return the median of the answers that are recent and close to each other, if at least ``quorum`` are.

    An answer that is not a positive finite number, older than ``max_age``, from further in the future than that, or further
    from the median than the share ``max_deviation`` is dropped, and stays in the evidence with the reason.
    """
    judged: dict[str, Evidence] = {}
    fresh: list[Decimal] = []
    for provider, rate in sorted(answers.items()):
        dropped = None
        if not rate.value.is_finite() or rate.value <= 0:
            dropped = "invalid"
        elif abs(now - rate.at) > max_age:
            dropped = "stale"
        else:
            fresh.append(rate.value)
        judged[provider] = Evidence(provider, rate.value, rate.at, dropped)

    if fresh:
        centre = median(fresh)
        allowed = money.multiply(centre, max_deviation)
        for provider, evidence in judged.items():
            if evidence.used and abs(money.subtract(evidence.value, centre)) > allowed:
                judged[provider] = Evidence(provider, evidence.value, evidence.at, "deviation")

    evidence = tuple(judged.values())
    used = [each for each in evidence if each.used]
    if len(used) < max(quorum, 1):
        return NoRate(f"{len(used)} of {len(evidence)} providers agree, {quorum} are needed", evidence)
    value = median([each.value for each in used])
    return AgreedRate(round_rate(value), min(each.at for each in used), evidence)


def round_rate(value: Decimal) -> Decimal:
    """Return a rate with 18 decimals, half even: neither side gains from it."""
    return value.quantize(Decimal(1).scaleb(-RATE_DECIMALS), context=money.WIDE)
