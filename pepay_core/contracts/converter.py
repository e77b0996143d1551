"""What PePay asks of a way to turn one asset into another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pepay_core.domain.assets import AssetId


@dataclass(frozen=True, slots=True)
class ConversionOrder:
    """Turn ``units`` base units of ``sell`` into at least ``minimum`` base units of ``buy``."""

    sell: AssetId
    buy: AssetId
    units: int
    minimum: int


@dataclass(frozen=True, slots=True)
class ConversionQuote:
    """What a route would give, in base units, and until when."""

    converter: str
    units_out: int
    route: str
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Intent:
    """One money movement to be made at most once; ``key`` makes it unique."""

    key: str
    asset: AssetId
    units: int
    to: str
    data: str = ""


class Converter(ABC):
    """Plans conversions; core's mover is what executes them."""

    name: str

    @abstractmethod
    async def quote(self, order: ConversionOrder) -> ConversionQuote | None:
        """Return what the order would give, or None when it is not this converter's."""

    @abstractmethod
    async def plan(self, order: ConversionOrder, quote: ConversionQuote) -> Sequence[Intent]:
        """Return what the mover must do, in order."""
