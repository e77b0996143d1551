"""What is older than it is kept is deleted in small steps, and never what is still to be delivered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pepay_core.domain.endpoints import Attempt, DeliveryState
from pepay_core.domain.ids import DELIVERY, EVENT, make_id
from pepay_core.domain.rates import NoRate, Pair
from pepay_core.services.paging import Page
from pepay_core.services.retaining import BATCH, Ages, Retaining
from pepay_core.testing.clock import FakeClock

DAY = timedelta(days=1)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def retaining(store, clock):
    return Retaining(store, clock, Ages(30 * DAY, 90 * DAY, 365 * DAY, 365 * DAY), holder="a")


@pytest.fixture
def past(store, clock, samples, merchant):
    """Make an event of so many days ago with one delivery in a state, made once."""
    numbers = iter(range(10_000))

    async def make(days, state=DeliveryState.DELIVERED):
        at = clock.now() - days * DAY
        ms, number = int(at.timestamp() * 1000), next(numbers)
        event = replace(samples.event(merchant), id=make_id(EVENT, ms, number), created=at)
        endpoint = samples.endpoint(merchant)
        delivery = replace(samples.delivery(event, endpoint), id=make_id(DELIVERY, ms, number), state=state, created_at=at)
        async with store.begin() as tx:
            await tx.events.add(event)
            await tx.endpoints.add(endpoint)
            await tx.deliveries.add([delivery])
            await tx.deliveries.record(Attempt(delivery.id, 1, at, 200, None, "", 5))
        return event, delivery

    return make


async def left(store, made):
    """Return whether event, delivery and attempt are there."""
    event, delivery = made
    async with store.read() as tx:
        listed = await tx.events.page(event.merchant, livemode=event.livemode, page=Page(limit=100))
        deliveries = await tx.deliveries.page(delivery.endpoint, page=Page())
        attempts = await tx.deliveries.attempts([delivery.id])
    return event.id in {each.id for each in listed.items}, bool(deliveries.items), bool(attempts)


async def test_each_is_kept_for_its_own_time(store, retaining, past):
    made = {days: await past(days) for days in (29, 31, 89, 91, 364, 366)}
    assert await retaining.forget() == {"attempts": 5, "deliveries": 3, "events": 1, "rates": 0}
    found = {days: await left(store, each) for days, each in made.items()}
    assert found == {
        29: (True, True, True),
        31: (True, True, False),
        89: (True, True, False),
        91: (True, False, False),
        364: (True, False, False),
        366: (False, False, False),
    }
    assert set((await retaining.forget()).values()) == {0}


async def test_what_is_still_to_be_delivered_keeps_everything_that_belongs_to_it(store, retaining, past):
    made = await past(1000, DeliveryState.PENDING)
    assert set((await retaining.forget()).values()) == {0}
    assert await left(store, made) == (True, True, True)


async def test_what_was_given_up_goes(store, retaining, past):
    made = await past(1000, DeliveryState.FAILED)
    await retaining.forget()
    assert await left(store, made) == (False, False, False)


async def test_old_rates_are_forgotten_and_new_ones_kept(store, clock, retaining):
    pair, now = Pair("ethereum", "USD"), clock.now()
    async with store.begin() as tx:
        for days in (400, 366, 364, 1):
            await tx.rates.record(pair, NoRate("none", ()), now - days * DAY)
    assert (await retaining.forget())["rates"] == 2
    async with store.read() as tx:
        assert len(await tx.rates.history(pair, now - 500 * DAY, now, 10)) == 2


async def test_it_goes_on_until_nothing_is_left_batch_after_batch(store, clock, retaining):
    pair, now = Pair("ethereum", "USD"), clock.now()
    async with store.begin() as tx:
        for _ in range(BATCH + 1):
            await tx.rates.record(pair, NoRate("none", ()), now - 400 * DAY)
    clock.sleep = lambda _: _nothing()
    assert (await retaining.forget())["rates"] == BATCH + 1


async def test_while_another_process_deletes_nothing_is_done(store, clock, retaining, past):
    made = await past(1000)
    now = clock.now()
    await store.run(lambda tx: tx.leases.take("retention", "b", now, now + DAY))
    assert set((await retaining.forget()).values()) == {0}
    assert await left(store, made) == (True, True, True)


async def test_kept_for_ever_is_for_ever(store, clock, past):
    made = await past(5000)
    await Retaining(store, clock, Ages(None, None, None, None), holder="a").forget()
    assert await left(store, made) == (True, True, True)


async def _nothing():
    pass
