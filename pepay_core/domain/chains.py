"""What a chain tells about itself: blocks, transfers, destinations, and when money on it is final."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Flag, auto
from typing import TYPE_CHECKING, Final

from pepay_core.domain.money import MAX_BASE_UNITS
from pepay_core.domain.sources import Testimony

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from pepay_core.domain.assets import Address, AssetId, ChainId

FINALIZED: Final = "finalized"

BALANCE: Final = "balance:"
"""How the ``tx`` of a transfer begins that only a balance proves: ``balance:<address>:<block hash>``."""


class Feature(Flag):
    """What a chain driver can do beyond the minimum."""

    NONE = 0
    REORGS = auto()
    """Blocks can leave the chain again."""
    TOKENS = auto()
    """More assets than the native coin."""
    SEVERAL_PER_TRANSACTION = auto()
    """One transaction can carry several transfers to one destination."""
    SPEND = auto()
    """The driver can also send money."""
    BALANCES = auto()
    """The driver can tell what lies at a destination."""
    INSPECT = auto()
    """The driver can say what became of one transaction."""
    SHORTCOMINGS = auto()
    """A wallet may lack what it needs to be paid in an asset."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block by height and hash; ``time`` is the block's own, in UTC."""

    height: int
    hash: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Tip:
    """The newest block of a healthy endpoint, and the height up to which the chain itself calls blocks final, where it does.

    ``witnessed`` is the height that a second source has reached as well, where several are read: nothing above it counts as depth.
    """

    block: Block
    finalized: int | None = None
    witnessed: int | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one invoice is paid on one family of chains: an address, with a reference where the chain has such a thing."""

    address: Address
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """What makes a destination distinct: ``index`` is allocated by core per wallet and never used twice; ``key`` is 32 random bytes."""

    index: int
    key: bytes


@dataclass(frozen=True, slots=True)
class Transfer:
    """A chain fact: value arrived. Identity is ``(chain, tx, index, asset)``; everything else is location or content.

    ``index`` is the transfer's ordinal inside its transaction, as text, and does not depend on what is being watched:
    ``0`` for the top-level native value, ``1 + position in the receipt`` for a log, ``t`` + trace position for an internal value.
    ``units`` is in base units and positive. ``tx`` is ``balance:…`` where only a balance proves the arrival.
    """

    chain: ChainId
    tx: str
    index: str
    asset: AssetId
    to: Destination
    units: int
    block: Block
    sender: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is not a positive integer of base units: a float here would be lost money."""
        if type(self.units) is not int or not 0 < self.units <= MAX_BASE_UNITS:
            msg = "units must be a positive int of base units, below 2**256"
            raise TypeError(msg)
        if type(self.index) is not str or not self.index:
            msg = "index must be a non-empty str"
            raise TypeError(msg)

    @property
    def key(self) -> tuple[ChainId, str, str, AssetId]:
        """What identifies the transfer for ever, across reorganisations."""
        return (self.chain, self.tx, self.index, self.asset)

    @property
    def internal(self) -> bool:
        """Whether a contract sent the native coin, inside its transaction."""
        return self.index.startswith("t")

    @property
    def by_balance(self) -> bool:
        """Whether no transaction could be named, and a balance alone proves the arrival."""
        return self.tx.startswith(BALANCE)


@dataclass(frozen=True, slots=True)
class Departure:
    """A chain fact: what lay at a destination went on to its owner, as a flush does it. Identity is as that of a transfer.

    Drivers tell every one that they can see, whoever's it is: long after nobody watches a destination it is still flushed.
    """

    chain: ChainId
    tx: str
    index: str
    asset: AssetId
    source: Destination
    to: Address
    units: int
    block: Block

    @property
    def key(self) -> tuple[ChainId, str, str, AssetId]:
        """What identifies the departure for ever, across reorganisations."""
        return (self.chain, self.tx, self.index, self.asset)


@dataclass(frozen=True, slots=True)
class Scan:
    """What one look at a range of blocks found.

    ``cursor`` is the last block looked at; ``headers`` are the blocks of the range that a later walk back may need, oldest first,
    ending with the cursor. ``transfers`` is everything that arrived at a watched destination in the range, in chain order, and
    ``departures`` what left one for its owner. ``source`` names who answered, without any credential.
    """

    cursor: Block
    headers: tuple[Block, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    departures: tuple[Departure, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class FinalityBand:
    """Payments worth up to ``up_to`` (in the invoice's currency; None: any) are final after ``blocks``, or at the finalized tag if None."""

    up_to: Decimal | None
    blocks: int | None


@dataclass(frozen=True, slots=True)
class Finality:
    """When a payment on a chain is final, by its value: the first band that covers it decides.

    Where a chain is read from several sources, a second one must agree. ``alone_up_to`` is how much (in the invoice's currency; None:
    any amount) one source is believed alone while no other answers.
    """

    bands: tuple[FinalityBand, ...]
    alone_up_to: Decimal | None = None

    def __post_init__(self) -> None:
        """Insist on a last band without limit, so that every amount has a rule."""
        if not self.bands or self.bands[-1].up_to is not None:
            msg = "the last band must have no limit"
            raise ValueError(msg)

    @classmethod
    def confirmations(cls, blocks: int) -> Finality:
        """Return the rule: final after this many blocks, the transfer's own block being the first."""
        return cls((FinalityBand(None, blocks),))

    @classmethod
    def finalized(cls) -> Finality:
        """Return the rule: final when the chain says so."""
        return cls((FinalityBand(None, None),))

    def band(self, value: Decimal | None) -> FinalityBand:
        """Return the band for a value; an unknown value gets the strictest, which is the last."""
        if value is not None:
            for band in self.bands:
                if band.up_to is None or value <= band.up_to:
                    return band
        return self.bands[-1]

    def preferring(self, own: Finality | None) -> Finality:
        """Return the rule with the bands of another where there is one: who must agree is never a preference."""
        return self if own is None else replace(self, bands=own.bands)

    def believes(self, testimony: Testimony | None, value: Decimal | None) -> bool:
        """Tell whether what the other sources say of a transfer allows it to be final; None: there is nobody to ask."""
        if testimony is Testimony.UNHEARD:
            return self.alone_up_to is None or (value is not None and value <= self.alone_up_to)
        return testimony is None or testimony is Testimony.AGREED

    def reached(self, *, height: int, tip: Tip, value: Decimal | None) -> bool:
        """Tell whether a transfer at this height is deep enough to be final, seen from this tip."""
        blocks = self.band(value).blocks
        if blocks is None:
            return tip.finalized is not None and height <= tip.finalized
        newest = tip.block.height if tip.witnessed is None else min(tip.block.height, tip.witnessed)
        return newest - height + 1 >= blocks


@dataclass(frozen=True, slots=True)
class UnsignedTransaction:
    """A transaction that the buyer's wallet is asked to sign; ``payload`` is JSON that the wallet button of the family understands.

    ``requests`` are what a wallet of the family can be asked, by the name of its method, with the parameters that it takes: other ways to
    make the same payment, and what may have to come before.
    """

    family: str
    payload: dict[str, object]
    requests: dict[str, list[object]] = field(default_factory=dict[str, "list[object]"])


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """One option as a driver needs it to write a payment URI: asset, amount in base units, destination."""

    asset: AssetId
    units: int
    destination: Destination
    label: str = ""
