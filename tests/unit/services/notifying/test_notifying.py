from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest
from posting import DAY, PAUSES, TICK, Fake, id_of, verified

from pepay_core.contracts.notifier import Receipt
from pepay_core.domain.errors import Unavailable
from pepay_core.testing.receiver import Answer, Receiver

# --- the good case -------------------------------------------------------------------


async def test_an_event_is_delivered_once_to_each_endpoint_that_listens(post, stranger):
    for path, events in (("/all", ("*",)), ("/invoices", ("invoice.*",)), ("/payments", ("payment.*",))):
        await post.endpoint(post.receiver.url_of(path), events)
    await post.endpoint(post.receiver.url_of("/stranger"), caller=stranger)
    event = await post.publish("invoice.paid")
    assert await post.dispatcher().drain_once() == 2
    assert sorted(each.path for each in post.receiver.requests) == ["/all", "/invoices"]
    assert {each.body for each in post.receiver.requests} == {event.body}
    assert set(post.received()) == {event.id}
    assert await post.dispatcher().drain_once() == 0


async def test_many_events_arrive_once_each(post):
    made = await post.endpoint()
    events = [await post.publish() for _ in range(50)]
    assert await post.dispatcher(concurrency=7, per_endpoint=3).drain_once() == 50
    assert sorted(post.received()) == sorted(each.id for each in events)
    assert set(await post.states(made)) == {"delivered"}


async def test_two_dispatchers_share_the_work_and_repeat_nothing(post):
    await post.endpoint(post.receiver.url_of("/a"))
    await post.endpoint(post.receiver.url_of("/b"))
    events = [await post.publish() for _ in range(20)]
    made = await asyncio.gather(post.dispatcher().drain_once(), post.dispatcher().drain_once())
    assert sum(made) == 40
    assert sorted(post.received()) == sorted([each.id for each in events] * 2)


async def test_an_event_that_was_rolled_back_is_never_delivered(post):
    await post.endpoint()

    async def work(tx):
        await post.outbox.publish(tx, "invoice.paid", merchant=post.caller.merchant, livemode=False, subject="inv_1", obj={})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await post.store.run(work)
    assert await post.dispatcher().drain_once() == 0
    assert post.notified == []


async def test_an_event_that_cannot_be_read_holds_up_no_other(post, caplog):
    await post.endpoint()
    damaged, event = await post.publish(), await post.publish()
    async with post.store.begin() as tx:
        await tx.facts._raw("UPDATE pepay_event SET body = {} WHERE id = {}", b"\x01" + bytes(60), damaged.id)
    await post.dispatcher().drain_once()
    assert post.received() == [event.id]
    assert f"the event {damaged.id} cannot be read" in caplog.text


async def test_an_endpoint_whose_place_cannot_be_read_holds_up_neither_others_nor_what_is_told(post, caplog):
    lost, kept = await post.endpoint(post.receiver.url_of("/lost")), await post.endpoint(post.receiver.url_of("/kept"))
    async with post.store.begin() as tx:
        (row,) = await tx.facts._raw("SELECT url, target FROM pepay_endpoint WHERE id = {}", lost["id"])
        await tx.facts._raw("UPDATE pepay_endpoint SET target = {} WHERE id = {}", bytes(row["target"])[:-1] + b"x", lost["id"])
    await post.publish()
    await post.dispatcher().drain_once()
    assert row["url"] == ""
    assert [each.path for each in post.receiver.requests] == ["/kept"]
    assert (await post.states(lost), await post.states(kept)) == (["pending"], ["delivered"])
    assert f"where the endpoint {lost['id']} is cannot be read" in caplog.text
    async with post.store.begin() as tx:
        await tx.facts._raw("UPDATE pepay_endpoint SET target = {} WHERE id = {}", bytes(row["target"]), lost["id"])
    assert (await post.shown(lost))["url"] == post.receiver.url_of("/lost")


# --- retries -------------------------------------------------------------------------


async def test_a_failed_delivery_is_tried_again_at_the_exact_times_for_72_hours(post):
    made = await post.endpoint()
    event = await post.publish()
    created = post.clock.now()
    post.receiver.answer(503)
    dispatcher = post.dispatcher()
    assert await dispatcher.drain_once() == 1
    attempts = 1
    for pause in [*PAUSES, created + timedelta(hours=72) - (created + sum(PAUSES, timedelta(0)))]:
        post.clock.jump(pause - TICK)
        assert await dispatcher.drain_once() == 0
        post.clock.jump(TICK)
        assert await dispatcher.drain_once() == 1
        attempts += 1
    assert post.clock.now() == created + timedelta(hours=72)
    (delivery,) = await post.deliveries(made)
    assert (delivery["state"], delivery["attempt_count"], delivery["next_attempt_at"]) == ("failed", attempts, None)
    assert post.received() == [event.id] * attempts
    assert {each.body for each in post.receiver.requests} == {event.body}
    post.clock.jump(DAY)
    assert await dispatcher.drain_once() == 0


async def test_a_retry_has_the_same_id_and_a_fresh_signed_time(post):
    made = await post.endpoint()
    await post.publish()
    post.receiver.answer(500, 200)
    await post.dispatcher().drain_once()
    await post.clock.advance(5)
    await post.dispatcher().drain_once()
    first, second = post.receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 5
    assert all(verified(each, made["secret"]) for each in (first, second))


async def test_jitter_delays_a_retry(post):
    await post.endpoint()
    await post.publish()
    post.receiver.answer(500)
    dispatcher = post.dispatcher(rng=lambda: 0.5)
    await dispatcher.drain_once()
    post.clock.jump(timedelta(seconds=5.25) - TICK)
    assert await dispatcher.drain_once() == 0
    post.clock.jump(TICK)
    assert await dispatcher.drain_once() == 1


async def test_a_receiver_that_asks_for_time_gets_it(post):
    await post.endpoint()
    await post.publish()
    post.receiver.answer(Answer(429, headers={"retry-after": "77"}))
    dispatcher = post.dispatcher()
    await dispatcher.drain_once()
    post.clock.jump(timedelta(seconds=77) - TICK)
    assert await dispatcher.drain_once() == 0
    post.clock.jump(TICK)
    assert await dispatcher.drain_once() == 1


async def test_a_retry_is_remembered_across_a_restart(post):
    made = await post.endpoint()
    event = await post.publish()
    post.receiver.answer(500, 200)
    await post.dispatcher().drain_once()
    post.clock.jump(timedelta(seconds=5))
    assert await post.dispatcher().drain_once() == 1
    assert post.received() == [event.id] * 2
    assert await post.states(made) == ["delivered"]


async def test_a_failing_event_holds_up_no_other_of_the_same_endpoint(post):
    class PoisonedReceiver(Receiver):
        def reply(self, request):
            return Answer(500 if b"poison" in request.body else 200)

    async with PoisonedReceiver() as receiver:
        made = await post.endpoint(receiver.url)
        await post.publish(obj={"id": "poison"})
        for _ in range(5):
            await post.publish()
        await post.dispatcher().drain_once()
        assert sorted(await post.states(made)) == ["delivered"] * 5 + ["pending"]


# --- secrets -------------------------------------------------------------------------


async def test_while_a_secret_rotates_both_sign_and_then_only_the_new_one(post):
    made = await post.endpoint()
    rotated = await post.endpoints.rotate(post.caller, id_of(made), 3600)
    dispatcher = post.dispatcher()
    for passed in (timedelta(0), timedelta(hours=1) - TICK, TICK):
        post.clock.jump(passed)
        await post.publish()
        await dispatcher.drain_once()
    during, last, after = post.receiver.requests
    for request in (during, last):
        assert verified(request, made["secret"])
        assert verified(request, rotated["secret"])
        assert len(request.headers["webhook-signature"].split()) == 2
    assert not verified(after, made["secret"])
    assert verified(after, rotated["secret"])


async def test_a_rotation_without_overlap_withdraws_the_old_secret_at_once(post):
    made = await post.endpoint()
    rotated = await post.endpoints.rotate(post.caller, id_of(made), 0)
    await post.publish()
    await post.dispatcher().drain_once()
    (request,) = post.receiver.requests
    assert verified(request, rotated["secret"])
    assert not verified(request, made["secret"])


async def test_no_secret_is_logged_or_kept_in_the_delivery_log(post, caplog):
    caplog.set_level(logging.DEBUG)

    class Leaky(Fake):
        async def deliver(self, delivery):
            self.calls.append(delivery)
            error = Unavailable(f"signed with {delivery.secrets[0]}")
            error.receipt = Receipt(500, f"I know {delivery.secrets[0]}")
            raise error

    post.notifiers["webhook"] = notifier = Leaky()
    made = await post.endpoint()
    await post.publish()
    await post.dispatcher().drain_once()
    assert notifier.calls[0].secrets == (made["secret"],)
    shown = repr(await post.deliveries(made)) + caplog.text + repr(notifier.calls) + repr(await post.claim())
    assert "[hidden]" in shown
    assert made["secret"].removeprefix("whsec_") not in shown
