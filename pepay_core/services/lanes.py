"""Who may have how many deliveries under way, so that slow endpoints hold up no other."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pepay_core.domain.endpoints import Endpoint
    from pepay_core.domain.ids import EndpointId
    from pepay_core.services.records import ClaimedDelivery


class Lanes:
    """Slots for deliveries. An endpoint may take a few; one that is failing takes a single one, and all that are failing together half.

    The other half is always there for endpoints that answer.
    """

    def __init__(self, slots: int, per_endpoint: int) -> None:
        self._slots = slots
        self._per_endpoint = per_endpoint
        self._for_failing = max(slots // 2, 1)
        self._taken: Counter[EndpointId] = Counter()
        self._taken_by_failing = 0
        self._passed_over: set[EndpointId] = set()

    @property
    def free(self) -> int:
        """How many slots nobody has taken."""
        return self._slots - self._taken.total()

    @property
    def closed(self) -> set[EndpointId]:
        """The endpoints that get no further slot for now."""
        return self._passed_over | {endpoint for endpoint, taken in self._taken.items() if taken >= self._per_endpoint}

    def admit(self, claimed: Iterable[ClaimedDelivery]) -> tuple[list[ClaimedDelivery], list[ClaimedDelivery]]:
        """Return those for which there are slots, and those that have to be put back; nothing is taken yet."""
        admitted: list[ClaimedDelivery] = []
        refused: list[ClaimedDelivery] = []
        taken, by_failing = self._taken.copy(), self._taken_by_failing
        for each in claimed:
            room = self._room(each.endpoint, taken[each.endpoint.id], by_failing)
            (admitted if room else refused).append(each)
            if room:
                taken[each.endpoint.id] += 1
                by_failing += _failing(each.endpoint)
        return admitted, refused

    def pass_over(self, endpoint: Endpoint) -> None:
        """Close the lane of an endpoint until a slot that it may have becomes free, unless one has since it was refused."""
        if not self._room(endpoint, self._taken[endpoint.id], self._taken_by_failing):
            self._passed_over.add(endpoint.id)

    def enter(self, endpoint: Endpoint) -> None:
        """Take a slot."""
        self._taken[endpoint.id] += 1
        self._taken_by_failing += _failing(endpoint)

    def leave(self, endpoint: Endpoint) -> None:
        """Give the slot back that was taken with this same record of the endpoint."""
        self._taken[endpoint.id] -= 1
        if not self._taken[endpoint.id]:
            del self._taken[endpoint.id]
        self._passed_over.discard(endpoint.id)
        if _failing(endpoint):
            self._taken_by_failing -= 1
            self._passed_over.clear()

    def _room(self, endpoint: Endpoint, taken: int, by_failing: int) -> bool:
        if _failing(endpoint):
            return taken < 1 and by_failing < self._for_failing
        return taken < self._per_endpoint


def _failing(endpoint: Endpoint) -> bool:
    return endpoint.failing_since is not None
