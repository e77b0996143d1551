from __future__ import annotations

import asyncio

import pytest

KEY = {"Idempotency-Key": "order-1042"}


async def test_a_repeated_request_gets_the_first_ones_answer(web):
    first = await web.post("/api/v1/invoices", {"amount_usd": "5"}, headers=KEY)
    second = await web.post("/api/v1/invoices", {"amount_usd": "5"}, headers=KEY)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert len((await web.get("/api/v1/invoices")).json()["data"]) == 1


async def test_fifty_equal_requests_at_once_make_one_invoice(web):
    answers = await asyncio.gather(*(web.post("/api/v1/invoices", {"amount_usd": "5", "pay_with": "toy:1/slip44:1"}, headers=KEY) for _ in range(50)))
    assert {each.status_code for each in answers} == {201}
    assert len({each.content for each in answers}) == 1
    assert sum("idempotency-replayed" not in each.headers for each in answers) == 1
    assert len((await web.get("/api/v1/invoices")).json()["data"]) == 1


async def test_the_same_key_with_another_request_is_a_conflict(web):
    await web.post("/api/v1/invoices", {"amount_usd": "5"}, headers=KEY)
    answer = await web.post("/api/v1/invoices", {"amount_usd": "6"}, headers=KEY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "idempotency_conflict")


async def test_a_key_belongs_to_a_merchants_environment_and_an_operation(web):
    invoice = (await web.post("/api/v1/invoices", {"amount_usd": "5"}, headers=KEY)).json()
    canceled = await web.post(f"/api/v1/invoices/{invoice['id']}/cancel", {}, headers=KEY)
    assert canceled.json()["status"] == "canceled"
    live = await web.client.post("/api/v1/invoices", json={"amount_usd": "5"}, headers={"x-api-key": web.live_key, **KEY})
    assert live.status_code == 201
    assert live.json()["livemode"] is True


async def test_a_refused_request_leaves_its_key_free(web):
    refused = await web.post("/api/v1/invoices", {"amount_usd": "-5"}, headers=KEY)
    assert refused.status_code == 422
    assert (await web.post("/api/v1/invoices", {"amount_usd": "5"}, headers=KEY)).status_code == 201
    web.prices.known.clear()
    await web.clock.advance(3600)
    other = {"Idempotency-Key": "other"}
    assert (await web.post("/api/v1/invoices", {"amount_usd": "5"}, headers=other)).status_code == 503
    web.prices.known["usd-coin"] = 1
    await web.clock.advance(3600)


async def test_what_only_asks_is_answered_from_memory_as_well(web):
    path = f"/api/v1/invoices/{(await web.invoice())['id']}/verify"
    first, second = await web.post(path, headers=KEY), await web.post(path, headers=KEY)
    assert (first.status_code, second.content) == (200, first.content)
    assert second.headers["idempotency-replayed"] == "true"


async def test_an_answer_with_a_secret_is_not_stored_in_the_clear(web):
    answer = await web.post("/api/v1/api-keys", {"name": "till", "scopes": ["invoices:read"]}, headers=KEY)
    secret = answer.json()["key"]
    again = await web.post("/api/v1/api-keys", {"name": "till", "scopes": ["invoices:read"]}, headers=KEY)
    assert again.json()["key"] == secret
    path = web.runtime.settings.database_url.removeprefix("sqlite:///")
    from pathlib import Path

    stored = b"".join(each.read_bytes() for each in Path(path).parent.glob("pepay.db*"))
    assert secret.rpartition("_")[2].encode() not in stored


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "ä"])
async def test_a_key_is_printable_and_bounded(web, key):
    answer = await web.client.post(
        "/api/v1/invoices", json={"amount_usd": "5"}, headers=[("x-api-key", web.key), ("idempotency-key", key.encode("latin-1"))]
    )
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["field"] == "Idempotency-Key"


async def test_a_buyers_key_belongs_to_the_invoice(web):
    one, other = await web.invoice(), await web.invoice()
    answers = []
    for invoice in (one, other):
        path = f"/api/v1/checkout/{invoice['id']}/payment-options?token={invoice['client_token']}"
        answers.append(await web.client.post(path, json={"asset": "toy:1/slip44:1"}, headers=KEY))
    assert [each.json()["id"] for each in answers] == [one["id"], other["id"]]


async def test_a_key_is_forgotten_after_a_day(web):
    first = await web.post("/api/v1/invoices", {"amount_usd": "5"}, headers=KEY)
    await web.clock.advance(24 * 3600 + 1)
    second = await web.post("/api/v1/invoices", {"amount_usd": "5"}, headers=KEY)
    assert second.json()["id"] != first.json()["id"]
