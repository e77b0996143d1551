"""Sources of exchange rates: the price is known here, and each source tells it, another one, an old one, or nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from pepay_core.contracts.rates import RateProvider
from pepay_core.domain.errors import Unavailable
from pepay_core.domain.rates import Pair, Rate

if TYPE_CHECKING:
    import random
    from collections.abc import Collection, Mapping

    from pepay_core.contracts.context import Clock
    from simulation.faults import Faults

MASTER_KEY: Final = b"simulation".ljust(32, b"\0")
"""What every simulated database is sealed with."""

PRICES: Final = {"ethereum": Decimal(3000), "usd-coin": Decimal(1)}


class Wrong:
    """Which source is wrong at the moment: never more than one, for a quorum of two is deceived by two."""

    def __init__(self) -> None:
        self.source: str | None = None


class Source(RateProvider):
    """One source of rates."""

    def __init__(self, name: str, clock: Clock, faults: Faults, chance: random.Random, wrong: Wrong) -> None:
        self.name = name
        self._clock = clock
        self._faults = faults
        self._chance = chance
        self._wrong = wrong

    async def rates(self, pairs: Collection[Pair]) -> Mapping[Pair, Rate]:
        faults, chance = self._faults, self._chance
        await asyncio.sleep(chance.uniform(0.01, 0.3))
        if faults.strikes("rates fail"):
            raise Unavailable("the source answered 503")
        if faults.strikes("rates hang"):
            await asyncio.sleep(30)
        at = self._clock.now()
        if faults.strikes("rates are old"):
            at -= timedelta(seconds=chance.uniform(60, 600))
        if self._wrong.source in {None, self.name}:
            self._wrong.source = self.name if faults.strikes("rates are wrong") else None
        factor = chance.choice([Decimal("0.1"), Decimal(10), Decimal(1000)]) if self._wrong.source == self.name else Decimal(1)
        return {pair: Rate(PRICES[pair.base] * factor, at) for pair in sorted(pairs, key=str) if pair.base in PRICES and pair.quote == "USD"}
