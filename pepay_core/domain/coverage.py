"""What has been looked at: contiguous ranges of blocks per chain, and which destinations were being watched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pepay_core.domain.assets import ChainId
    from pepay_core.domain.chains import Block, Destination, Tip
    from pepay_core.domain.ids import InvoiceId, MerchantId, WalletId
    from pepay_core.domain.sources import Source


@dataclass(frozen=True, slots=True)
class Coverage:
    """Blocks ``first`` to ``last`` were looked at without a gap; nothing that arrived up to ``until`` is unknown.

    ``source`` names who answered. A range begins where the source changes, so that adjacent ranges never share one.
    """

    chain: ChainId
    first: int
    last: int
    last_hash: str
    until: datetime
    source: str = ""


def extended(ranges: Sequence[Coverage], chain: ChainId, after: Block, last: Block, until: datetime, source: str) -> list[Coverage]:
    """Return what takes the place of the ranges that reach to ``after`` or above, once the blocks above it up to ``last`` were looked at.

    What was known above ``after`` is void, because those blocks have left the chain. With ``last`` the same as ``after``, only time has passed.
    """
    kept: list[Coverage] = []
    for each in sorted(ranges, key=lambda each: each.first):
        if each.first <= after.height:
            whole = each.last <= after.height
            kept.append(each if whole else replace(each, last=after.height, last_hash=after.hash, until=after.time))
    newest = kept[-1] if kept and kept[-1].last == after.height else None
    if newest is not None and (newest.source == source or last.height == after.height):
        kept[-1] = replace(newest, last=last.height, last_hash=last.hash, until=until)
    else:
        kept.append(Coverage(chain, after.height + 1, last.height, last.hash, until, source))
    return kept


def covered_until(covered: Block, tip: Tip, now: datetime, *, idle: bool) -> datetime:
    """Return up to when everything on a chain is known that was looked at up to a block.

    That is the block's own time. Where blocks come only when there is something in them, time passes at the tip all the same.
    """
    return max(covered.time, now) if idle and covered == tip.block else covered.time


class ChainHealth(StrEnum):
    """How a chain's watcher fares."""

    STARTING = "starting"
    HEALTHY = "healthy"
    IMPAIRED = "impaired"
    """It is watched, and some of the places that it is read from are out."""
    DEGRADED = "degraded"

    @property
    def usable(self) -> bool:
        """Whether payments on the chain are seen."""
        return self in {ChainHealth.HEALTHY, ChainHealth.IMPAIRED}


@dataclass(frozen=True, slots=True)
class ChainState:
    """What the watcher last knew of a chain; ``reason`` says what is wrong while it is impaired or degraded.

    ``pace`` is how many blocks a second it gets through while it catches up with the tip, and None when there is nothing to catch up with.
    """

    chain: ChainId
    health: ChainHealth
    reason: str | None
    tip: int | None
    tip_time: datetime | None
    checked_at: datetime
    pace: int | None = None
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class IssuedDestination:
    """A destination that was given to a buyer for an invoice; watched until ``watch_until``, or for as long as the invoice is open."""

    invoice: InvoiceId
    merchant: MerchantId
    livemode: bool
    family: str
    destination: Destination
    wallet: WalletId
    index: int
    issued_at: datetime
    watch_until: datetime


@dataclass(frozen=True, slots=True)
class Issued:
    """Destinations that a chain must watch, as far as they were issued since a ``mark``, and the mark for the next time.

    ``whole`` says that they are all there are, whatever was asked for.
    """

    destinations: tuple[IssuedDestination, ...]
    mark: int
    whole: bool
