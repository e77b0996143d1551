from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from pepay_core.settings import LimitsSettings, ServerSettings, Settings
from pepay_core.testing.clock import FakeClock
from pepay_core.web.asgi.facts import facts
from pepay_core.web.asgi.stack import layered
from pepay_core.web.limiting import Allowances


class Recorder:
    """An application that notes what reaches it."""

    def __init__(self, status: int = 200, error: Exception | None = None) -> None:
        self.status, self.error, self.seen = status, error, []

    async def __call__(self, scope, receive, send):
        self.seen.append(scope)
        if self.error:
            raise self.error
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"body", "more_body": False})


class Answer:
    def __init__(self, messages: list[Any]) -> None:
        self.status = messages[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
        self.body = b"".join(message["body"] for message in messages[1:])

    def json(self) -> Any:
        return json.loads(self.body)


async def ask(app, path: str = "/api/v1/x", *, method="GET", query=b"", headers=None, client=("203.0.113.7", 5), raw: bytes | None = None) -> Answer:
    messages: list[Any] = []
    given = {"host": "pay.example.com", **(headers or {})}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": raw if raw is not None else path.encode(),
        "query_string": query,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items() if value is not None],
        "client": client,
    }

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        messages.append(message)

    await app(scope, receive, send)
    return Answer(messages)


def stack(inner, *, base_url="https://pay.example.com", limit=1000, **server):
    settings = Settings(server=ServerSettings(base_url=base_url, **server), limits=LimitsSettings(reads_per_minute=limit))
    clock = FakeClock()
    return layered(inner, settings, clock, Allowances(clock), Counter())


SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "strict-transport-security": "max-age=31536000",
}


async def test_every_answer_has_the_security_headers_also_those_that_no_route_gave():
    for answer in (
        await ask(stack(Recorder())),
        await ask(stack(Recorder(404))),
        await ask(stack(Recorder(error=RuntimeError("boom")))),
        await ask(stack(Recorder()), headers={"host": "evil.example"}),
        await ask(stack(Recorder()), "/a//b"),
        await ask(stack(Recorder()), query=b"a=%zz"),
        await ask(stack(Recorder()), headers={"content-length": "999999999"}, method="POST"),
    ):
        assert SECURITY.items() <= answer.headers.items()
        assert answer.headers["x-request-id"]


async def test_what_nobody_expected_is_told_by_the_request_id_alone(caplog):
    answer = await ask(stack(Recorder(error=RuntimeError("the password is swordfish"))))
    assert answer.status == 500
    assert "swordfish" not in answer.body.decode()
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "swordfish" in caplog.text


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-123", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("", False), ("a\tb", False), ("<x>", False)]
)
async def test_a_sane_request_id_is_kept_and_any_other_replaced(given, kept):
    answer = await ask(stack(Recorder()), headers={"x-request-id": given})
    assert (answer.headers["x-request-id"] == given) is kept


@pytest.mark.parametrize("host", ["pay.example.com", "PAY.example.COM", "pay.example.com:443", "pay.example.com."])
async def test_the_own_host_is_known_however_it_is_written(host):
    assert (await ask(stack(Recorder()), headers={"host": host})).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "pay.example.com.evil.example", "pay.example.com:8443", "xpay.example.com", "payXexample.com", "localhost", "127.0.0.1",
        "pay.example.com@evil.example", "[::1]", "www.pay.example.com", "203.0.113.7",
    ],
)  # fmt: skip
async def test_another_host_is_misdirected(host):
    inner = Recorder()
    answer = await ask(stack(inner), headers={"host": host})
    assert answer.status in {400, 421}
    assert not inner.seen


@pytest.mark.parametrize("host", ["", " ", "a b", "a\x00", "pay.example.com:x", "pay.example.com:123456", "[::1", "päy.example", None])
async def test_what_is_no_host_is_a_bad_request(host):
    assert (await ask(stack(Recorder()), headers={"host": host})).status == 400


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:9", "[::1]:8000", "localhost"])
async def test_a_local_server_is_found_by_every_local_name(host):
    app = stack(Recorder(), base_url="http://localhost:8000")
    assert (await ask(app, headers={"host": host})).status == 200
    assert (await ask(app, headers={"host": "evil.example"})).status == 421


async def test_further_hosts_are_configured_and_health_is_asked_by_any_name():
    app = stack(Recorder(), hosts=("internal:8080",))
    assert (await ask(app, headers={"host": "internal:8080"})).status == 200
    assert (await ask(app, headers={"host": "internal"})).status == 421
    assert (await ask(app, "/health/live", headers={"host": "10.0.0.5:8000"})).status == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"/api//v1/x", b"//api/v1/x", b"/api/v1/x/", b"/api/v1/./x", b"/api/v1/../v1/x", b"/api/v1/x/..",
        b"/api%2fv1/x", b"/api/v1%2Fx", b"/api/v1%5cx",
        b"/api\\v1/x", b"/api/v1/x;a=b", b"/api/v1/x%3ba", b"/.", b"/..", b"/api/v1/%2e%2e/x", b"/api/v1/%2e/x",
    ],
)  # fmt: skip
async def test_a_detour_leads_nowhere(raw):
    from urllib.parse import unquote

    inner = Recorder()
    answer = await ask(stack(inner), unquote(raw.decode()), raw=raw)
    assert answer.status == 404
    assert not inner.seen


@pytest.mark.parametrize("raw", [b"/api/%", b"/api/%z1", b"/api/%4", b"/api/%00", b"/api/%ff", b"/api/%ed%a0%80", b"/api/%0d%0a", b"/" + b"a" * 3000])
async def test_a_path_that_cannot_be_decoded_is_a_bad_request(raw):
    answer = await ask(stack(Recorder()), raw.decode("latin-1"), raw=raw)
    assert answer.status == 400


@pytest.mark.parametrize(
    ("query", "field"), [(b"limit=%", "limit"), (b"a=1&limit=%00", "limit"), (b"limit=%ff", "limit"), (b"q=%ed%a0%80", "q"), (b"%zz=1", "query")]
)
async def test_a_query_that_cannot_be_decoded_is_a_bad_request_with_the_name(query, field):
    answer = await ask(stack(Recorder()), query=query)
    assert answer.status == 400
    assert answer.json()["error"]["details"][0]["field"] == field


async def test_queries_are_bounded():
    assert (await ask(stack(Recorder()), query=b"a=1&" * 101)).status == 400
    assert (await ask(stack(Recorder()), query=b"a=" + b"1" * 9000)).status == 400


@pytest.mark.parametrize(("length", "status"), [("65536", 200), ("65537", 413), ("-1", 400), ("1e3", 400), ("+5", 400), ("9" * 30, 400)])
async def test_a_body_is_judged_by_its_length_before_it_is_read(length, status):
    assert (await ask(stack(Recorder()), method="POST", headers={"content-length": length})).status == status


async def test_head_is_get_without_a_body():
    inner = Recorder()
    answer = await ask(stack(inner), method="HEAD")
    assert inner.seen[0]["method"] == "GET"
    assert answer.body == b""


async def test_a_method_override_is_ignored():
    inner = Recorder()
    await ask(stack(inner), method="POST", headers={"x-http-method-override": "DELETE"})
    assert inner.seen[0]["method"] == "POST"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", None, "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "1.2.3.4, rubbish, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "rubbish", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
    ],
)
async def test_a_client_is_the_rightmost_hop_that_is_no_trusted_proxy(peer, forwarded, client):
    inner = Recorder()
    await ask(stack(inner, trusted_proxies=("10.0.0.0/8",)), client=(peer, 1), headers={"x-forwarded-for": forwarded})
    assert facts(inner.seen[0]).address == client


async def test_an_address_whose_requests_lead_nowhere_is_slowed_down():
    app = stack(Recorder(404), limit=10)
    answers = [await ask(app) for _ in range(15)]
    assert [each.status for each in answers] == [404] * 10 + [429] * 5
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[-1].headers["ratelimit-policy"] == '"stray";q=10;w=60'
    assert (await ask(app, client=("203.0.113.8", 1))).status == 404


async def test_people_are_told_on_a_page_and_programs_in_a_document():
    app = stack(Recorder())
    page = await ask(app, "/pay//x")
    assert page.headers["content-type"].startswith("text/html")
    assert "style-src 'self'" in page.headers["content-security-policy"]
    assert "script-src" not in page.headers["content-security-policy"]
    document = await ask(app, "/api//x", headers={"accept": "text/html"})
    assert document.headers["content-type"] == "application/problem+json"
    assert document.json() == {
        "type": "https://pay.example.com/errors/not_found",
        "title": "Not found",
        "status": 404,
        "detail": "there is nothing at this address",
        "success": False,
        "error": {"code": "not_found", "message": "there is nothing at this address", "details": []},
        "request_id": document.headers["x-request-id"],
    }
