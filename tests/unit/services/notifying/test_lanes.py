from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pepay_core.domain.endpoints import DeliveryState, Endpoint, EventDelivery
from pepay_core.domain.events import Event
from pepay_core.domain.ids import DeliveryId, EndpointId, EventId, MerchantId
from pepay_core.services.lanes import Lanes
from pepay_core.services.records import ClaimedDelivery

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MERCHANT = MerchantId("mer_1")
EVENT = Event(EventId("evt_1"), "test.ping", MERCHANT, False, NOW, "x", b"{}")


@dataclass
class Claims:
    count: int = 0

    def of(self, name: str, *, failing: bool = False) -> ClaimedDelivery:
        self.count += 1
        endpoint = Endpoint(EndpointId(name), MERCHANT, False, "webhook", "http://x", ("*",), b"", NOW, failing_since=NOW if failing else None)
        delivery = EventDelivery(DeliveryId(f"dlv_{self.count}"), EVENT.id, EVENT.type, endpoint.id, MERCHANT, DeliveryState.PENDING, 0, NOW, NOW)
        return ClaimedDelivery(delivery, EVENT, endpoint)


def enter(lanes: Lanes, claimed: list[ClaimedDelivery]) -> list[ClaimedDelivery]:
    admitted, refused = lanes.admit(claimed)
    for each in admitted:
        lanes.enter(each.endpoint)
    for each in refused:
        lanes.pass_over(each.endpoint)
    return admitted


def names(claimed: list[ClaimedDelivery]) -> list[str]:
    return [each.endpoint.id for each in claimed]


def test_an_endpoint_takes_no_more_slots_than_it_may():
    claims, lanes = Claims(), Lanes(20, 4)
    assert names(enter(lanes, [claims.of("a") for _ in range(6)] + [claims.of("b")])) == ["a"] * 4 + ["b"]
    assert lanes.free == 15
    assert lanes.closed == {"a"}


def test_admitting_takes_nothing_until_somebody_enters():
    claims, lanes = Claims(), Lanes(20, 2)
    due = [claims.of("a"), claims.of("a"), claims.of("a")]
    assert lanes.admit(due) == lanes.admit(due) == (due[:2], due[2:])
    assert lanes.free == 20
    assert lanes.closed == set()


def test_a_failing_endpoint_takes_a_single_slot():
    claims, lanes = Claims(), Lanes(20, 4)
    assert names(enter(lanes, [claims.of("a", failing=True) for _ in range(3)])) == ["a"]
    assert lanes.closed == {"a"}


def test_failing_endpoints_together_leave_half_of_the_slots_to_the_others():
    claims, lanes = Claims(), Lanes(6, 4)
    assert names(enter(lanes, [claims.of(name, failing=True) for name in "abcde"])) == ["a", "b", "c"]
    assert lanes.closed == {"d", "e"}
    assert names(enter(lanes, [claims.of("w") for _ in range(3)])) == ["w"] * 3


def test_a_slot_that_becomes_free_opens_the_lane_again():
    claims, lanes = Claims(), Lanes(20, 1)
    first, *_ = enter(lanes, [claims.of("a"), claims.of("a")])
    assert lanes.closed == {"a"}
    lanes.leave(first.endpoint)
    assert lanes.closed == set()
    assert lanes.free == 20


def test_a_failing_endpoint_that_ends_lets_those_in_that_were_passed_over():
    claims, lanes = Claims(), Lanes(2, 4)
    first, *_ = enter(lanes, [claims.of("a", failing=True), claims.of("b", failing=True)])
    assert lanes.closed == {"b"}
    lanes.leave(first.endpoint)
    assert names(enter(lanes, [claims.of("b", failing=True)])) == ["b"]


def test_a_lane_is_not_closed_when_a_slot_became_free_after_the_refusal():
    claims, lanes = Claims(), Lanes(20, 1)
    (first,) = enter(lanes, [claims.of("a")])
    _, (refused,) = lanes.admit([claims.of("a")])
    lanes.leave(first.endpoint)
    lanes.pass_over(refused.endpoint)
    assert lanes.closed == set()


def test_a_healthy_delivery_that_ends_opens_nothing_for_failing_endpoints():
    claims, lanes = Claims(), Lanes(2, 4)
    enter(lanes, [claims.of("a", failing=True), claims.of("b", failing=True)])
    (healthy,) = enter(lanes, [claims.of("w")])
    lanes.leave(healthy.endpoint)
    assert lanes.closed == {"b"}


def test_with_a_single_slot_failing_endpoints_still_get_it():
    claims, lanes = Claims(), Lanes(1, 1)
    assert names(enter(lanes, [claims.of("a", failing=True)])) == ["a"]
