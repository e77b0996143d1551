"""Endpoints that fail are given up in the end, and hold up no other."""

import asyncio
from datetime import timedelta

from posting import DAY, Fake, all_are, id_of, running, until

from pepay_core.domain.errors import EgressRefused
from pepay_core.domain.events import WEBHOOK_DISABLED
from pepay_core.testing.receiver import Answer, Receiver

# --- endpoints that fail -------------------------------------------------------------


async def test_after_72_hours_of_failure_an_endpoint_is_disabled_and_the_others_are_told(post):
    failing = await post.endpoint(post.receiver.url_of("/failing"))

    class Halved(Receiver):
        def reply(self, request):
            return Answer(500)

    async with Halved() as broken:
        await post.endpoints.update(post.caller, id_of(failing), url=broken.url)
        other = await post.endpoint(post.receiver.url_of("/other"), ("webhook.*",))
        await post.publish()
        dispatcher = post.dispatcher()
        for _ in range(40):
            await dispatcher.drain_once()
            due = (await post.deliveries(failing))[0]["next_attempt_at"]
            if due is None:
                break
            post.clock.jump(timedelta(seconds=due - post.clock.now().timestamp()))
        await dispatcher.drain_once()
    shown = await post.shown(failing)
    assert (shown["disabled"], shown["disabled_reason"]) == (True, "failing")
    assert shown["disabled_at"] - shown["failing_since"] == 72 * 3600
    (told,) = await post.deliveries(other)
    event = await post.feed.get(post.caller, told["event"])
    assert (told["state"], event["type"], event["data"]["object"]) == ("delivered", WEBHOOK_DISABLED, shown)
    assert event["data"]["previous_attributes"] == {"disabled": False, "disabled_at": None, "disabled_reason": None}
    assert [each["event_type"] for each in await post.deliveries(failing)] == ["invoice.paid"]


async def test_an_endpoint_that_sometimes_answers_is_not_disabled(post):
    made = await post.endpoint()
    dispatcher = post.dispatcher()
    for day in range(8):
        post.receiver.answer(200 if day % 2 else 500)
        await post.publish()
        await dispatcher.drain_once()
        assert (await post.shown(made))["failing_since"] == (None if day % 2 else int(post.clock.now().timestamp()))
        post.clock.jump(DAY)
    assert not (await post.shown(made))["disabled"]


async def test_the_time_of_the_first_failure_is_kept_until_a_success(post):
    made = await post.endpoint()
    first = int(post.clock.now().timestamp())
    post.receiver.answer(500, 500, 200)
    await post.publish()
    dispatcher = post.dispatcher()
    await dispatcher.drain_once()
    post.clock.jump(timedelta(seconds=5))
    await dispatcher.drain_once()
    assert (await post.shown(made))["failing_since"] == first
    post.clock.jump(timedelta(seconds=30))
    await dispatcher.drain_once()
    assert (await post.shown(made))["failing_since"] is None


async def test_a_receiver_that_is_gone_is_disabled_at_once_and_what_was_pending_is_given_up(post):
    made = await post.endpoint(events=("invoice.*",))
    async with Receiver() as elsewhere:
        other = await post.endpoint(elsewhere.url, ("webhook.disabled",))
        post.receiver.answer(410)
        for _ in range(6):
            await post.publish()
        await post.dispatcher(per_endpoint=1).drain_once()
        assert len(post.receiver.requests) == 1
        assert len(elsewhere.requests) == 1
    assert (await post.shown(made))["disabled_reason"] == "gone"
    assert await post.states(made) == ["failed"] * 6
    assert sorted(each["last_status"] or 0 for each in await post.deliveries(made)) == [0, 0, 0, 0, 0, 410]
    assert [each["event_type"] for each in await post.deliveries(other)] == ["webhook.disabled"]
    await post.publish()
    assert await post.dispatcher().drain_once() == 0


async def test_an_address_that_has_become_private_is_a_failure_and_not_an_error_of_ours(post, caplog):
    class Rebound(Fake):
        async def deliver(self, delivery):
            raise EgressRefused("the URL leads to an address that is not public", field="url")

    post.notifiers["webhook"] = Rebound()
    made = await post.endpoint()
    await post.publish()
    await post.dispatcher().drain_once()
    (delivery,) = await post.deliveries(made)
    assert (delivery["state"], delivery["last_error"]) == ("pending", "the URL leads to an address that is not public")
    assert caplog.records == []


# --- nobody is held up ---------------------------------------------------------------


async def test_a_hanging_endpoint_delays_no_healthy_one(post):
    async with Receiver() as hanging:
        hanging.answer(Answer(silent=True))
        stuck = await post.endpoint(hanging.url)
        healthy = await post.endpoint()
        async with running(post.dispatcher(concurrency=6, per_endpoint=4)) as task:
            events = [await post.publish() for _ in range(30)]
            await post.receiver.wait_for(30, timeout=20)
            assert sorted(post.received()) == sorted(each.id for each in events)
            await until(lambda: all_are(post, healthy, "delivered"))
            assert len(hanging.requests) <= 4
            assert not task.done()
        assert await post.states(stuck) == ["pending"] * 30


async def test_many_failing_endpoints_that_hang_delay_no_healthy_one(post):
    async with Receiver() as hanging:
        broken = [await post.endpoint(hanging.url) for _ in range(12)]
        hanging.answer(500)
        await post.publish()
        await post.dispatcher().drain_once()
        assert all([(await post.shown(each))["failing_since"] for each in broken])
        hanging.answer(Answer(silent=True))
        hanging.requests.clear()
        healthy = await post.endpoint()
        async with running(post.dispatcher(concurrency=4, per_endpoint=4)):
            for _ in range(10):
                await post.publish()
            await post.receiver.wait_for(10, timeout=20)
            await until(lambda: all_are(post, healthy, "delivered"))
            assert len(hanging.requests) <= 2


async def test_what_had_no_slot_is_delivered_as_soon_as_there_is_one(post):
    made = await post.endpoint()
    post.receiver.answer(500)
    await post.publish()
    await post.dispatcher().drain_once()
    assert (await post.shown(made))["failing_since"] is not None
    for _ in range(5):
        await post.publish()
    assert await post.dispatcher(per_endpoint=4).drain_once() == 5
    assert [each["attempt_count"] for each in await post.deliveries(made)] == [1] * 6


async def test_a_slow_notifier_is_stopped_at_the_deadline(post):
    class Slow(Fake):
        async def deliver(self, delivery):
            await asyncio.Event().wait()
            raise AssertionError

    post.notifiers["webhook"] = Slow()
    made = await post.endpoint()
    await post.publish()
    await post.dispatcher(deadline=0.01).drain_once()
    (delivery,) = await post.deliveries(made)
    assert (delivery["state"], delivery["last_error"]) == ("pending", "no answer within 0.01 s")
