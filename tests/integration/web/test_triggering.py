"""Events that are made to happen: real ones where that can be done, examples of the right shape elsewhere, and never with real money."""

from __future__ import annotations

import msgspec
import pytest

from pepay_core.domain.errors import Conflict, InvalidInput
from pepay_core.domain.merchants import SCOPES
from pepay_core.services.callers import Caller
from pepay_core.services.triggering import PAYABLE, TRIGGERS
from pepay_core.web.api import invoice_objects, refunds, webhooks

REAL = {"invoice.created", "invoice.canceled", "test.ping"}
SHAPES = {
    "invoice": invoice_objects.Invoice,
    "payment": invoice_objects.Payment,
    "refund": refunds.Refund,
    "webhook": webhooks.Webhook,
    "test": webhooks.Webhook,
}


@pytest.fixture
def caller(web):
    return Caller(web.merchant, False, "command line", frozenset(SCOPES))


async def newest(web, kind):
    (found,) = (await web.get(f"/api/v1/events?type={kind}&limit=100")).json()["data"][-1:]
    return found


def test_everything_that_is_ever_sent_can_be_triggered():
    from pepay_core.domain.events import TYPES

    assert set(TYPES) - set(TRIGGERS) == {"conversion.completed", "conversion.failed"}
    assert set(PAYABLE) < set(TRIGGERS)


@pytest.mark.parametrize("kind", TRIGGERS)
async def test_every_type_is_told_as_what_it_is_and_in_the_shape_that_it_has(web, caller, kind):
    await web.post("/api/v1/webhooks", {"url": "https://93.184.216.34/hook"})
    outcome = await web.runtime.triggering.trigger(caller, kind)
    event = await newest(web, kind)
    assert outcome.real is (kind in REAL)
    assert event.get("example") is (None if outcome.real else True)
    msgspec.convert(event, webhooks.Event)
    obj = event["data"]["object"]
    family = kind.partition(".")[0]
    if family == "chain":
        assert set(obj) == {"object", "id", "name", "livemode", "state", "reason", "endpoints", "tip", "tip_time"}
    else:
        msgspec.convert(obj, SHAPES[family])
    assert obj["livemode"] is False
    if kind.startswith("invoice."):
        word = kind.removeprefix("invoice.")
        expected = {"created": "unpaid", "partial_payment": "underpaid", "reverted": "unpaid", "reopened": "unpaid", "resolved": "underpaid"}
        assert obj["status"] == expected.get(word, word)
        assert obj["fulfil"] is (word in {"paid", "overpaid", "resolved"})
        if not outcome.real:
            assert event["data"]["previous_attributes"]
            assert all(obj[name] != was for name, was in event["data"]["previous_attributes"].items())
            assert (await web.get(f"/api/v1/invoices/{obj['id']}")).json()["status"] == "unpaid"


async def test_an_example_moves_no_money(web, caller):
    for kind in TRIGGERS:
        if kind not in REAL:
            await web.runtime.triggering.trigger(caller, kind)
    assert (await web.get("/api/v1/payments")).json()["data"] == []
    assert (await web.get("/api/v1/ledger/entries")).json()["data"] == []
    assert (await web.get("/api/v1/refunds")).json()["data"] == []


async def test_an_example_reaches_the_endpoints_that_listen(web, caller):
    listening = (await web.post("/api/v1/webhooks", {"url": "https://93.184.216.34/a", "enabled_events": ["invoice.paid"]})).json()
    deaf = (await web.post("/api/v1/webhooks", {"url": "https://93.184.216.34/b", "enabled_events": ["refund.*"]})).json()
    await web.runtime.triggering.trigger(caller, "invoice.paid")
    found = [(await web.get(f"/api/v1/webhooks/{each['id']}/deliveries")).json()["data"] for each in (listening, deaf)]
    assert [[each["event_type"] for each in some] for some in found] == [["invoice.paid"], []]


async def test_a_payment_brings_about_what_it_brings_about(web, caller):
    paid = []

    async def pay(option, amount):
        paid.append((option["symbol"], option["destination"], amount))

    outcome = await web.runtime.triggering.trigger(caller, "invoice.paid", pay=pay)
    assert outcome.real is True
    (symbol, destination, amount) = paid[0]
    option = next(each for each in (await web.get(f"/api/v1/invoices/{outcome.subject}")).json()["payment_options"] if each["quote"])
    assert (symbol, destination) == (option["symbol"], option["destination"])
    assert amount == option["quote"]["amount"].rstrip("0").rstrip(".")
    with pytest.raises(InvalidInput):
        await web.runtime.triggering.trigger(caller, "invoice.expired", pay=pay)


@pytest.mark.parametrize("kind", TRIGGERS)
async def test_nothing_is_triggered_where_money_is_real(web, kind):
    live = Caller(web.merchant, True, "command line", frozenset(SCOPES))
    with pytest.raises(InvalidInput):
        await web.runtime.triggering.trigger(live, kind)
    async with web.runtime.store.read() as tx:
        assert await tx.events.latest(web.merchant, livemode=True) is None


@pytest.mark.parametrize("kind", ["", "invoice.lost", "invoice.*", "*", "conversion.completed"])
async def test_what_is_no_type_is_refused(web, caller, kind):
    with pytest.raises(InvalidInput):
        await web.runtime.triggering.trigger(caller, kind)


async def test_without_an_endpoint_there_is_nobody_to_ping(web, caller):
    with pytest.raises(Conflict):
        await web.runtime.triggering.trigger(caller, "test.ping")


async def test_the_outbox_takes_no_example_where_money_is_real(web):
    async def work(tx):
        await web.runtime.dispatcher._deliverer._outbox.publish(
            tx, "invoice.paid", merchant=web.merchant, livemode=True, subject="x", obj={}, example=True
        )

    with pytest.raises(AssertionError):
        await web.runtime.store.run(work)
