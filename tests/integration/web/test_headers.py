"""What every answer of every address says to browsers, caches and frames, and what is answered for another host."""

from __future__ import annotations

import re

import pytest
from persons import member

from pepay_core.settings import ServerSettings

ALWAYS = {
    "x-content-type-options": {"nosniff"},
    "referrer-policy": {"no-referrer", "same-origin"},
    "cross-origin-opener-policy": {"same-origin"},
    "permissions-policy": {"camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
    "strict-transport-security": {"max-age=31536000"},
}


def filled(path: str) -> str:
    return re.sub(r"{(\w+)(:\w+)?}", lambda each: {"file_path": "mark.svg", "name": "v1.js", "code": "forbidden"}.get(each[1], "abc"), path)


def check(answer, where) -> None:
    for name, allowed in ALWAYS.items():
        said = set(answer.headers.get_list(name))
        assert said, (where, name)
        assert said <= allowed, (where, name, said)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy, where
    assert "unsafe" not in policy, where
    assert "http:" not in policy, where
    assert "frame-ancestors" in policy or answer.headers.get("x-frame-options") == "DENY", where
    if "public" not in answer.headers["cache-control"]:
        assert answer.headers["cache-control"] == "no-store", where
        assert "cookie" in answer.headers["vary"].lower(), where
    assert answer.headers["x-request-id"], where
    assert "server" not in answer.headers, where


@pytest.fixture
async def secure(open_web, settings):
    server = ServerSettings(base_url="https://localhost:8000", security_contact="mailto:security@example.com")
    async with open_web(settings.model_copy(update={"server": server})) as web:
        yield web


async def test_every_address_and_every_refusal_says_what_it_must(secure):
    person = await member(secure)
    statuses = set()
    for route in sorted({each.path for each in secure.app.routes}):
        path = filled(route)
        if path.endswith("/stream"):
            continue
        for method in ("GET", "POST", "TRACE"):
            for headers in ({}, {"accept": "text/html"}, {"cookie": person.cookies, "origin": "https://localhost:8000", "x-csrf-token": person.csrf}):
                if path in {"/logout", "/api/v1/session"} and method == "POST":
                    continue
                answer = await secure.client.request(method, path, headers=headers)
                secure.client.cookies.clear()
                check(answer, (method, path, answer.status_code))
                statuses.add(answer.status_code)
    assert {200, 303, 401, 403, 404, 405, 415, 422} <= statuses


async def test_what_fails_unexpectedly_says_it_too(secure, monkeypatch):
    async def broken(*_):
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(type(secure.runtime.preferring), "get", broken)
    answer = await secure.client.get("/api/v1/merchant", headers=secure.auth)
    assert answer.status_code == 500
    assert "swordfish" not in answer.text
    check(answer, "500")


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "evil.example:8000", "localhost:8000@evil.example", ""])
async def test_another_host_is_answered_by_nothing(secure, host):
    for path in ("/api/v1/merchant", "/login", "/nothing", "/static/mark.svg", "/reset-password"):
        answer = await secure.client.get(path, headers={"host": host, **secure.auth})
        assert answer.status_code in {400, 421}, (path, answer.status_code)
        assert "evil" not in answer.text
        check(answer, path)


async def test_no_link_is_made_of_what_a_header_says(secure):
    person = await member(secure)
    headers = {"x-forwarded-host": "evil.example", "x-forwarded-proto": "http", "forwarded": "host=evil.example", "x-original-url": "/evil"}
    headers |= {"origin": "https://localhost:8000"}
    made = await person.ask("POST", "/api/v1/invitations", json={"email": "new@example.com", "role": "viewer"}, headers=headers)
    assert made.json()["link"].startswith("https://localhost:8000/invitation?token=")
