from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from pepay_core.domain.errors import Conflict, EgressRefused, InvalidInput, NotFound, Unavailable
from pepay_core.domain.ids import DeliveryId, EndpointId
from pepay_core.http import AiohttpClient
from pepay_core.services.endpoints import MAX_ENDPOINTS, Endpoints
from pepay_core.services.paging import Page

NOBODY = EndpointId("whk_00000000000000000000000000")


def id_of(endpoint) -> EndpointId:
    return EndpointId(endpoint["id"])


async def test_a_new_endpoint_comes_with_its_secret(post):
    made = await post.endpoints.create(post.caller, post.receiver.url, ["invoice.*", "payment.detected"], "the shop")
    secret = made.pop("secret")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert made == {
        "object": "webhook_endpoint",
        "id": made["id"],
        "livemode": False,
        "url": post.receiver.url,
        "enabled_events": ["invoice.*", "payment.detected"],
        "description": "the shop",
        "disabled": False,
        "disabled_at": None,
        "disabled_reason": None,
        "failing_since": None,
        "previous_until": None,
        "created_at": int(post.clock.now().timestamp()),
    }
    assert made["id"].startswith("whk_")
    assert await post.shown(made) == made


async def test_no_two_endpoints_have_the_same_secret(post):
    assert (await post.endpoint())["secret"] != (await post.endpoint())["secret"]


async def test_the_secret_is_stored_sealed(post):
    made = await post.endpoint()
    async with post.store.read() as tx:
        stored = await tx.endpoints.find(id_of(made))
    assert stored is not None
    assert made["secret"].encode() not in stored.secret
    assert post.vault.open("webhook-secret", made["id"], stored.secret) == made["secret"].encode()


async def test_the_secret_is_shown_when_it_is_made_and_never_again(post, caplog):
    caplog.set_level("DEBUG")
    made = await post.endpoint()
    rotated = await post.endpoints.rotate(post.caller, id_of(made), 60)
    await post.publish()
    await post.dispatcher().drain_once()
    ping = await post.endpoints.test(post.caller, id_of(made))
    (delivery,) = [each for each in await post.deliveries(made) if each["event_type"] == "invoice.paid"]
    shown = [
        await post.shown(made),
        (await post.endpoints.page(post.caller, Page())).items,
        await post.endpoints.update(post.caller, id_of(made), description="x", disabled=True),
        await post.endpoints.update(post.caller, id_of(made), disabled=False),
        await post.deliveries(made),
        await post.endpoints.redeliver(post.caller, DeliveryId(delivery["id"])),
        await post.resending.begin(post.caller, id_of(made), post.clock.now() - timedelta(hours=1), post.clock.now() + timedelta(hours=1)),
        ping,
        (await post.feed.page(post.caller, Page())).items,
    ]
    for secret in (made["secret"], rotated["secret"]):
        assert secret.removeprefix("whsec_") not in json.dumps(shown) + caplog.text


async def test_endpoints_are_listed_in_pages(post):
    ids = {(await post.endpoint())["id"] for _ in range(3)}
    first = await post.endpoints.page(post.caller, Page(limit=2))
    rest = await post.endpoints.page(post.caller, Page(limit=2, starting_after=first.items[-1]["id"]))
    assert (len(first.items), first.has_more, len(rest.items), rest.has_more) == (2, True, 1, False)
    assert {each["id"] for each in (*first.items, *rest.items)} == ids


async def test_an_endpoint_is_nobody_elses(post, stranger):
    made = await post.endpoint()
    await post.publish()
    (delivery,) = await post.deliveries(made)
    hour = timedelta(hours=1)
    for other in (stranger, replace(post.caller, livemode=True)):
        for attempt in (
            post.endpoints.get(other, id_of(made)),
            post.endpoints.update(other, id_of(made), description="mine"),
            post.endpoints.update(other, id_of(made), url=post.receiver.url_of("/mine")),
            post.endpoints.rotate(other, id_of(made), 0),
            post.endpoints.test(other, id_of(made)),
            post.endpoints.deliveries(other, id_of(made), Page()),
            post.endpoints.redeliver(other, DeliveryId(delivery["id"])),
            post.resending.begin(other, id_of(made), post.clock.now() - hour, post.clock.now() + hour),
            post.endpoints.delete(other, id_of(made)),
        ):
            with pytest.raises(NotFound):
                await attempt
        assert (await post.endpoints.page(other, Page())).items == ()
    made.pop("secret")
    assert await post.shown(made) == made


@pytest.mark.parametrize("url", ["", "shop.example/hook", "ftp://shop.example/", "https://shop.example/" + "x" * 2000, "http://[::1", "http://a b/"])
async def test_a_url_that_is_none_is_refused_by_name(post, url):
    with pytest.raises(InvalidInput) as refused:
        await post.endpoint(url or " ")
    assert refused.value.field == "url"


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://169.254.169.254/latest/", "http://10.0.0.8/x"])
async def test_a_private_address_is_refused_by_name(post, url):
    from pepay_webhook_hmac.notifier import WebhookNotifier

    async with AiohttpClient() as http:
        strict = Endpoints(post.store, {"webhook": WebhookNotifier(http, post.clock)}, post.vault, post.outbox, post.ids, post.clock)
        made = await post.endpoint()
        for attempt in (strict.create(post.caller, url, ["*"]), strict.update(post.caller, id_of(made), url=url)):
            with pytest.raises((EgressRefused, InvalidInput)) as refused:
                await attempt
            assert refused.value.field == "url"
    assert (await post.shown(made))["url"] == post.receiver.url


async def test_without_a_plugin_that_delivers_there_are_no_endpoints(post):
    bare = Endpoints(post.store, {}, post.vault, post.outbox, post.ids, post.clock)
    with pytest.raises(Unavailable):
        await bare.create(post.caller, post.receiver.url, ["*"])


@pytest.mark.parametrize(
    ("events", "named"),
    [
        ([], "between 1 and 50"),
        (["invoice.paid"] * 51, "between 1 and 50"),
        (["invoice.paid", "invoice.payed"], "invoice.payed"),
        (["invoice"], "'invoice'"),
        (["inv.*"], "inv.*"),
        (["**"], "**"),
        ([".*"], "'.*'"),
        ([""], "''"),
    ],
)
async def test_a_filter_that_matches_no_event_is_refused_by_name(post, events, named):
    made = await post.endpoint()
    for attempt in (post.endpoints.create(post.caller, post.receiver.url, events), post.endpoints.update(post.caller, id_of(made), events=events)):
        with pytest.raises(InvalidInput) as refused:
            await attempt
        assert refused.value.field == "enabled_events"
        assert named in refused.value.message


@pytest.mark.parametrize("description", ["x" * 256, "nul\0"])
async def test_a_description_that_cannot_be_kept_is_refused_by_name(post, description):
    with pytest.raises(InvalidInput) as refused:
        await post.endpoints.create(post.caller, post.receiver.url, ["*"], description)
    assert refused.value.field == "description"


async def test_there_is_a_limit_to_how_many_endpoints_there_are(post, stranger):
    made = [await post.endpoint() for _ in range(MAX_ENDPOINTS)]
    with pytest.raises(Conflict, match="50"):
        await post.endpoint()
    await post.endpoint(caller=stranger)
    await post.endpoint(caller=replace(post.caller, livemode=True))
    await post.endpoints.delete(post.caller, id_of(made[0]))
    await post.endpoint()


async def test_only_what_is_given_is_changed(post):
    made = await post.endpoints.create(post.caller, post.receiver.url, ["invoice.*"], "old")
    made.pop("secret")
    await post.endpoints.update(post.caller, id_of(made))
    assert await post.shown(made) == made
    await post.endpoints.update(post.caller, id_of(made), events=["payment.*", "payment.*"])
    await post.endpoints.update(post.caller, id_of(made), description=None)
    await post.endpoints.update(post.caller, id_of(made), url=post.receiver.url_of("/new"))
    assert await post.shown(made) == {**made, "enabled_events": ["payment.*"], "description": None, "url": post.receiver.url_of("/new")}


async def test_a_disabled_endpoint_is_told_nothing_and_what_was_pending_is_given_up(post):
    made = await post.endpoint()
    await post.publish()
    shown = await post.endpoints.update(post.caller, id_of(made), disabled=True)
    assert (shown["disabled"], shown["disabled_reason"], shown["disabled_at"]) == (True, "merchant", int(post.clock.now().timestamp()))
    await post.publish()
    assert await post.dispatcher().drain_once() == 0
    assert await post.states(made) == ["failed"]
    assert post.receiver.requests == []


async def test_disabling_twice_keeps_the_first_time(post):
    made = await post.endpoint()
    first = await post.endpoints.update(post.caller, id_of(made), disabled=True)
    await post.clock.advance(60)
    assert await post.endpoints.update(post.caller, id_of(made), disabled=True) == first


async def test_an_endpoint_that_is_enabled_again_starts_with_a_clean_slate(post):
    made = await post.endpoint()
    post.receiver.answer(500, 410, 200)
    await post.publish()
    await post.dispatcher().drain_once()
    assert (await post.shown(made))["failing_since"] is not None
    await post.clock.advance(5)
    await post.dispatcher().drain_once()
    assert (await post.shown(made))["disabled_reason"] == "gone"
    shown = await post.endpoints.update(post.caller, id_of(made), disabled=False)
    assert (shown["disabled"], shown["disabled_at"], shown["disabled_reason"], shown["failing_since"]) == (False, None, None, None)
    event = await post.publish()
    await post.dispatcher().drain_once()
    assert post.received()[-1] == event.id


async def test_a_deleted_endpoint_is_gone_and_told_nothing_more(post):
    made = await post.endpoint()
    await post.publish()
    await post.endpoints.delete(post.caller, id_of(made))
    await post.publish()
    assert await post.dispatcher().drain_once() == 0
    with pytest.raises(NotFound):
        await post.shown(made)
    with pytest.raises(NotFound):
        await post.endpoints.delete(post.caller, id_of(made))


async def test_an_endpoint_that_is_not_there_is_not_found(post):
    for attempt in (
        post.endpoints.get(post.caller, NOBODY),
        post.endpoints.rotate(post.caller, NOBODY, 60),
        post.endpoints.test(post.caller, NOBODY),
        post.endpoints.redeliver(post.caller, DeliveryId("dlv_00000000000000000000000000")),
    ):
        with pytest.raises(NotFound):
            await attempt


@pytest.mark.parametrize("seconds", [-1, 604_801])
async def test_an_overlap_that_is_too_long_is_refused_by_name(post, seconds):
    made = await post.endpoint()
    with pytest.raises(InvalidInput) as refused:
        await post.endpoints.rotate(post.caller, id_of(made), seconds)
    assert refused.value.field == "overlap_seconds"


async def test_rotation_says_until_when_the_old_secret_signs(post):
    made = await post.endpoint()
    rotated = await post.endpoints.rotate(post.caller, id_of(made), 3600)
    assert rotated["secret"] != made["secret"]
    assert rotated["previous_until"] == int(post.clock.now().timestamp()) + 3600
    at_once = await post.endpoints.rotate(post.caller, id_of(made), 0)
    assert at_once["previous_until"] is None


async def test_a_test_event_goes_to_one_endpoint_whatever_its_filters(post):
    target = await post.endpoint(post.receiver.url_of("/a"), ("payment.detected",))
    await post.endpoint(post.receiver.url_of("/b"), ("*",))
    event = await post.endpoints.test(post.caller, id_of(target))
    assert (event["type"], event["data"]["object"]["id"]) == ("test.ping", target["id"])
    await post.dispatcher().drain_once()
    assert [(each.path, each.headers["webhook-id"]) for each in post.receiver.requests] == [("/a", event["id"])]


async def test_what_cannot_be_delivered_to_a_disabled_endpoint_is_refused(post):
    made = await post.endpoint()
    await post.publish()
    (delivery,) = await post.deliveries(made)
    await post.endpoints.update(post.caller, id_of(made), disabled=True)
    hour = timedelta(hours=1)
    for attempt in (
        post.endpoints.test(post.caller, id_of(made)),
        post.endpoints.redeliver(post.caller, DeliveryId(delivery["id"])),
        post.resending.begin(post.caller, id_of(made), post.clock.now() - hour, post.clock.now() + hour),
    ):
        with pytest.raises(Conflict):
            await attempt


async def test_a_delivery_shows_everything_that_was_tried(post):
    made = await post.endpoint()
    event = await post.publish()
    from pepay_core.testing.receiver import Answer

    post.receiver.answer(Answer(500, b"out of order"), Answer(201, b"thanks"))
    start = int(post.clock.now().timestamp())
    (before,) = await post.deliveries(made)
    assert (before["state"], before["attempt_count"], before["next_attempt_at"], before["attempts"]) == ("pending", 0, start, [])
    await post.dispatcher().drain_once()
    (between,) = await post.deliveries(made)
    assert (between["state"], between["attempt_count"], between["next_attempt_at"], between["last_status"]) == ("pending", 1, start + 5, 500)
    await post.clock.advance(5)
    await post.dispatcher().drain_once()
    (after,) = await post.deliveries(made)
    assert after == {
        "object": "delivery",
        "id": before["id"],
        "livemode": False,
        "event": event.id,
        "event_type": "invoice.paid",
        "endpoint": made["id"],
        "state": "delivered",
        "attempt_count": 2,
        "next_attempt_at": None,
        "delivered_at": start + 5,
        "last_status": 201,
        "last_error": None,
        "created_at": start,
        "attempts": [
            {"at": start, "status": 500, "error": "the receiver answered 500", "excerpt": "out of order", "duration_ms": 0},
            {"at": start + 5, "status": 201, "error": None, "excerpt": "thanks", "duration_ms": 0},
        ],
    }


async def test_deliveries_are_listed_newest_first(post):
    made = await post.endpoint()
    events = []
    for _ in range(3):
        events.append(await post.publish())
        await post.clock.advance(1)
    found = await post.endpoints.deliveries(post.caller, id_of(made), Page(limit=2))
    assert [each["event"] for each in found.items] == [events[2].id, events[1].id]
    assert found.has_more
    rest = await post.endpoints.deliveries(post.caller, id_of(made), Page(limit=2, starting_after=found.items[-1]["id"]))
    assert [each["event"] for each in rest.items] == [events[0].id]


async def test_a_redelivery_sends_the_same_event_again(post):
    made = await post.endpoint()
    event = await post.publish()
    await post.dispatcher().drain_once()
    await post.clock.advance(10 * 24 * 3600)
    (delivery,) = await post.deliveries(made)
    again = await post.endpoints.redeliver(post.caller, DeliveryId(delivery["id"]))
    assert (again["id"], again["event"], again["state"], again["delivered_at"]) == (delivery["id"], event.id, "pending", None)
    assert again["next_attempt_at"] == int(post.clock.now().timestamp())
    await post.dispatcher().drain_once()
    first, second = post.receiver.requests
    assert first.body == second.body == event.body
    assert post.received() == [event.id, event.id]
    assert await post.states(made) == ["delivered"]
    assert (await post.deliveries(made))[0]["attempt_count"] == 2


async def test_a_redelivery_after_the_window_is_one_attempt(post):
    made = await post.endpoint()
    await post.publish()
    await post.dispatcher().drain_once()
    await post.clock.advance(10 * 24 * 3600)
    (delivery,) = await post.deliveries(made)
    await post.endpoints.redeliver(post.caller, DeliveryId(delivery["id"]))
    post.receiver.answer(500)
    await post.dispatcher().drain_once()
    assert await post.states(made) == ["failed"]
    assert not (await post.shown(made))["disabled"]


async def test_a_pending_delivery_can_be_made_due_now(post):
    made = await post.endpoint()
    post.receiver.answer(500, 200)
    await post.publish()
    await post.dispatcher().drain_once()
    (delivery,) = await post.deliveries(made)
    assert await post.dispatcher().drain_once() == 0
    await post.endpoints.redeliver(post.caller, DeliveryId(delivery["id"]))
    assert await post.dispatcher().drain_once() == 1
    assert await post.states(made) == ["delivered"]
