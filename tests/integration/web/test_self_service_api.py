"""What buyers do by themselves, and merchants make of it, over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pepay_core.domain.chains import Destination
from pepay_core.testing.toy import COIN, DOLLAR

BUYER = "toy1" + "b0" * 20


@pytest.fixture
async def overpaid(web):
    """An invoice that was paid twice over."""
    await web.see_chain()
    invoice = await web.invoice(amount="25.00", pay_with=DOLLAR.id)
    (option,) = [each for each in invoice["payment_options"] if each["destination"]]
    await web.net.pay(Destination(option["destination"]), 2 * int(option["quote"]["amount_base_units"]), DOLLAR.id)
    await web.net.mine(12)
    await web.see_chain()
    return invoice


async def as_buyer(web, invoice, method, path, body=None):
    answer = await web.client.request(method, f"/api/v1/checkout/{invoice['id']}/{path}?token={invoice['client_token']}", json=body)
    return answer.status_code, answer.json()


async def test_a_claim_is_made_listed_and_completed(web, overpaid):
    status, refund = await as_buyer(web, overpaid, "POST", "claim", {"asset": DOLLAR.id, "address": BUYER})
    assert (status, refund["object"], refund["status"], refund["amount"]) == (201, "refund", "requested", "25.00")

    listed = (await web.get("/api/v1/refunds?status=requested")).json()
    assert listed["data"] == [refund] == [(await web.get(f"/api/v1/refunds/{refund['id']}")).json()]
    done = await web.post(f"/api/v1/refunds/{refund['id']}/complete", {"transaction": "ab" * 32})
    assert (done.status_code, done.json()["status"], done.json()["transaction"]) == (200, "completed", "ab" * 32)
    assert (await web.post(f"/api/v1/refunds/{refund['id']}/decline", {"reason": "no"})).status_code == 409
    _, state = await as_buyer(web, overpaid, "GET", "self-service")
    assert (state["claims"], state["refunds"]) == ([], [done.json()])


async def test_a_claim_needs_the_invoices_own_token(web, overpaid):
    other = await web.invoice(amount="25.00")
    answer = await web.client.post(
        f"/api/v1/checkout/{overpaid['id']}/claim?token={other['client_token']}", json={"asset": DOLLAR.id, "address": BUYER}
    )
    assert answer.status_code == 401
    assert (await web.get("/api/v1/refunds")).json()["data"] == []


async def test_a_repeated_claim_with_one_idempotency_key_is_one_refund(web, overpaid):
    url = f"/api/v1/checkout/{overpaid['id']}/claim?token={overpaid['client_token']}"
    body = {"asset": DOLLAR.id, "address": BUYER}
    answers = [await web.client.post(url, json=body, headers={"idempotency-key": "once"}) for _ in range(2)]

    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert len((await web.get("/api/v1/refunds")).json()["data"]) == 1


async def test_an_order_goes_on_only_when_its_time_is_over(web):
    await web.see_chain()
    invoice = await web.invoice(amount="25.00", pay_with=DOLLAR.id, expires_in=600)
    assert (await as_buyer(web, invoice, "POST", "new-quote", {"asset": DOLLAR.id}))[0] == 409
    web.clock.jump(timedelta(seconds=601))
    await web.net.mine(1)
    await web.see_chain()
    await web.runtime.closing.close_due()

    status, opened = await as_buyer(web, invoice, "POST", "new-quote", {"asset": COIN.id})

    assert (status, opened["status"]) == (200, "unpaid")
    assert [each["symbol"] for each in opened["payment_options"] if each["quote"]] == [COIN.symbol, DOLLAR.symbol]


async def test_the_rules_are_changed_one_by_one_and_checked(web):
    usual = (await web.get("/api/v1/merchant")).json()["self_service"]
    assert usual == {"new_quote": True, "lookup": True, "claims": "review", "claim_minimum": "1.00"}
    change = web.client.patch("/api/v1/merchant", headers=web.auth, json={"self_service": {"claims": "off", "claim_minimum": 2.5}})
    assert (await change).json()["self_service"] == {**usual, "claims": "off", "claim_minimum": "2.50"}
    for wrong in ({"claims": "maybe"}, {"claim_minimum": "-1"}, {"lookups": True}, {"new_quote": "yes"}):
        answer = await web.client.patch("/api/v1/merchant", headers=web.auth, json={"self_service": wrong})
        assert answer.status_code == 422, wrong
