from __future__ import annotations

from dataclasses import replace

import pytest

from pepay_core.domain.errors import NotFound
from pepay_core.domain.ids import EventId
from pepay_core.services.paging import Page


async def test_the_feed_is_read_oldest_first(post):
    events = [await post.publish("invoice.created"), await post.publish("invoice.processing"), await post.publish("invoice.paid")]
    found = await post.feed.page(post.caller, Page(limit=2))
    assert [each["id"] for each in found.items] == [each.id for each in events[:2]]
    assert found.has_more
    rest = await post.feed.page(post.caller, Page(limit=2, starting_after=events[1].id))
    assert [each["id"] for each in rest.items] == [events[2].id]
    assert not rest.has_more


async def test_an_envelope_is_the_one_that_is_sent(post):
    await post.endpoint()
    event = await post.publish(obj={"object": "invoice", "id": "inv_1", "amount": "49.99", "metadata": {"é": 1.5, "n": 10**30}})
    await post.dispatcher().drain_once()
    shown = await post.feed.get(post.caller, event.id)
    assert shown["data"]["object"]["metadata"] == {"é": 1.5, "n": 10**30}
    assert (shown["object"], shown["type"], shown["livemode"], shown["merchant"]) == ("event", "invoice.paid", False, post.caller.merchant)
    (request,) = post.receiver.requests
    assert request.body == event.body


async def test_the_feed_can_be_narrowed_to_some_types(post):
    await post.publish("invoice.created")
    wanted = await post.publish("payment.detected")
    found = await post.feed.page(post.caller, Page(), ["payment.detected", "payment.confirmed"])
    assert [each["id"] for each in found.items] == [wanted.id]


async def test_nobody_sees_the_events_of_another_merchant_or_environment(post, stranger):
    event = await post.publish()
    for other in (stranger, replace(post.caller, livemode=True)):
        assert (await post.feed.page(other, Page())).items == ()
        with pytest.raises(NotFound):
            await post.feed.get(other, event.id)


async def test_an_event_that_does_not_exist_is_not_found(post):
    with pytest.raises(NotFound):
        await post.feed.get(post.caller, EventId("evt_00000000000000000000000000"))
