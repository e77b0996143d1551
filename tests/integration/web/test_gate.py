from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from pepay_core.domain.merchants import KEY_SCOPES
from pepay_core.settings import LimitsSettings
from pepay_core.web.access import is_scope
from pepay_core.web.app import OPERATIONS

# The one list of what anybody may ask.
PUBLIC = {
    "/.well-known/security.txt",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/schema",
    "/schema/openapi.json",
    "/errors",
    "/errors/{code:str}",
    "/static",
}
EXAMPLES = {"invoice": "inv_", "payment": "pay_", "webhook": "whk_", "delivery": "dlv_", "event": "evt_", "key": "key_", "wallet": "wal_"}


def filled(path: str) -> str:
    """Return a path with an id for each parameter."""
    return re.sub(r"{(\w+)(:\w+)?}", lambda found: f"{EXAMPLES[found[1]]}{'0' * 26}" if found[1] in EXAMPLES else "0xabc", path)


async def status_of(app, spelling: str, method: str) -> int:
    """Ask exactly as a socket would deliver it: clients tidy addresses up."""
    raw, _, query = spelling.partition("#")[0].partition("?")
    statuses: list[int] = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http", "method": method, "path": unquote(raw), "raw_path": raw.encode("latin-1"), "query_string": query.encode(), "root_path": "",
        "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1), "server": ("localhost", 80), "scheme": "http", "http_version": "1.1",
    }  # fmt: skip
    await app(scope, receive, send)
    return statuses[0]


@pytest.mark.parametrize("path", [*sorted(PUBLIC - {"/errors/{code:str}", "/static"}), "/errors/invalid_amount", "/static/checkout.css"])
async def test_what_is_public_answers_anybody(web, path):
    assert (await web.client.get(path)).status_code == 200


SPELLINGS = [
    "/api/v1/invoices/", "//api/v1/invoices", "/api//v1/invoices", "/api/v1//invoices", "/api/v1/./invoices", "/api/v1/x/../invoices",
    "/API/v1/invoices",
    "/api/V1/invoices", "/api/v1/Invoices", "/api/v1/invoices%20", "/api/v1/%69nvoices", "/api/v1/invoices%2f", "/api%2fv1%2finvoices",
    "/api/v1/invoices%00",
    "/api/v1/invoices;x=1", "/api/v1/invoices%3bx", "/api/v1/invoices%5c", "/api/v1\\invoices", "/api/v1/invoices%23", "/api/v1/invoices%3f",
    "/api/v1/invoices.json",
    "/schema/../api/v1/invoices", "/schema/%2e%2e/api/v1/invoices", "/health/live/../../api/v1/invoices", "/static/../api/v1/invoices",
    "/static/%2e%2e/%2e%2e/app.py", "/static/..%2fapp.py", "/static/....//app.py", "/static/checkout.css/../../templates/pay.html",
    "/items/schema", "/api/v1/invoices/schema", "/api/v1/merchant/schema", "/api/v1/schema", "/api/v1/invoices/health/live",
    "/api/v1/tokens?x=/schema",
    "/api/v1/api-keys#/schema", "/api/v1/webhooks/%2e", "/api/v1/webhooks/..", "/api/v1/wallets/%252e%252e", "/api/v1/merchant%0a",
    "/api/v1/merchant%09",
    "/api/v1/merchant%E2%80%8B", "/api/v1/merchant%c0%af", "/api/v1/merchant%ff", "/api/v1/merchant%", "/api/v1/merchant%zz", "/x/../api/v1/merchant",
    "/pay/../api/v1/merchant", "/errors/..%2f..%2fapi", "/api/v1/plugins/", "/api/v1/plugins//", "/api/v1/ledger/entries/",
]  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_spelling_of_an_address_gets_past_the_gate(web, spelling):
    for method in ("GET", "POST"):
        assert await status_of(web.app, spelling, method) in {400, 401, 404, 405}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "unauthenticated"),
        ({"x-api-key": ""}, "unauthenticated"),
        ({"x-api-key": "nonsense"}, "unauthenticated"),
        ({"authorization": "Basic abc"}, "unauthenticated"),
        ({"authorization": "Bearer"}, "unauthenticated"),
        ({"authorization": "Bearer " + "x" * 5000}, "unauthenticated"),
        ({"x-api-key": "pepay_test_" + "0" * 26 + "_" + "a" * 43}, "unauthenticated"),
    ],
)
async def test_without_a_good_key_the_answer_is_401_and_echoes_nothing(web, headers, code):
    answer = await web.client.get("/api/v1/merchant", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert all(len(value) < 8 or value not in answer.text for value in headers.values())


async def test_a_key_is_taken_in_either_header(web):
    for headers in ({"x-api-key": web.key}, {"authorization": f"Bearer {web.key}"}, {"authorization": f"bearer {web.key}"}):
        assert (await web.client.get("/api/v1/merchant", headers=headers)).status_code == 200


async def test_every_character_of_a_key_counts(web):
    head, secret = web.key[:-43], web.key[-43:]
    for place in (0, 20, 42):
        other = "a" if secret[place] != "a" else "b"
        wrong = head + secret[:place] + other + secret[place + 1 :]
        assert (await web.client.get("/api/v1/merchant", headers={"x-api-key": wrong})).status_code == 401
    for wrong in (web.key.replace("_test_", "_live_"), web.key + "a", web.key[:-1], web.key.upper()):
        assert (await web.client.get("/api/v1/merchant", headers={"x-api-key": wrong})).status_code == 401


async def test_an_expired_and_a_revoked_key_say_so_to_whoever_has_them(web):
    expiring = await web.new_key(expires_in=60)
    revoked = await web.new_key()
    await web.client.delete(f"/api/v1/api-keys/key_{revoked.split('_')[2]}", headers=web.auth)
    await web.clock.advance(60)
    answers = [(await web.client.get("/api/v1/merchant", headers={"x-api-key": key})).json()["error"]["code"] for key in (expiring, revoked)]
    assert answers == ["api_key_expired", "api_key_revoked"]
    assert (await web.client.get("/api/v1/merchant", headers={"x-api-key": expiring[:-1] + "_"})).json()["error"]["code"] == "unauthenticated"


async def test_a_key_is_good_until_the_second_in_which_it_expires(web):
    key = await web.new_key(expires_in=60)
    await web.clock.advance(59.9)
    assert (await web.client.get("/api/v1/merchant", headers={"x-api-key": key})).status_code == 200


async def test_a_key_without_the_scope_is_forbidden(web):
    families = {each.access.partition(":")[0] for each in OPERATIONS if is_scope(each.access)} - {"members"}
    for family in sorted(families):
        key = await web.new_key(scopes=tuple(scope for scope in KEY_SCOPES if not scope.startswith(family)))
        for operation in OPERATIONS:
            if operation.access.startswith(f"{family}:"):
                answer = await web.client.request(operation.method, filled(operation.path), headers={"x-api-key": key})
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden"), operation.name


async def test_reading_is_part_of_writing_and_not_the_other_way_round(web):
    writer = {"x-api-key": await web.new_key(scopes=("invoices:write",))}
    reader = {"x-api-key": await web.new_key(scopes=("invoices:read",))}
    assert (await web.client.get("/api/v1/invoices", headers=writer)).status_code == 200
    assert (await web.client.post("/api/v1/invoices", json={"amount_usd": "5"}, headers=reader)).status_code == 403


async def test_a_key_is_bound_to_its_addresses(web):
    elsewhere = await web.new_key(allowed_ips=("203.0.113.0/24",))
    here = await web.new_key(allowed_ips=("203.0.113.0/24", "127.0.0.1"))
    assert (await web.client.get("/api/v1/merchant", headers={"x-api-key": elsewhere})).status_code == 403
    assert (await web.client.get("/api/v1/merchant", headers={"x-api-key": here})).status_code == 200


async def test_when_a_key_was_used_is_noted_at_most_once_a_minute(web):
    async def last_used():
        return (await web.get("/api/v1/api-keys")).json()["data"][-1]["last_used_at"]

    await last_used()
    first = await last_used()
    await web.clock.advance(30)
    await last_used()
    assert await last_used() == first
    await web.clock.advance(31)
    await last_used()
    assert await last_used() == first + 61


async def test_another_merchants_objects_do_not_exist(web):
    from pepay_core.services.founding import found

    invoice = await web.invoice(pay_with="toy:1/slip44:1")
    wallet = (await web.get("/api/v1/wallets")).json()["data"][0]["id"]
    webhook = (await web.post("/api/v1/webhooks", {"url": "https://93.184.216.34/hook"})).json()["id"]
    event = (await web.get("/api/v1/events")).json()["data"][0]["id"]
    other = await found(web.runtime.store, web.runtime.keys, web.runtime.ids, web.clock, "Other")
    paths = [
        ("GET", f"/api/v1/invoices/{invoice['id']}"), ("GET", f"/api/v1/invoices/{invoice['id']}/status"),
        ("POST", f"/api/v1/invoices/{invoice['id']}/cancel"),
        ("POST", f"/api/v1/invoices/{invoice['id']}/verify"), ("GET", f"/api/v1/wallets/{wallet}"), ("DELETE", f"/api/v1/wallets/{wallet}"),
        ("GET", f"/api/v1/webhooks/{webhook}"), ("DELETE", f"/api/v1/webhooks/{webhook}"), ("POST", f"/api/v1/webhooks/{webhook}/rotate-secret"),
        ("GET", f"/api/v1/webhooks/{webhook}/deliveries"), ("POST", f"/api/v1/webhooks/{webhook}/test"), ("GET", f"/api/v1/events/{event}"),
        ("DELETE", f"/api/v1/api-keys/key_{web.key.split('_')[2]}"),
    ]  # fmt: skip
    for key in (other.test_key, other.live_key, web.live_key):
        for method, path in paths:
            answer = await web.client.request(method, path, headers={"x-api-key": key})
            assert answer.status_code == 404, (method, path)
        for path in ("/api/v1/invoices", "/api/v1/wallets", "/api/v1/webhooks", "/api/v1/events", "/api/v1/payments", "/api/v1/ledger/entries"):
            assert (await web.client.get(path, headers={"x-api-key": key})).json()["data"] == []
    assert (await web.get(f"/api/v1/invoices/{invoice['id']}")).json()["status"] == "unpaid"


async def test_the_client_token_opens_one_invoice_and_nothing_else(web):
    invoice, other = await web.invoice(), await web.invoice()
    path = f"/api/v1/checkout/{invoice['id']}"
    assert (await web.client.get(path, params={"token": invoice["client_token"]})).status_code == 200
    assert (await web.client.get(path, headers={"x-pepay-token": invoice["client_token"]})).status_code == 200
    for token in ("", other["client_token"], invoice["client_token"][:-1], invoice["client_token"] + "x", "ä"):
        answer = await web.client.get(path, params={"token": token})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")
    assert (await web.client.get("/api/v1/invoices", headers={"x-api-key": invoice["client_token"]})).status_code == 401


async def test_the_buyer_sees_nothing_that_the_merchant_noted(web):
    invoice = await web.invoice(metadata={"margin": "0.4"}, customer_id="c-1", customer_email="a@example.com")
    answer = await web.client.get(f"/api/v1/checkout/{invoice['id']}", params={"token": invoice["client_token"]})
    assert all(secret not in answer.text for secret in ("margin", "c-1", "a@example.com", "seed"))
    assert answer.json()["merchant_name"] == "Acme Coffee"


async def test_the_limit_of_a_key_is_its_own_and_told_with_every_answer(open_web, settings):
    tight = settings.model_copy(update={"limits": LimitsSettings(writes_per_minute=5, reads_per_minute=7, buyers_per_minute=3)})
    async with open_web(tight) as web:
        answers = [await web.post("/api/v1/invoices", {"amount_usd": "5"}) for _ in range(7)]
        assert [each.status_code for each in answers] == [201] * 5 + [429] * 2
        assert answers[0].headers["ratelimit-policy"] == '"writes";q=5;w=60'
        assert answers[0].headers["ratelimit"].startswith('"writes";r=4')
        assert answers[-1].headers["retry-after"].isdigit()
        assert answers[-1].json()["error"]["code"] == "rate_limited"
        more = {"x-api-key": await web.new_key(writes_per_minute=8)}
        again = [(await web.client.post("/api/v1/invoices", json={"amount_usd": "5"}, headers=more)).status_code for _ in range(9)]
        assert again == [201] * 8 + [429]
        # Whoever may write eight may read eighty.
        assert (await web.client.get("/api/v1/merchant", headers=more)).headers["ratelimit-policy"] == '"reads";q=80;w=60'
        await web.clock.advance(60)
        assert (await web.post("/api/v1/invoices", {"amount_usd": "5"})).status_code == 201


async def test_buyers_are_counted_by_address_and_a_merchants_server_by_its_key(open_web, settings):
    tight = settings.model_copy(update={"limits": LimitsSettings(buyers_per_minute=3)})
    async with open_web(tight) as web:
        invoice = await web.invoice()
        path = f"/api/v1/checkout/{invoice['id']}?token={invoice['client_token']}"
        assert [(await web.client.get(path)).status_code for _ in range(4)] == [200] * 3 + [429]
        assert (await web.client.get(path, headers=web.auth)).status_code == 200
