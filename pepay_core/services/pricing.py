"""The rate desk: asks every source at once, believes what a quorum of them agrees on, and never remembers for long.

There is no fallback. Where too few sources agree, where a rate is too old, or where a coin has lost the currency that it promises,
there is no rate, and what needs one is refused.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Protocol

from pepay_core.domain import money
from pepay_core.domain.assets import STABLECOINS
from pepay_core.domain.errors import RatesUnavailable
from pepay_core.domain.rates import AgreedRate, Evidence, NoRate, Pair, agree, round_rate
from pepay_core.services.asking import Panel

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import timedelta

    from pepay_core.contracts.context import Clock
    from pepay_core.contracts.rates import RateProvider
    from pepay_core.domain.rates import Rate

DEPEGGED: Final = "depegged"
"""The reason why a coin that is no longer worth what it promises has no rate."""

PIVOT: Final = "USD"
"""The currency through which one coin is priced in another."""

_FORGET_AFTER: Final = 20  # refreshes without anybody asking

log = logging.getLogger("pepay.rates")


@dataclass(frozen=True, slots=True)
class RateRules:
    """Which providers are asked (None: all that are running), and what makes their answers a rate.

    ``max_deviation`` and ``max_depeg`` are shares: 0.02 is two percent.
    """

    providers: tuple[str, ...] | None
    quorum: int
    max_age: timedelta
    max_deviation: Decimal
    max_depeg: Decimal = Decimal("0.03")


class RateHistory(Protocol):
    """Where decisions are kept. What it raises is logged, and costs nobody a rate."""

    async def record(self, pair: Pair, decision: AgreedRate | NoRate) -> None:
        """Keep a decision; called at most once per refresh and pair."""
        ...


@dataclass(frozen=True, slots=True)
class _Known:
    decision: AgreedRate | NoRate
    made: float  # monotonic seconds
    keep: float  # seconds


class RateDesk:
    """Hands out rates that a quorum stands for, no older than the rules allow.

    Decisions are kept for ``refresh`` seconds; refusals for ``retry``, and then twice as long each time up to the same. Whoever asks
    meanwhile causes no request, and everybody who asks at the same time causes one. A provider has ``deadline`` seconds to answer.
    Do not ask inside a database transaction.
    """

    def __init__(
        self,
        providers: Mapping[str, RateProvider],
        *,
        clock: Clock,
        settings: RateRules,
        history: RateHistory | None = None,
        refresh: float = 30,
        retry: float = 5,
        deadline: float = 4,
    ) -> None:
        chosen = providers if settings.providers is None else settings.providers
        self._panel = Panel({name: providers[name] for name in chosen if name in providers}, deadline=deadline)
        # Where all rates are configured, one source of them is all there can be.
        self._quorum = 1 if self._panel.fixed else settings.quorum
        self._rules = settings
        self._clock = clock
        self._history = history
        self._refresh = refresh
        self._retry = retry
        self._deadline = deadline
        self._known: dict[Pair, _Known] = {}
        self._recorded: dict[Pair, float] = {}
        self._wanted: set[Pair] = set()
        self._turn = asyncio.Lock()

    @property
    def failing(self) -> Mapping[str, str]:
        """The providers that gave no usable answer when they were last asked, and why."""
        return dict(self._panel.failing)

    def cached(self, pair: Pair) -> AgreedRate | None:
        """Return the rate if it is known and recent; asks nobody."""
        known = self._fresh(pair)
        return known if isinstance(known, AgreedRate) else None

    async def rate(self, pair: Pair) -> AgreedRate:
        """Return the price of one unit of the base in the quote currency; raises RatesUnavailable with the reason."""
        decision = (await self._decide([pair]))[pair]
        if isinstance(decision, NoRate):
            raise RatesUnavailable(f"there is no rate for {pair.base} in {pair.quote}: {decision.reason}", reason=decision.reason)
        return decision

    async def rates(self, pairs: Collection[Pair]) -> dict[Pair, AgreedRate]:
        """Return the rates there are, asked for together; a pair without one is left out."""
        decisions = await self._decide(pairs)
        return {pair: each for pair in pairs if isinstance(each := decisions[pair], AgreedRate)}

    async def cross(self, base: str, quote: str) -> AgreedRate:
        """Return the price of one coin in a currency or in another coin, both coins by ``rate_id``; raises RatesUnavailable.

        Between coins the price is made of both their prices in dollars, and the evidence names the pair that it is for.
        """
        if quote in money.CURRENCIES:
            return await self.rate(Pair(base, quote))
        pairs = [Pair(base, PIVOT), Pair(quote, PIVOT)]
        await self._decide(pairs)  # both in one round; what is missing is said by the lines below
        legs = [await self.rate(pair) for pair in pairs]
        return AgreedRate(
            value=round_rate(money.divide(legs[0].value, legs[1].value)),
            at=min(leg.at for leg in legs),
            evidence=tuple(_of_pair(each, pair) for pair, leg in zip(pairs, legs, strict=True) for each in leg.evidence),
        )

    async def _decide(self, pairs: Collection[Pair]) -> dict[Pair, AgreedRate | NoRate]:
        needed = {*pairs, *(_promise(pair) or pair for pair in pairs)}
        missing = {pair for pair in needed if self._fresh(pair) is None}
        made: dict[Pair, AgreedRate | NoRate] = {}
        if missing:
            self._wanted |= missing
            async with self._turn:
                # Whoever has the turn asks for everybody who waits; whoever comes next finds the answers.
                due = {pair for pair in self._wanted | needed if self._fresh(pair) is None}
                self._wanted.clear()
                if due:
                    made = await self._fetch(due)
        decisions = {pair: self._known[pair].decision for pair in pairs}
        await self._record(made)
        return decisions

    def _fresh(self, pair: Pair) -> AgreedRate | NoRate | None:
        known = self._known.get(pair)
        if known is None:
            return None
        if self._clock.monotonic() - known.made >= known.keep:
            return None
        decision = known.decision
        too_old = isinstance(decision, AgreedRate) and abs(self._clock.now() - decision.at) > self._rules.max_age
        return None if too_old else decision

    async def _fetch(self, pairs: Collection[Pair]) -> dict[Pair, AgreedRate | NoRate]:
        answers = await self._panel.ask(pairs)
        made = self._clock.monotonic()
        self._known = {pair: each for pair, each in self._known.items() if made - each.made < self._refresh * _FORGET_AFTER}
        decisions: dict[Pair, AgreedRate | NoRate] = {}
        # What a coin is worth in the currency that it promises is judged first: its other rates depend on it.
        for pair in sorted(pairs, key=lambda each: _promise(each) not in {None, each}):
            found = {name: rates[pair] for name, rates in answers.items() if pair in rates}
            decision = self._gate(pair, self._agree(found), decisions)
            decisions[pair] = decision
            self._known[pair] = _Known(decision, made, self._patience(self._known.get(pair), decision))
        return decisions

    def _patience(self, before: _Known | None, decision: AgreedRate | NoRate) -> float:
        """Return for how long a decision is kept: a coin that nobody knows must not use up what the sources allow for the others."""
        if isinstance(decision, AgreedRate):
            return self._refresh
        if before is None or isinstance(before.decision, AgreedRate):
            return self._retry
        return min(2 * before.keep, self._refresh)

    def _agree(self, answers: Mapping[str, Rate]) -> AgreedRate | NoRate:
        if not self._panel.providers:
            return NoRate("no rate provider is running", ())
        return agree(
            answers,
            now=self._clock.now(),
            max_age=self._rules.max_age,
            max_deviation=self._rules.max_deviation,
            quorum=self._quorum,
        )

    def _gate(self, pair: Pair, decision: AgreedRate | NoRate, made: Mapping[Pair, AgreedRate | NoRate]) -> AgreedRate | NoRate:
        """Refuse a rate of a coin that is not worth what it promises, in whatever currency the rate is."""
        promise = _promise(pair)
        if promise is None or isinstance(decision, NoRate):
            return decision
        if promise == pair:
            off = money.subtract(decision.value, Decimal(1)).copy_abs()
            return NoRate(DEPEGGED, decision.evidence) if off > self._rules.max_depeg else decision
        kept = made.get(promise) or self._known[promise].decision
        if isinstance(kept, AgreedRate):
            return decision
        return NoRate(DEPEGGED if kept.reason == DEPEGGED else f"nobody says whether it is worth one {promise.quote}", decision.evidence)

    async def _record(self, decisions: Mapping[Pair, AgreedRate | NoRate]) -> None:
        if self._history is None:
            return
        now = self._clock.monotonic()
        self._recorded = {pair: at for pair, at in self._recorded.items() if now - at < self._refresh}
        for pair, decision in decisions.items():
            if pair in self._recorded:
                continue
            self._recorded[pair] = now
            try:
                async with asyncio.timeout(self._deadline):
                    await self._history.record(pair, decision)
            except Exception:
                log.exception("the rate of %s in %s was not kept in the history", pair.base, pair.quote)
                return


def _promise(pair: Pair) -> Pair | None:
    """Return the pair in which a stablecoin should be worth one."""
    currency = STABLECOINS.get(pair.base)
    return Pair(pair.base, currency) if currency else None


def _of_pair(evidence: Evidence, pair: Pair) -> Evidence:
    return Evidence(f"{evidence.provider} {pair.base}/{pair.quote}", evidence.value, evidence.at, evidence.dropped)
