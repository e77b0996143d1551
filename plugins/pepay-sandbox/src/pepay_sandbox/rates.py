"""Rates that the configuration fixes: for chains on which nothing is worth anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.api import Pair, Rate, RateProvider

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from decimal import Decimal

    from pepay_core.api import Clock


class FixedRates(RateProvider):
    """Answers with the configured prices in USD, always as of now; knows no other currency."""

    name = "fixed"
    fixed = True

    def __init__(self, prices: Mapping[str, Decimal], clock: Clock) -> None:
        self._prices = prices
        self._clock = clock

    async def rates(self, pairs: Collection[Pair]) -> Mapping[Pair, Rate]:
        """Return the configured price of each base that has one."""
        now = self._clock.now()
        return {pair: Rate(self._prices[pair.base], now) for pair in pairs if pair.quote == "USD" and pair.base in self._prices}
