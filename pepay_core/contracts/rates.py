"""What PePay asks of a source of exchange rates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pepay_core.domain.rates import Pair, Rate


class RateProvider(ABC):
    """One source of rates. Core asks several and believes none of them alone."""

    name: str
    fixed: bool = False
    """The rates are configured, not measured: shown wherever they are used."""

    @abstractmethod
    async def rates(self, pairs: Collection[Pair]) -> Mapping[Pair, Rate]:
        """Return the price of one unit of each base in its quote currency; omit what the source does not know.

        Raises Unavailable when the source gives no usable answer. A rate's ``at`` is the source's own time where it tells one.
        """
