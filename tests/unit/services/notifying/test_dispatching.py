"""The loop sleeps until something is due, and nothing that breaks ends it."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest
from posting import Fake, FlakyStore, advance_until, all_are, attempts_are, running, until

from pepay_core.contracts.notifier import Receipt
from pepay_core.domain.errors import Unavailable
from pepay_core.secrets import Vault
from pepay_core.services.notifying import Dispatcher
from pepay_core.storage.opening import DatabaseStore


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
