"""What a process had begun when it died or was told to stop is delivered all the same."""

import asyncio
from datetime import timedelta

import pytest
from posting import TICK, Fake, id_of, running, until

from pepay_core.contracts.notifier import Receipt
from pepay_core.domain.errors import Unavailable
from pepay_core.services.delivering import Deliverer
from pepay_core.testing.receiver import Answer


async def test_what_a_dead_process_had_claimed_is_delivered_when_its_lease_ends(post):
    made = await post.endpoint()
    event = await post.publish()
    assert len(await post.claim(lease=timedelta(seconds=60))) == 1
    post.clock.jump(timedelta(seconds=60) - TICK)
    assert await post.dispatcher().drain_once() == 0
    post.clock.jump(TICK)
    assert await post.dispatcher().drain_once() == 1
    assert post.received() == [event.id]
    assert (await post.deliveries(made))[0]["attempt_count"] == 1


async def test_a_process_that_stops_in_the_middle_of_a_delivery_leaves_it_to_its_lease(post):
    made = await post.endpoint()
    event = await post.publish()
    post.receiver.answer(Answer(silent=True), 200)
    async with running(post.dispatcher(lease=timedelta(seconds=30))):
        await post.receiver.wait_for(1, timeout=15)
    assert await post.states(made) == ["pending"]
    assert await post.dispatcher().drain_once() == 0
    post.clock.jump(timedelta(seconds=30))
    assert await post.dispatcher().drain_once() == 1
    assert post.received() == [event.id] * 2
    assert await post.states(made) == ["delivered"]


async def test_what_is_under_way_may_end_when_the_dispatcher_stops(post):
    answering = asyncio.Event()

    class Patient(Fake):
        async def deliver(self, delivery):
            self.calls.append(delivery)
            await answering.wait()
            return Receipt(200)

    post.notifiers["webhook"] = notifier = Patient()
    made = await post.endpoint()
    await post.publish()
    task = asyncio.create_task(post.dispatcher(grace=5).run())
    await until(lambda: notifier.calls)
    task.cancel()
    await asyncio.sleep(0)
    answering.set()
    await asyncio.wait([task])
    assert task.cancelled()
    assert await post.states(made) == ["delivered"]


async def test_a_failure_that_is_recorded_late_does_not_undo_the_success_of_another_process(post):
    async def succeed_meanwhile():
        post.clock.jump(timedelta(seconds=61))
        post.notifiers["webhook"] = Fake()
        assert await post.dispatcher().drain_once() == 1

    class Overtaken(Fake):
        async def deliver(self, delivery):
            # In a task of its own, as another process would be.
            await asyncio.create_task(succeed_meanwhile())
            raise Unavailable("too late")

    post.notifiers["webhook"] = Overtaken()
    made = await post.endpoint()
    await post.publish()
    (claimed,) = await post.claim()
    await Deliverer(post.store, dict(post.notifiers), post.vault, post.outbox, post.clock, deadline=5, rng=lambda: 0.0).deliver(claimed)
    (delivery,) = await post.deliveries(made)
    assert (delivery["state"], delivery["attempt_count"]) == ("delivered", 2)
    assert sorted(str(each["error"]) for each in delivery["attempts"]) == ["None", "too late"]


@pytest.mark.parametrize("change", ["disable", "delete"])
async def test_an_endpoint_that_went_away_after_the_claim_is_not_called(post, change):
    made = await post.endpoint()
    await post.publish()
    (claimed,) = await post.claim()
    if change == "delete":
        await post.endpoints.delete(post.caller, id_of(made))
    else:
        await post.endpoints.update(post.caller, id_of(made), disabled=True)
    deliverer = Deliverer(post.store, post.notifiers, post.vault, post.outbox, post.clock, deadline=5, rng=lambda: 0.0)
    await deliverer.deliver(claimed)
    assert post.receiver.requests == []
    if change == "disable":
        assert await post.states(made) == ["failed"]


async def test_an_endpoint_that_moved_after_the_claim_is_called_at_its_new_place(post):
    made = await post.endpoint()
    await post.publish()
    (claimed,) = await post.claim()
    await post.endpoints.update(post.caller, id_of(made), url=post.receiver.url_of("/moved"))
    deliverer = Deliverer(post.store, post.notifiers, post.vault, post.outbox, post.clock, deadline=5, rng=lambda: 0.0)
    await deliverer.deliver(claimed)
    assert [each.path for each in post.receiver.requests] == ["/moved"]
