from __future__ import annotations

import base64
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook

import pepay_webhook_hmac
from pepay_core.api import Delivery, EgressRefused, GiveUp, PluginContext, Unavailable
from pepay_core.http import AiohttpClient
from pepay_core.testing import NotifierSuite
from pepay_core.testing.notifier import OTHER_SECRET, SECRET, a_delivery
from pepay_core.testing.receiver import Answer, Receiver
from pepay_webhook_hmac.notifier import DEADLINE, LONGEST_WAIT, WebhookNotifier, headers
from pepay_webhook_hmac.signing import pepay_signature

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


class FixedClock:
    def now(self):
        return NOW

    def monotonic(self):
        return 0.0

    async def sleep(self, seconds):
        raise AssertionError("a notifier does not wait")


@pytest.fixture
async def receiver():
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def http():
    async with AiohttpClient(allow_private=True) as http:
        yield http


@pytest.fixture
def notifier(http):
    return WebhookNotifier(http, FixedClock(), deadline=1)


class TestWebhookNotifier(NotifierSuite):
    deadline = 1

    @pytest.fixture
    def notifier(self, http):
        return WebhookNotifier(http, FixedClock(), deadline=1)


async def test_the_plugin_contributes_one_notifier_for_webhooks(http):
    context = PluginContext("webhook-hmac", None, http, FixedClock(), logging.getLogger("test"))
    (notifier,) = pepay_webhook_hmac.pepay_notifiers(context)
    assert notifier.scheme == "webhook"


def test_a_receiver_has_ten_seconds():
    assert DEADLINE == 10


async def test_a_delivery_carries_exactly_the_documented_headers(notifier, receiver):
    await notifier.deliver(a_delivery(receiver))
    (request,) = await receiver.wait_for(1)
    transport = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-length"}
    assert {name: value for name, value in request.headers.items() if name not in transport and "signature" not in name} == {
        "content-type": "application/json",
        "webhook-id": "evt_01",
        "webhook-timestamp": "1767323045",
        "x-pepay-event-id": "evt_01",
        "x-pepay-event": "invoice.paid",
        "x-pepay-timestamp": "1767323045678",
        "x-pepay-network-environment": "devnet",
    }
    assert {name for name in request.headers if "signature" in name} == {"webhook-signature", "x-pepay-signature"}
    assert request.headers["user-agent"].startswith("PePay/")


async def test_a_live_event_says_mainnet(notifier, receiver):
    await notifier.deliver(replace(a_delivery(receiver), livemode=True))
    (request,) = await receiver.wait_for(1)
    assert request.headers["x-pepay-network-environment"] == "mainnet"


def test_while_a_secret_rotates_both_schemes_sign_with_both():
    delivery = Delivery("dlv_1", "evt_1", "test.ping", livemode=False, url="", body=b"{}", attempt=1, at=NOW, secrets=(SECRET, OTHER_SECRET))
    sent = headers(delivery)
    assert len(sent["webhook-signature"].split(" ")) == 2
    assert sent["X-Pepay-Signature"] == pepay_signature(SECRET, 1767323045678, b"{}")
    assert sent["X-Pepay-Signature-Previous"] == pepay_signature(OTHER_SECRET, 1767323045678, b"{}")


def test_the_time_zone_of_the_attempt_does_not_change_the_headers():
    delivery = Delivery("dlv_1", "evt_1", "test.ping", livemode=False, url="", body=b"{}", attempt=1, at=NOW, secrets=(SECRET,))
    assert headers(replace(delivery, at=NOW.astimezone(timezone(timedelta(hours=9))))) == headers(delivery)


async def test_nothing_is_sent_without_a_secret(notifier, receiver):
    with pytest.raises(ValueError, match="never sent unsigned"):
        await notifier.deliver(replace(a_delivery(receiver), secrets=()))
    assert not receiver.requests


async def test_a_thousand_deliveries_are_accepted_by_an_independent_verifier(notifier, receiver):
    now = datetime.now(UTC)
    for number in range(1000):
        secrets = ((SECRET,), (SECRET, OTHER_SECRET), (OTHER_SECRET, SECRET))[number % 3]
        body = json.dumps({"n": number, "text": "Grüße ☃" * (number % 7)}, ensure_ascii=False).encode()
        delivery = replace(a_delivery(receiver), event_id=f"evt_{number:04}", body=body, secrets=secrets, at=now)
        await notifier.deliver(delivery)
    for request in await receiver.wait_for(1000):
        number = int(request.headers["webhook-id"].removeprefix("evt_"))
        assert Webhook(SECRET).verify(request.body, dict(request.headers))["n"] == number
        if number % 3:
            assert Webhook(OTHER_SECRET).verify(request.body, dict(request.headers))["n"] == number


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        (" 7 ", 7),
        ("999999", LONGEST_WAIT),
        ("9" * 5000, LONGEST_WAIT),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 59),
        ("Fri, 02 Jan 2026 03:05:05 -0000", 59),
        ("Fri, 02 Jan 2026 01:00:00 GMT", 0),
        ("Fri, 02 Jan 2099 01:00:00 GMT", LONGEST_WAIT),
        ("-5", 0),
        ("1.5", 0),
        ("١٢", 0),
        ("soon", 0),
        ("Fri, 99 Jan 2026 99:99:99 GMT", 0),
        (None, 0),
    ],
)
async def test_a_receiver_may_ask_to_be_tried_later(notifier, receiver, asked, seconds):
    receiver.answer(Answer(503, headers={} if asked is None else {"Retry-After": asked.encode().decode("latin-1")}))
    with pytest.raises(Unavailable) as caught:
        await notifier.deliver(a_delivery(receiver))
    assert caught.value.retry_after == seconds


async def test_a_private_address_is_not_delivered_to_and_the_log_says_why(receiver):
    async with AiohttpClient() as http:
        with pytest.raises(Unavailable) as caught:
            await WebhookNotifier(http, FixedClock()).deliver(a_delivery(receiver))
    assert "not public" in caught.value.receipt.excerpt
    assert caught.value.receipt.status is None
    assert not receiver.requests


async def test_a_private_address_is_refused_at_registration(receiver):
    async with AiohttpClient() as http:
        with pytest.raises(EgressRefused):
            await WebhookNotifier(http, FixedClock()).check(receiver.url)


async def test_errors_keep_the_path_of_the_endpoint_to_themselves(notifier):
    async with Receiver() as gone:
        delivery = replace(a_delivery(gone), url=gone.url_of("/services/T0K3N?key=t0k3n"))
    with pytest.raises(Unavailable) as caught:
        await notifier.deliver(delivery)
    assert "t0k3n" not in (str(caught.value) + caught.value.receipt.excerpt).lower()


async def test_410_carries_what_the_receiver_said(notifier, receiver):
    receiver.answer(Answer(410, b"moved away"))
    with pytest.raises(GiveUp) as caught:
        await notifier.deliver(a_delivery(receiver))
    assert (caught.value.receipt.status, caught.value.receipt.excerpt) == (410, "moved away")


async def test_a_success_with_a_long_page_is_a_success(notifier, receiver):
    receiver.answer(Answer(200, b"<html>" * 100_000))
    receipt = await notifier.deliver(a_delivery(receiver))
    assert receipt.status == 200
    assert len(receipt.excerpt) == 2048


async def test_a_success_that_is_compressed_is_a_success_without_an_excerpt(notifier, receiver):
    receiver.answer(Answer(200, b"\x1f\x8b" + bytes(100), headers={"Content-Encoding": "gzip"}))
    receipt = await notifier.deliver(a_delivery(receiver))
    assert (receipt.status, receipt.excerpt) == (200, "")


def test_the_secret_of_a_malformed_endpoint_is_not_in_the_error():
    bad = "whsec_" + base64.b64encode(b"key").decode() + "!"
    delivery = Delivery("dlv_1", "evt_1", "test.ping", livemode=False, url="", body=b"{}", attempt=1, at=NOW, secrets=(bad,))
    with pytest.raises(ValueError, match="followed by base64") as caught:
        headers(delivery)
    assert bad[6:] not in str(caught.value)
