"""What a chain says of one transaction when it is asked: whether it is there, what it brought, and what of it is no payment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pepay_core.domain.assets import Address
    from pepay_core.domain.chains import Block, Transfer


class IgnoredBecause(StrEnum):
    """Why something that looks like a payment is none."""

    FAILED = "failed"
    """The transaction failed, so nothing moved."""
    ZERO = "zero_value"
    """Nothing was sent: an entry that is only there to be seen."""
    UNREGISTERED = "unregistered_token"
    """A token that no running plugin knows, whatever it calls itself."""
    NFT = "not_fungible"
    """A token of which there is one."""
    NOT_ARRIVED = "nothing_arrived"
    """A registered token's contract says that it came, and the balance says otherwise."""
    MALFORMED = "malformed"
    """A registered token's contract said it in another form than its standard has."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something addressed to ``to`` that a scan leaves out; ``asset`` is how the chain names what was sent."""

    reason: IgnoredBecause
    to: Address
    asset: str
    index: str
    units: int | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """One transaction. ``tx`` is its canonical spelling; ``block`` is None while it waits to be mined.

    ``transfers`` is what a scan of its block reports of it for the destinations that were asked about, and ``ignored`` what such a scan
    leaves out. ``named`` is every address and reference that the transaction could concern, whatever was asked about, in canonical spelling.
    """

    tx: str
    block: Block | None = None
    failed: bool = False
    transfers: tuple[Transfer, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    named: frozenset[str] = frozenset()
