"""A range of events is sent once more: in batches, at the endpoint's pace, through restarts, each event once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from pepay_core.domain.errors import Conflict, InvalidInput, NotFound
from pepay_core.domain.ids import EndpointId, ReplayId
from pepay_core.services.paging import Page
from pepay_core.services.resending import BATCH, PACE, Resending
from pepay_core.services.waking import DELIVERIES

HOUR = timedelta(hours=1)


def id_of(endpoint) -> EndpointId:
    return EndpointId(endpoint["id"])


async def publish(post, number, kind="invoice.paid"):
    """Publish many events in one transaction: most of them at the same moment."""
    whom, obj = post.caller, {"object": "invoice", "id": "inv_1"}

    async def work(tx):
        return [await post.outbox.publish(tx, kind, merchant=whom.merchant, livemode=whom.livemode, subject="inv_1", obj=obj) for _ in range(number)]

    return [each.id for each in await post.store.run(work)]


async def queued(post, endpoint) -> list[str]:
    """Return the events of which an endpoint has deliveries, in no order."""
    found, page = [], Page(limit=100)
    while True:
        some = await post.endpoints.deliveries(post.caller, id_of(endpoint), page)
        found += [each["event"] for each in some.items]
        if not some.has_more:
            return found
        page = Page(limit=100, starting_after=some.items[-1]["id"])


async def taken(post, endpoint) -> None:
    """Let the endpoint have taken everything that waits for it."""

    async def work(tx):
        await tx.deliveries.abandon(id_of(endpoint), "taken")

    await post.store.run(work)


async def begun(post, endpoint, *, back=HOUR):
    return await post.resending.begin(post.caller, id_of(endpoint), post.clock.now() - back, post.clock.now())


async def test_it_is_gone_through_in_batches_and_tells_how_far_it_has_come(post):
    events = await publish(post, 2 * BATCH + 30)
    await post.clock.advance(60)
    made = await post.endpoint()
    replay = await begun(post, made)
    assert (replay["state"], replay["count"], replay["queued"], replay["reached_at"]) == ("running", len(events), 0, None)
    assert await queued(post, made) == []

    seen = []
    for _ in range(3):
        assert await post.resending.step()
        seen.append(await post.resending.get(post.caller, ReplayId(replay["id"])))
        await taken(post, made)
        post.clock.jump(PACE)
    assert [(each["state"], each["queued"]) for each in seen] == [("running", BATCH), ("running", 2 * BATCH), ("done", len(events))]
    assert seen[0]["reached_at"] == int((post.clock.now() - 3 * PACE - timedelta(seconds=60)).timestamp())
    assert seen[-1]["finished_at"] is not None
    assert not await post.resending.step()
    assert sorted(await queued(post, made)) == sorted(events)


async def test_what_it_queues_arrives_as_everything_does(post):
    events = await publish(post, 3)
    made = await post.endpoint()
    await begun(post, made)
    await post.resending.step()
    await post.dispatcher().drain_once()
    assert sorted(post.received()) == sorted(events)
    assert await post.states(made) == ["delivered"] * 3


async def test_no_batch_comes_before_its_time_and_none_while_the_endpoint_has_enough(post):
    events = await publish(post, 3 * BATCH)
    made = await post.endpoint()
    replay = ReplayId((await begun(post, made))["id"])
    for _ in range(3):
        await post.resending.step()
    assert len(await queued(post, made)) == BATCH

    post.clock.jump(PACE)
    await post.resending.step()
    assert len(await queued(post, made)) == BATCH, "none of the first batch was taken yet"

    await taken(post, made)
    for _ in range(2):
        post.clock.jump(PACE)
        await post.resending.step()
        await taken(post, made)
    post.clock.jump(PACE)
    await post.resending.step()
    assert (await post.resending.get(post.caller, replay))["state"] == "done"
    assert sorted(await queued(post, made)) == sorted(events)


async def test_another_process_goes_on_where_one_has_died(post):
    events = await publish(post, 2 * BATCH + 1)
    made = await post.endpoint()
    await begun(post, made)
    await post.resending.step()
    for _ in range(2):
        await taken(post, made)
        post.clock.jump(PACE)
        await Resending(post.store, post.ids, post.clock).step()
    assert sorted(await queued(post, made)) == sorted(events)


async def test_processes_that_look_at_once_send_nothing_twice(post):
    events = await publish(post, BATCH + 20)
    made = await post.endpoint()
    await begun(post, made)
    processes = [Resending(post.store, post.ids, post.clock) for _ in range(3)]
    for _ in range(2):
        await asyncio.gather(*(each.step() for each in processes))
        await taken(post, made)
        post.clock.jump(PACE)
    assert sorted(await queued(post, made)) == sorted(events)


async def test_only_what_the_endpoint_listens_to_and_happened_before_it_was_asked_for_is_sent(post):
    await publish(post, 3, "payment.confirmed")
    wanted = await publish(post, 2, "invoice.paid")
    made = await post.endpoint(events=("invoice.*",))
    replay = await post.resending.begin(post.caller, id_of(made), post.clock.now() - HOUR, post.clock.now() + HOUR)
    assert (replay["count"], replay["to"]) == (2, int(post.clock.now().timestamp()))
    await post.clock.advance(1)
    later = await publish(post, 1, "invoice.expired")
    await post.resending.step()
    assert sorted(await queued(post, made)) == sorted(wanted + later), "what came later is sent once, as everything is"


async def test_one_of_nothing_is_done_at_once(post):
    made = await post.endpoint()
    replay = await begun(post, made)
    assert (replay["state"], replay["count"], replay["finished_at"]) == ("done", 0, int(post.clock.now().timestamp()))
    assert (await begun(post, made))["state"] == "done"


async def test_an_endpoint_has_one_at_a_time_however_many_are_asked_for_at_once(post):
    await publish(post, 3)
    made, other = await post.endpoint(), await post.endpoint()
    results = await asyncio.gather(*(begun(post, made) for _ in range(3)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["Conflict", "Conflict", "dict"]
    assert (await begun(post, other))["state"] == "running"
    await post.resending.step()
    assert (await begun(post, made))["state"] == "running"


async def test_one_that_is_stopped_goes_on_where_it_was(post):
    events = await publish(post, BATCH + 5)
    made = await post.endpoint()
    replay = ReplayId((await begun(post, made))["id"])
    await post.resending.step()
    stopped = await post.resending.stop(post.caller, replay)
    assert (stopped["state"], stopped["reason"], stopped["queued"]) == ("stopped", "stopped by you", BATCH)
    await taken(post, made)
    post.clock.jump(PACE)
    assert not await post.resending.step()
    another = await begun(post, made)
    with pytest.raises(Conflict, match="is running"):
        await post.resending.resume(post.caller, replay)
    await post.resending.stop(post.caller, ReplayId(another["id"]))

    assert (await post.resending.resume(post.caller, replay))["state"] == "running"
    await post.resending.step()
    done = await post.resending.get(post.caller, replay)
    assert (done["state"], done["queued"], done["reason"]) == ("done", len(events), None)
    for act in (post.resending.stop, post.resending.resume):
        with pytest.raises(Conflict, match="done"):
            await act(post.caller, replay)
    assert sorted(await queued(post, made)) == sorted(events)


async def test_a_disabled_endpoint_stops_it_and_a_deleted_one_ends_it(post):
    await publish(post, 3)
    made = await post.endpoint()
    replay = ReplayId((await begun(post, made))["id"])
    await post.endpoints.update(post.caller, id_of(made), disabled=True)
    await post.resending.step()
    found = await post.resending.get(post.caller, replay)
    assert (found["state"], found["reason"], found["queued"]) == ("stopped", "the endpoint was disabled", 0)
    for act in (begun(post, made), post.resending.resume(post.caller, replay)):
        with pytest.raises(Conflict, match="disabled"):
            await act
    await post.endpoints.update(post.caller, id_of(made), disabled=False)
    assert (await post.resending.resume(post.caller, replay))["state"] == "running"
    await post.endpoints.delete(post.caller, id_of(made))
    assert not await post.resending.step()
    with pytest.raises(NotFound):
        await post.resending.get(post.caller, replay)


async def test_it_runs_by_itself_as_soon_as_it_is_asked_for(post):
    made = await post.endpoint()
    running = asyncio.create_task(post.resending.run())
    try:
        while not post.clock.sleeping:  # noqa: ASYNC110 - a clock sets no event
            await asyncio.sleep(0)
        events = await publish(post, 1)
        await taken(post, made)
        sent = asyncio.Event()
        with post.store.wakes.on(sent.set, DELIVERIES):
            replay = ReplayId((await begun(post, made))["id"])
            async with asyncio.timeout(20):
                # PostgreSQL tells of what was published before, too, and may do so only now.
                while (await post.resending.get(post.caller, replay))["state"] != "done":
                    await sent.wait()
                    sent.clear()
        assert await queued(post, made) == events * 2
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_range_that_ends_before_it_begins_is_refused_by_name(post):
    made = await post.endpoint()
    with pytest.raises(InvalidInput) as refused:
        await post.resending.begin(post.caller, id_of(made), post.clock.now(), post.clock.now())
    assert refused.value.field == "from"


async def test_those_of_others_are_not_there(post, stranger):
    await publish(post, 1)
    made = await post.endpoint()
    replay = ReplayId((await begun(post, made))["id"])
    for act in (
        post.resending.begin(stranger, id_of(made), post.clock.now() - HOUR, post.clock.now()),
        post.resending.page(stranger, id_of(made), Page()),
        post.resending.get(stranger, replay),
        post.resending.stop(stranger, replay),
        post.resending.resume(stranger, replay),
    ):
        with pytest.raises(NotFound):
            await act


async def test_the_newest_fifty_are_kept(post):
    made = await post.endpoint()
    first = await begun(post, made)
    for _ in range(52):
        post.clock.jump(timedelta(seconds=1))
        last = await begun(post, made)
    found = await post.resending.page(post.caller, id_of(made), Page(limit=100))
    assert (found.items[0]["id"], len(found.items)) == (last["id"], 51)
    assert first["id"] not in [each["id"] for each in found.items]
