"""Which planted faults are hunted, alone or together, and in which weather: what stands in for another is taken away with it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from simulation.faults import HARD, SOFT, USUAL, Weather
from simulation.mutants import SINGLE
from simulation.report import run

if TYPE_CHECKING:
    from pathlib import Path

    from simulation.mutants import Mutant


@dataclass(frozen=True)
class Plan:
    """Faults that are planted together, and the weather in which to look for them."""

    mutants: tuple[Mutant, ...]
    weather: Weather = USUAL

    @property
    def name(self) -> str:
        return ", and ".join(each.name for each in self.mutants)

    def prepare(self, path: Path) -> None:
        for each in self.mutants:
            if each.prepare is not None:
                each.prepare(path)


def hunt(plan: Plan, seeds: range, empty: Path) -> tuple[int, list[str]] | None:
    """Return the first seed that finds something wrong with these faults planted, and what it finds."""
    for seed in seeds:
        with contextlib.ExitStack() as stack:
            for each in plan.mutants:
                stack.enter_context(each.planted())
            outcome = run(seed, empty, weather=plan.weather, prepare=plan.prepare, hunting=True)
        if outcome.violations:
            return seed, outcome.violations
    return None


_ROUGH: Final = {
    "a delivery is marked before it is made": ("crash after commit", "receiver answers 5xx"),
    "an answer is an answer": ("receiver answers 5xx",),
    "the first failure is the last": ("receiver answers 5xx",),
    "an endpoint that lags is believed": ("node lags",),
    "a claim is for ever": ("crash after commit", "receiver is slow"),
    "events are written in a transaction of their own": ("crash after commit",),
    "the checkpoint moves before the credits, in a transaction of its own": ("crash after commit", "commit refused"),
}

MASKED: Final = (
    "events are not asked for again",
    "a batch without an answer is taken for an empty answer",
    "any contract's event counts",
    "events of all contracts are asked for",
    "events are believed",
    "headers are not chained",
    "the block that a look ends with may be another",
    "destinations are read before the tip",
    "what left the chain stays",
    "nobody looks twice",
    "no unique transfers",
    "no compare-and-swap of the checkpoint",
    "the lease is ignored",
)
"""Guards that another one stands in for: alone, their loss does no harm, or seldom. They are planted together.

Two of them are in none: "a batch without an answer is taken for an empty answer" was not found with "nobody looks twice", nor with
"events are not asked for again" as well; "the block that a look ends with may be another" neither with "nobody looks twice" nor with
"headers are not chained".
"""

_FINE: Final = Weather(calm=(*HARD, *SOFT), gusty=False, processes=1)

_FORGED: Final = ("any contract's event counts", "events of all contracts are asked for", "events are believed", "nobody looks twice")

_TOGETHER: Final = (
    (("no unique transfers", "what is known is not looked up"), Weather()),
    (("the lease is ignored", "no compare-and-swap of the checkpoint"), Weather(("node lags",), gusty=True, processes=2)),
    (("events are not asked for again", "nobody looks twice"), Weather(("node leaves out events",), gusty=True)),
    (("the block that a look begins after is not looked at", "headers are not chained"), Weather(("node reorganises while it answers",))),
    # In fine weather: what an endpoint does not answer credits nothing either.
    (_FORGED, _FINE),
    (("destinations are read before the tip", "nobody looks twice"), Weather(gusty=True)),
    (("what left the chain stays", "nobody looks twice"), Weather(gusty=True)),
)

_SILENT: Final = (
    "node refuses",
    "node answers 429",
    "node answers 5xx",
    "node answers half",
    "node leaves out an answer",
    "node answers null",
)

_WEATHER: Final = {
    # The endpoints are compared as well, so that more than one must be of the other chain at once, and answer.
    "the chain id is not looked at": Weather(calm=_SILENT, gusty=False, shares=(("node is of another chain", 0.5),)),
    # Rates are asked for seldom.
    "one source of rates is enough": Weather(gusty=False, shares=(("rates are wrong", 0.5), ("rates fail", 0.0), ("rates hang", 0.0))),
    # What was paid must leave for good, which is seldom enough.
    "a loss is not taken back in the ledger": _FINE,
    "a status stays once it is paid": _FINE,
    # It must be seen that something has left before it comes back, so nothing else keeps anybody from looking.
    "what comes back is not seen again": replace(_FINE, shares=(("node reorganises while it answers", 0.1),)),
}

ALONE: Final = tuple(
    Plan((each,), _WEATHER.get(name) or Weather(_ROUGH.get(name, ()), gusty=True)) for name, each in SINGLE.items() if name not in MASKED
)
TOGETHER: Final = tuple(Plan(tuple(SINGLE[name] for name in names), weather) for names, weather in _TOGETHER)
HIDDEN: Final = tuple(Plan((SINGLE[name],)) for name in ("no unique transfers", "any contract's event counts"))
ALL: Final = (*ALONE, *TOGETHER)

# What the tests plant: what one of a few worlds finds, whichever they are. ``nox -s simulation -- --mutants`` hunts all of them.
_QUICK: Final = {
    "the chain id is not looked at",
    "a transfer is named by the block's count of events",
    "money is a float",
    "the checkpoint moves before the credits, in a transaction of its own",
    "what comes back is not seen again",
    "money is final one block early",
    "covered is what the wall clock says",
    "what is known is not looked up",
    "invoices are closed by the wall clock",
    "one source of rates is enough",
    "no unique transfers, and what is known is not looked up",
    "the lease is ignored, and no compare-and-swap of the checkpoint",
    ", and ".join(_FORGED),
}
QUICK: Final = tuple(plan for plan in ALL if plan.name in _QUICK)
