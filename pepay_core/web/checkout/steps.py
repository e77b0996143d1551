"""The way from waiting to paid, as a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pepay_core.web.checkout.states import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_core.web.checkout.languages import Language

_REACHED: Final = {
    State.CHOOSE: 0,
    State.AWAITING: 0,
    State.REQUOTE: 0,
    State.UNDERPAID: 0,
    State.CHECKING: 0,
    State.SUBMITTED: 1,
    State.DETECTED: 2,
    State.CONFIRMING: 2,
    State.PAID: 4,
    State.OVERPAID: 4,
    State.ACCEPTED: 4,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the way: ``done``, ``now`` or ``ahead``."""

    text: str
    state: str


def steps(state: State, language: Language, option: Mapping[str, Any] | None, counted: tuple[int, int] | None) -> tuple[Step, ...]:
    """Return the steps, or nothing where the way has ended elsewhere."""
    reached = _REACHED.get(state)
    if reached is None:
        return ()
    network = option["network"] if option else language("network.any")
    confirming = language("step.confirming_of", done=counted[0], needed=counted[1]) if counted else language("step.confirming")
    texts = (language("step.waiting"), language("step.seen", network=network), confirming, language("step.paid"))
    return tuple(Step(text, "done" if at < reached else "now" if at == reached else "ahead") for at, text in enumerate(texts))
