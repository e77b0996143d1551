"""Exchange rates: what providers say, which of it is believed, and the evidence for that."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from pepay_core.domain import money

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

RATE_DECIMALS: Final = 18
"""How exact a rate is: decimals where it is above one, significant digits below."""

MIN_RATE: Final = Decimal("1e-18")
MAX_RATE: Final = Decimal("1e18")
"""Nothing costs more or less of anything than this: what lies outside is a mistake of its source."""

_MOST_DIGITS: Final = 100  # more are no price, and would not fit into exact arithmetic

_PRICE: Final = re.compile(r"[0-9]{1,40}(\.[0-9]{1,60})?([eE][-+]?[0-9]{1,3})?")


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


def plausible(value: object) -> bool:
    """Tell whether something is a number, exact, and such as the price of something can be."""
    return isinstance(value, Decimal) and value.is_finite() and MIN_RATE <= value <= MAX_RATE and len(value.as_tuple().digits) <= _MOST_DIGITS


def read_price(value: object) -> Decimal | None:
    """Return what a source wrote as a price, exactly; None when it is no price at all.

    Takes what decoded JSON has: a text, an integer or a Decimal. Not a float, whose digits nobody wrote.
    """
    if isinstance(value, str):
        price = Decimal(value) if _PRICE.fullmatch(value) else None
    elif type(value) is int or isinstance(value, Decimal):
        price = Decimal(value)
    else:
        price = None
    return price if price is not None and plausible(price) else None


def median(values: Sequence[Decimal]) -> Decimal:
    """Return the middle value, or the mean of the two middle ones."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return money.divide(money.add(ordered[middle - 1], ordered[middle]), Decimal(2))


def agree(answers: Mapping[str, Rate], *, now: datetime, max_age: timedelta, max_deviation: Decimal, quorum: int) -> AgreedRate | NoRate:
    """Return the median of the answers that are recent and close to each other, if at least ``quorum`` are.

    An answer that is no price at all, older than ``max_age``, from further in the future than that, or further
    from the median than the share ``max_deviation`` is dropped, and stays in the evidence with the reason.
    """
    judged: dict[str, Evidence] = {}
    fresh: list[Decimal] = []
    for provider, rate in sorted(answers.items()):
        dropped = None
        if not plausible(rate.value):
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
            if evidence.used and money.subtract(evidence.value, centre).copy_abs() > allowed:
                judged[provider] = Evidence(provider, evidence.value, evidence.at, "deviation")

    evidence = tuple(judged.values())
    used = [each for each in evidence if each.used]
    if len(used) < max(quorum, 1):
        return NoRate(f"{len(used)} of {len(evidence)} providers agree, {quorum} are needed", evidence)
    value = median([each.value for each in used])
    return AgreedRate(round_rate(value), min(each.at for each in used), evidence)


def round_rate(value: Decimal) -> Decimal:
    """Return a rate with 18 decimals, or 18 significant digits below one, half even: neither side gains from it, and none becomes zero."""
    decimals = RATE_DECIMALS - min(value.adjusted() + 1, 0)
    return value.quantize(Decimal(1).scaleb(-decimals), context=money.WIDE)
