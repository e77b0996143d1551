"""How far each chain has come, as the watchers last saw it: for showing, never for deciding."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pepay_core.domain.assets import ChainId
    from pepay_core.domain.coverage import ChainState


class Heads:
    """The latest :class:`ChainState` of every chain in this process; watchers write it, and processes without watchers reload it."""

    def __init__(self) -> None:
        self._states: dict[ChainId, ChainState] = {}
        self._moved: list[Callable[[], object]] = []

    def on_move(self, call: Callable[[], object]) -> None:
        """Make a call, which must not wait for anything, whenever a chain has come further or fares differently."""
        self._moved.append(call)

    def put(self, state: ChainState) -> None:
        """Remember a state."""
        before = self._states.get(state.chain)
        self._states[state.chain] = state
        if before is None or (before.tip, before.health) != (state.tip, state.health):
            for call in self._moved:
                call()

    def load(self, states: Iterable[ChainState]) -> None:
        """Remember several states."""
        for state in states:
            self.put(state)

    def get(self, chain: ChainId) -> ChainState | None:
        """Return the state of a chain, or None before its first contact."""
        return self._states.get(chain)

    def height(self, chain: ChainId) -> int | None:
        """Return the height of a chain's newest known block."""
        state = self._states.get(chain)
        return state.tip if state else None

    def usable(self, chain: ChainId) -> bool:
        """Tell whether a buyer can be sent to this chain now: it was reached, and its watcher is well."""
        state = self._states.get(chain)
        return state is not None and state.health.usable
