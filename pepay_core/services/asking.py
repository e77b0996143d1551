"""Asking every source of rates at once: whatever goes wrong with one of them costs its own answers and nothing more."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from pepay_core.domain.errors import Unavailable
from pepay_core.domain.rates import Pair, Rate, plausible

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pepay_core.contracts.rates import RateProvider

log = logging.getLogger("pepay.rates")


class Panel:
    """Rate providers by name. Each has ``deadline`` seconds to answer, and one that fails is logged when that begins and when it ends."""

    def __init__(self, providers: Mapping[str, RateProvider], *, deadline: float) -> None:
        self.providers = dict(providers)
        self.failing: dict[str, str] = {}
        """Those that gave no usable answer when they were last asked, and why."""
        self._deadline = deadline

    @property
    def fixed(self) -> bool:
        """Whether all there is are configured rates, which are nobody's opinion."""
        return all(each.fixed for each in self.providers.values())

    async def ask(self, pairs: Collection[Pair]) -> dict[str, dict[Pair, Rate]]:
        """Return what each provider answered, as far as it can be reckoned with; never raises for what a provider does."""
        async with asyncio.TaskGroup() as group:
            asked = {name: group.create_task(self._ask(name, provider, tuple(pairs))) for name, provider in self.providers.items()}
        return {name: task.result() for name, task in asked.items()}

    async def _ask(self, name: str, provider: RateProvider, pairs: tuple[Pair, ...]) -> dict[Pair, Rate]:
        problem = ""
        cause: BaseException | None = None
        answers: dict[Pair, Rate] = {}
        try:
            async with asyncio.timeout(self._deadline):
                given = await provider.rates(pairs)
            answered = [pair for pair in pairs if pair in given]
            answers = {pair: given[pair] for pair in answered if _sound(given[pair])}
            if len(answers) < len(answered):
                problem = "some of its answers are not rates"
        except TimeoutError:
            problem = f"no answer within {self._deadline:g} s"
        except Unavailable as exc:
            problem = exc.message
        except (Exception, SystemExit) as exc:  # noqa: BLE001 (a plugin may raise anything)
            problem, cause = f"it failed with {type(exc).__name__}", exc
        self._note(name, problem, cause)
        return answers

    def _note(self, name: str, problem: str, cause: BaseException | None) -> None:
        if problem and name not in self.failing:
            log.warning("rates of %s cannot be used: %s", name, problem, exc_info=cause)
        if problem:
            self.failing[name] = problem
        elif self.failing.pop(name, None) is not None:
            log.info("rates of %s can be used again", name)


def _sound(rate: object) -> bool:
    """Tell whether a plugin's answer can be reckoned with at all; whether it is believed is decided later."""
    return isinstance(rate, Rate) and plausible(rate.value) and rate.at.utcoffset() is not None
