from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pepay_core.contracts.notifier import Delivery, Notifier, Receipt
from pepay_core.domain.errors import EgressRefused, StorageUnavailable, Unavailable
from pepay_core.domain.events import WEBHOOK_DISABLED
from pepay_core.domain.ids import EndpointId
from pepay_core.secrets import Vault
from pepay_core.services.delivering import Deliverer
from pepay_core.services.notifying import Dispatcher
from pepay_core.storage.opening import DatabaseStore
from pepay_core.testing.receiver import Answer, Receiver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
PAUSES = [timedelta(seconds=each) for each in (5, 30, 120, 600, 1800, 3600, 7200, *[14400] * 17)]


def id_of(endpoint: dict[str, Any]) -> EndpointId:
    return EndpointId(endpoint["id"])


@asynccontextmanager
async def running(dispatcher: Dispatcher) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(dispatcher.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition: Callable[[], Any], seconds: float = 15) -> None:
    """Wait until a condition holds: a plain one, or one that has to be awaited."""
    async with asyncio.timeout(seconds):
        while True:
            holds = condition()
            if await holds if asyncio.iscoroutine(holds) else holds:
                return
            await asyncio.sleep(0.005)


# --- the good case -----------------------------------------------------------------


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


# --- retries -----------------------------------------------------------------------


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


# --- processes that die ----------------------------------------------------------------


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


# --- the loop --------------------------------------------------------------------------


async def test_an_event_of_this_process_is_delivered_without_time_passing(post):
    await post.endpoint()
    async with running(post.dispatcher()):
        await until(lambda: post.clock.sleeping)
        event = await post.publish()
        await post.receiver.wait_for(1, timeout=15)
    assert post.received() == [event.id]


async def test_events_of_another_process_are_noticed_without_a_wake(post):
    await post.endpoint()
    store = DatabaseStore(post.store.database, post.clock)
    store.use(post.vault)
    elsewhere = replace(post, store=store)
    async with running(elsewhere.dispatcher(poll=2)):
        await until(lambda: post.clock.sleeping)
        await post.publish()
        await post.clock.advance(2)
        await post.receiver.wait_for(1, timeout=15)


async def test_the_loop_sleeps_until_the_next_retry_is_due(post):
    made = await post.endpoint()
    await post.publish()
    post.receiver.answer(500, 200)
    async with running(post.dispatcher(poll=3600)):
        await post.receiver.wait_for(1, timeout=15)
        await until(lambda: attempts_are(post, made, 1))
        await until(lambda: post.clock.sleeping)
        await advance_until(post, lambda: len(post.receiver.requests) == 2, limit=6)


@pytest.mark.parametrize("broken", [ZeroDivisionError("boom"), SystemExit(1), KeyError(), TimeoutError(), RecursionError()])
async def test_a_broken_notifier_costs_one_attempt_and_never_the_loop(post, broken):
    class Broken(Fake):
        async def deliver(self, delivery):
            self.calls.append(delivery)
            if len(self.calls) == 1:
                raise broken
            return Receipt(200)

    post.notifiers["webhook"] = Broken()
    made = await post.endpoint()
    await post.publish()
    async with running(post.dispatcher()) as task:
        await until(lambda: attempts_are(post, made, 1))
        assert await post.states(made) == ["pending"]
        assert (await post.shown(made))["failing_since"] is not None
        await until(lambda: post.clock.sleeping)
        await advance_until(post, lambda: all_are(post, made, "delivered"), limit=10)
        assert not task.done()


@pytest.mark.parametrize("answer", [None, "ok", Receipt(status="200"), Receipt(10**12, "\0nul\ud800"), Receipt(200, None)])
async def test_rubbish_from_a_notifier_is_stored_as_nothing(post, answer):
    class Sloppy(Fake):
        async def deliver(self, delivery):
            return answer

    post.notifiers["webhook"] = Sloppy()
    made = await post.endpoint()
    await post.publish()
    await post.dispatcher().drain_once()
    assert await post.states(made) == ["delivered"]


async def test_rubbish_in_the_error_of_a_notifier_is_a_plain_failure(post):
    class Sloppy(Fake):
        async def deliver(self, delivery):
            error = Unavailable("line\none\0\x1b[31m", retry_after="soon")
            error.receipt = Receipt(503, "x" * 10_000)
            raise error

    post.notifiers["webhook"] = Sloppy()
    made = await post.endpoint()
    await post.publish()
    await post.dispatcher().drain_once()
    (delivery,) = await post.deliveries(made)
    assert (delivery["state"], delivery["last_status"], delivery["last_error"]) == ("pending", 503, "line one  [31m")
    assert delivery["next_attempt_at"] == int(post.clock.now().timestamp()) + 5
    assert len(delivery["attempts"][0]["excerpt"]) == 2048


async def test_a_plugin_that_is_not_running_delays_deliveries_and_blames_no_endpoint(post):
    made = await post.endpoint()
    await post.publish()
    webhook = post.notifiers.pop("webhook")
    dispatcher = post.dispatcher()
    await dispatcher.drain_once()
    assert (await post.shown(made))["failing_since"] is None
    assert (await post.deliveries(made))[0]["last_error"] == "no running plugin delivers to webhook endpoints"
    post.notifiers["webhook"] = webhook
    post.clock.jump(timedelta(seconds=5))
    await dispatcher.drain_once()
    assert await post.states(made) == ["delivered"]


async def test_a_secret_that_does_not_open_delays_deliveries_and_blames_no_endpoint(post):
    made = await post.endpoint()
    await post.publish()
    await post.dispatcher(vault=Vault(b"x" * 32)).drain_once()
    assert post.receiver.requests == []
    assert (await post.shown(made))["failing_since"] is None
    assert await post.states(made) == ["pending"]


async def test_trouble_with_the_database_delays_deliveries_and_never_ends_the_loop(post, caplog):
    await post.endpoint()
    await post.publish()
    flaky = FlakyStore(post.store, failures=3)
    async with running(Dispatcher(flaky, post.notifiers, post.vault, post.outbox, post.clock)) as task:
        await until(lambda: flaky.failures == 2 and post.clock.sleeping)
        await post.clock.advance(1)
        await until(lambda: flaky.failures == 1 and post.clock.sleeping)
        await post.clock.advance(1.9)
        assert flaky.failures == 1
        await post.clock.advance(0.1)
        await until(lambda: flaky.failures == 0 and post.clock.sleeping)
        await post.clock.advance(4)
        await post.receiver.wait_for(1, timeout=15)
        assert not task.done()
    assert [each.levelno for each in caplog.records] == [logging.ERROR] * 3


# --- secrets ---------------------------------------------------------------------------


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


# --- what the tests need -----------------------------------------------------------------


class Fake(Notifier):
    """A plugin's notifier that accepts everything; tests replace ``deliver`` by something worse."""

    scheme = "webhook"

    def __init__(self) -> None:
        self.calls: list[Delivery] = []

    async def check(self, url: str) -> None:
        pass

    async def deliver(self, delivery: Delivery) -> Receipt:
        self.calls.append(delivery)
        return Receipt(200)


@dataclass
class FlakyStore:
    """The real store behind a connection that fails a few times."""

    store: Any
    failures: int

    @property
    def wakes(self):
        return self.store.wakes

    def read(self):
        return self.store.read()

    async def run(self, work):
        if self.failures:
            self.failures -= 1
            raise StorageUnavailable("the database does not answer")
        return await self.store.run(work)


def verified(request, secret: str) -> bool:
    """Check the Standard Webhooks signature by the book."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return expected in request.headers["webhook-signature"].split()


async def all_are(post, endpoint, state: str) -> bool:
    return set(await post.states(endpoint)) == {state}


async def attempts_are(post, endpoint, count: int) -> bool:
    return [each["attempt_count"] for each in await post.deliveries(endpoint)] == [count]


async def advance_until(post, condition, limit: int) -> None:
    """Let virtual seconds pass until a condition holds, giving real work time to be done in each."""
    for _ in range(limit):
        await post.clock.advance(1)
        with contextlib.suppress(TimeoutError):
            await until(condition, 0.05)
            return
    await until(condition)
