"""What is known of each endpoint: what its probe found, and what working with it has taught since."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pepay_core.api import ChainUnavailable
from pepay_evm.balances import Reader
from pepay_evm.probing import probe
from pepay_evm.ranges import Span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_evm.capabilities import Capabilities
    from pepay_evm.events import Events
    from pepay_evm.pool import Rpc
    from pepay_evm.rpc import Endpoint


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The native balances of some addresses in a block: those that are not zero, and which addresses were read."""

    members: frozenset[str]
    units: Mapping[str, int]


@dataclass(slots=True)
class Abilities:
    """What is known of one endpoint: ``shown`` by its probe, and learned: how much its reader and its ranges bear.

    ``kept`` holds the latest balances by block hash.
    """

    shown: Capabilities
    reader: Reader | None
    span: Span
    kept: OrderedDict[str, Snapshot] = field(default_factory=OrderedDict[str, Snapshot])

    def keep(self, block: str, snapshot: Snapshot) -> None:
        """Remember the balances of a block; those of the block before stay, because a look may fail and be made again."""
        self.kept[block] = snapshot
        while len(self.kept) > 2:
            self.kept.popitem(last=False)


class AbilitiesBook:
    """The abilities of all endpoints of a network. Each is probed when it is first wanted, and anew after every failure."""

    def __init__(self, rpc: Rpc, events: Events, *, max_range: int) -> None:
        self._rpc = rpc
        self._events = events
        self._max_range = max_range
        self._known: dict[Endpoint, Abilities] = {}
        self._losses: dict[Endpoint, int] = {}

    async def of(self, endpoint: Endpoint) -> Abilities:
        """Return what is known of an endpoint; raises ChainUnavailable where it fails, or could not be trusted to miss nothing."""
        known = self._known.get(endpoint)
        losses = self._rpc.standing(endpoint).losses
        if known is None or self._losses.get(endpoint) != losses:
            # Whatever comes back after a failure may be another node.
            shown = await probe(endpoint, self._events)
            if shown.lack is not None:
                raise ChainUnavailable(f"{endpoint.label} {shown.lack}: use another endpoint")
            reader = None if shown.way is None else Reader(shown.way, by_hash=shown.by_hash)
            known = Abilities(shown, reader, known.span, known.kept) if known else Abilities(shown, reader, Span(self._max_range))
            self._known[endpoint], self._losses[endpoint] = known, losses
        return known

    def doubt(self, endpoint: Endpoint) -> None:
        """Have an endpoint probed again: it has refused what its probe showed that it can do."""
        self._losses.pop(endpoint, None)
