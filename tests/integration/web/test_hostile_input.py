from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from pepay_core.web.access import SESSIONS_ONLY
from pepay_core.web.api.invoice_objects import CreateInvoice
from pepay_core.web.app import OPERATIONS
from pepay_core.web.asgi import bounding

NUMBERS = [
    '"NaN"', '"Infinity"', '"-Infinity"', '"sNaN"', '"1e999999"', '"1_000"', '" 5 "', '"-5"', "-5", "-0", "1e3", "1E400", '"+5"', '"0x5"',
    '"1,000.00"', '"5$"',
    '"' + "9" * 40 + '"', "9" * 40, "9" * 5000, '"0.001"', "0.001", '"0"', "0", '"1000000.01"', '"1000001"', "true", "[]", "{}", '""', '"\\u0665"',
    '"' + "9" * 60000 + '"',
]  # fmt: skip
VALUES = [
    "true", "1", "-1", "1.5", "1e400", '""', '"x"', "[]", "[1]", "[null]", "{}", '{"a":1}', '"\\u0000"', '"\\ud800"', '"' + "x" * 60_000 + '"',
    "9" * 400, '"<script>alert(1)</script>"', '"\' OR 1=1 --"', '"../../etc/passwd"', '"\\u202e"', '["\\u0000"]', '[{"name":"\\ud800"}]',
    '{"a":"\\u0000"}', "null",
]  # fmt: skip
FIELDS = [field.encode_name for field in msgspec.structs.fields(CreateInvoice)]


async def refused(web, body: bytes) -> dict:
    answer = await web.post_raw("/api/v1/invoices", body)
    assert 400 <= answer.status_code < 500, (answer.status_code, body[:200])
    return answer.json()


@pytest.mark.parametrize("number", NUMBERS, ids=lambda each: each[:20])
@pytest.mark.parametrize("field", ["amount", "amount_usd"])
async def test_an_amount_that_is_none_is_refused_with_its_name(web, field, number):
    problem = await refused(web, f'{{"{field}":{number}}}'.encode())
    assert problem["error"]["details"][0]["field"] == field
    assert problem["error"]["code"] in {"invalid_amount", "amount_out_of_range"}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
async def test_a_constant_that_json_does_not_have_is_refused_with_the_name_of_its_field(web, number):
    problem = await refused(web, f'{{"amount_usd":{number}}}'.encode())
    assert (problem["error"]["code"], problem["error"]["details"][0]["field"]) == ("invalid_json", "amount_usd")


@pytest.mark.parametrize("field", FIELDS)
async def test_no_value_in_any_field_breaks_the_server(web, field):
    for value in VALUES:
        fields = {"amount_usd": '"5"', field: value}
        body = "{" + ",".join(f'"{name}":{each}' for name, each in fields.items()) + "}"
        answer = await web.post_raw("/api/v1/invoices", body.encode())
        assert answer.status_code in {201, 400, 422}, (field, value[:40], answer.status_code)
        if answer.status_code != 201:
            details = answer.json()["error"]["details"]
            assert details, (field, value[:40], answer.text)
            assert details[0]["field"].partition(".")[0] in {field, "a", "amount", "currency"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"amount": "5"} | {"currency": "ABC"}, "currency"),
        ({"amount": "5", "currency": "usd"}, "currency"),
        ({"amount": "5", "currency": "eip155:1/slip44:60"}, "currency"),
        ({"amount": "5.001", "currency": "USD"}, "amount"),
        ({"amount": "5.5", "currency": "JPY"}, "amount"),
        ({"amount_usd": "5", "amount": "5"}, "amount"),
        ({}, "amount"),
        ({"amount_usd": "5", "expires_in": 59}, "expires_in"),
        ({"amount_usd": "5", "expires_in": 2_592_001}, "expires_in"),
        ({"amount_usd": "5", "description": "x" * 256}, "description"),
        ({"amount_usd": "5", "customer_email": "nobody"}, "customer_email"),
        ({"amount_usd": "5", "return_url": "javascript:alert(1)"}, "return_url"),
        ({"amount_usd": "5", "tokens": ["x"]}, "tokens.0"),
        ({"amount_usd": "5", "tokens": ["eip155:1/slip44:60"]}, "tokens.0"),
        ({"amount_usd": "5", "pay_with": "toy:1/toy20:do11ar"}, "pay_with"),
        ({"amount_usd": "5", "tolerance": {"percent": "5.1"}}, "tolerance.percent"),
        ({"amount_usd": "5", "tolerance": {"percents": "1"}}, "tolerance.percents"),
        ({"amount_usd": "5", "line_items": [{"name": "a"}, {"name": "b", "quantity": 0}]}, "line_items.1.quantity"),
        ({"amount_usd": "5", "line_items": [{"name": "a", "amount": "x"}]}, "line_items.0.amount"),
        ({"amount_usd": "5", "line_items": [{"name": "a"}] * 101}, "line_items"),
        ({"amount_usd": "5", "metadata": {"a": "x" * 16_400}}, "metadata"),
        ({"amount_usd": "5", "metadata": []}, "metadata"),
        ({"amount_usd": "5", "status": "paid"}, "status"),
        ({"amount_usd": "5", "merchant": "mer_x"}, "merchant"),
        ({"amount_usd": "5", "livemode": True}, "livemode"),
    ],
)
async def test_an_invoice_that_is_wrong_is_refused_with_the_name_of_the_field(web, body, field):
    answer = await web.post("/api/v1/invoices", body)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["error"]["details"][0]["field"] == field
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["success"] is False
    assert problem["type"] == f"http://localhost:8000/errors/{problem['error']['code']}"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "invalid_request"),
        (b"{", 400, "invalid_json"),
        (b"\xff\xfe", 400, "invalid_json"),
        (b'{"amount_usd":"5","amount_usd":"6"}', 400, "invalid_json"),
        (b'{"metadata":' + b"[" * 30_000 + b"]" * 30_000 + b"}", 400, "invalid_json"),
        (b"[" * 60_000, 400, "invalid_json"),
        (b"[]", 422, "invalid_request"),
        (b"null", 422, "invalid_request"),
        (b" " * 70_000, 413, "request_too_large"),
    ],
    ids=lambda each: str(each)[:24],
)
async def test_a_body_that_is_none_is_refused(web, body, status, code):
    answer = await web.post_raw("/api/v1/invoices", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_a_body_that_is_sent_in_pieces_is_as_limited_as_any_other(web):
    async def pieces():
        for _ in range(100):
            yield b" " * 1024

    answer = await web.client.post("/api/v1/invoices", content=pieces(), headers={**web.auth, "content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


async def _begun(web, further) -> int:
    """Return the status of the answer to a request that began, and of which the server then hears ``further``."""
    headers = [(b"host", b"localhost:8000"), (b"x-api-key", web.key.encode()), (b"content-type", b"application/json"), (b"content-length", b"100")]
    scope = {"type": "http", "method": "POST", "path": "/api/v1/invoices", "raw_path": b"/api/v1/invoices", "query_string": b"", "headers": headers}
    begun, sent = [{"type": "http.request", "body": b'{"amount', "more_body": True}], []

    async def receive():
        return begun.pop() if begun else await further()

    async def send(message):
        sent.append(message)

    await web.app({**scope, "client": ("127.0.0.1", 1), "http_version": "1.1", "scheme": "http", "root_path": "", "server": None}, receive, send)
    return sent[0]["status"]


async def test_whoever_hangs_up_in_the_middle_of_a_body_is_no_error_of_the_server(web, caplog):
    async def gone():
        return {"type": "http.disconnect"}

    assert await _begun(web, gone) == 400
    assert [each.message for each in caplog.records if each.levelname in {"ERROR", "CRITICAL"}] == []


async def test_a_body_that_does_not_come_to_its_end_is_not_waited_for(web, monkeypatch):
    monkeypatch.setattr(bounding, "SECONDS", 0.05)
    assert await _begun(web, asyncio.Event().wait) == 400


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", ""])
async def test_a_body_that_is_no_json_is_of_the_wrong_type(web, content_type):
    answer = await web.post_raw("/api/v1/invoices", b'{"amount_usd":"5"}', content_type)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


async def test_a_method_that_is_not_taken_says_which_are(web):
    for method in ("PUT", "DELETE", "PATCH", "TRACE"):
        answer = await web.client.request(method, "/api/v1/invoices", headers=web.auth)
        assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    options = await web.client.options("/api/v1/invoices", headers=web.auth)
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.body], ids=lambda each: each.name)
async def test_no_body_breaks_any_operation(web, operation):
    path = operation.path
    invoice = await web.invoice()
    for name, value in {"invoice": invoice["id"], "webhook": "whk_" + "0" * 26}.items():
        path = path.replace("{" + name + "}", value)
    for body in (b"", b"{", b"[]", b"null", b'"x"', b"1", b'{"a":NaN}', b'{"a":1,"a":1}', b"\xff", b"[" * 50_000, b'{"surprise":true}'):
        answer = await web.client.request(
            operation.method, f"{path}?token={invoice['client_token']}", content=body, headers={**web.auth, "content-type": "application/json"}
        )
        assert answer.status_code < 500, (operation.name, body[:20])
        if body:
            # Where only people may, a key is sent away before anybody reads what it sends.
            only_people = operation.access in SESSIONS_ONLY or operation.access.startswith("members:")
            assert answer.status_code in ({403} if only_people else {400, 404, 422})


async def test_an_id_of_any_form_is_simply_not_found(web):
    for text in (
        "x",
        "inv_",
        "inv_" + "0" * 25,
        "inv_" + "I" * 26,
        "INV_" + "0" * 26,
        "pay_" + "0" * 26,
        "1",
        "%20",
        "null",
        "x" * 300,
        "%E2%82%AC",
        "'",
    ):
        answer = await web.get(f"/api/v1/invoices/{text}")
        assert answer.status_code == 404, text
        assert json.loads(answer.text)["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("description", "x" * 256, "at most 255 long"),
        ("expires_in", 59, "at least 60"),
        ("expires_in", 2_592_001, "at most 2592000"),
        ("tokens", [], "at least 1 long"),
        ("description", 5, "must be a string"),
    ],
)
async def test_what_is_too_long_or_too_short_is_told_its_limit(web, field, value, said):
    answer = await web.post("/api/v1/invoices", {"amount_usd": "5", field: value})
    (detail,) = answer.json()["error"]["details"]
    assert (answer.status_code, detail["field"]) == (422, field)
    assert said in detail["message"]
