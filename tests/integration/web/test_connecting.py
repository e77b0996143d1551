"""A shop is connected: a member reads who asks for what, says yes, and the shop's server fetches the key."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from persons import member, new_tenant

from pepay_core.services.people.sessions import FRESH

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
ASKED = {
    "application_name": "Ada's <b>shop</b>",
    "scopes": "invoices:write,webhooks:write",
    "redirect": "https://shop.example/pepay/connected?shop=7",
    "state": "state-of-the-shop",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def where(**changes):
    return f"/connect/authorize?{urlencode({name: value for name, value in {**ASKED, **changes}.items() if value is not None})}"


def fields(page):
    """Return what the page's form would send as it stands, and what can be chosen."""
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
    chosen = {}
    for name, inside in re.findall(r'<select name="([^"]+)">(.*?)</select>', page, re.DOTALL):
        options = re.findall(r'<option value="([^"]+)"( selected)?', inside)
        chosen[name] = next((value for value, mark in options if mark), options[0][0])
    return {name: html.unescape(value) for name, value in hidden.items()} | chosen


async def say_yes(person, page, **changes):
    sent = {**fields(page), **changes}
    headers = {"content-type": "application/x-www-form-urlencoded", "x-csrf-token": None, "x-pepay-merchant": None}
    return await person.ask("POST", "/connect/authorize", content=urlencode(sent), headers=headers)


async def exchange(web, code, verifier=VERIFIER):
    return await web.client.post("/connect/token", json={"code": code, "code_verifier": verifier})


@pytest.fixture
async def owner(web):
    return await member(web)


async def test_a_shop_is_connected_from_the_link_to_the_first_call_with_its_key(web, owner):
    page = await owner.ask("GET", where())
    assert page.status_code == 200
    assert "Ada&#39;s &lt;b&gt;shop&lt;/b&gt;" in page.text
    assert "https://shop.example" in page.text
    assert "make, change and cancel invoices" in page.text
    assert '<li class="grave">decide where events are sent</li>' in page.text
    policy = page.headers["content-security-policy"]
    assert "form-action 'self' https://shop.example;" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy
    answer = await say_yes(owner, page.text)
    assert answer.status_code == 303
    back = urlsplit(answer.headers["location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == "https://shop.example/pepay/connected"
    said = parse_qs(back.query)
    assert (said["shop"], said["state"], set(said)) == (["7"], ["state-of-the-shop"], {"shop", "code", "state"})
    fetched = await exchange(web, said["code"][0])
    assert fetched.status_code == 201
    assert fetched.headers["cache-control"] == "no-store"
    made = fetched.json()
    assert (made["merchant"], made["livemode"], made["scopes"]) == (web.merchant, False, ["invoices:write", "webhooks:write"])
    assert made["key"] not in answer.headers["location"] + page.text
    called = await web.client.post("/api/v1/invoices", json={"amount_usd": "5"}, headers={"x-api-key": made["key"]})
    assert called.status_code == 201
    assert (await exchange(web, said["code"][0])).json()["error"]["code"] == "invalid_grant"


async def test_the_member_chooses_merchant_environment_and_time(web, owner):
    other = await new_tenant(web)
    from pepay_core.domain.roles import Role

    await web.runtime.store.run(lambda tx: web.runtime.people.memberships.add(tx, other, owner.user.id, Role.ADMIN))
    page = await owner.ask("GET", where(environment="live", expires_in="1y"))
    assert fields(page.text) | {"csrf_token": ""} == {
        **ASKED,
        "csrf_token": "",
        "merchant": web.merchant,
        "environment": "live",
        "expires_in": "1y",
    }
    answer = await say_yes(owner, page.text, merchant=other, environment="test", expires_in="7d")
    made = (await exchange(web, parse_qs(urlsplit(answer.headers["location"]).query)["code"][0])).json()
    assert (made["merchant"], made["livemode"], made["expires_at"] - made["created_at"]) == (other, False, 7 * 86_400)


async def test_whoever_says_no_goes_back_with_that(web, owner):
    page = await owner.ask("GET", where())
    (link,) = re.findall(r'<a class="quiet" href="([^"]+)"', page.text)
    assert html.unescape(link) == "https://shop.example/pepay/connected?shop=7&error=access_denied&state=state-of-the-shop"


async def test_whoever_is_not_signed_in_signs_in_first_and_comes_back(web):
    answer = await web.client.get(where())
    assert answer.status_code == 303
    location = urlsplit(answer.headers["location"])
    assert location.path == "/login"
    assert parse_qs(location.query)["next"] == [where()]


async def test_a_key_cannot_say_yes(web):
    for method in ("GET", "POST"):
        answer = await web.client.request(method, where(), headers=web.auth)
        assert answer.status_code == 403


@pytest.mark.parametrize("role", ["accountant", "viewer", None])
async def test_whoever_may_not_make_keys_is_told_so_and_can_only_go_back(web, role):
    person = await member(web, role)
    page = await person.ask("GET", where())
    assert "<form" not in page.text
    assert "error=access_denied" in page.text
    sent = {**ASKED, "merchant": web.merchant, "environment": "test", "csrf_token": person.csrf}
    answer = await say_yes(person, "", **sent)
    assert answer.status_code in {403, 404}
    assert "location" not in answer.headers


async def test_a_developer_gives_no_more_than_a_developer_has(web):
    person = await member(web, "developer")
    assert "<form" in (await person.ask("GET", where())).text
    page = await person.ask("GET", where(scopes="wallets:write"))
    assert "<form" not in page.text
    sent = {**ASKED, "scopes": "wallets:write", "merchant": web.merchant, "environment": "test", "csrf_token": person.csrf}
    answer = await say_yes(person, "", **sent)
    assert answer.status_code == 403


async def test_a_yes_needs_a_sign_in_that_is_minutes_old(web, owner):
    page = await owner.ask("GET", where())
    web.clock.jump(FRESH + timedelta(seconds=1))
    stale = await owner.ask("GET", where())
    assert "<form" not in stale.text
    (again,) = re.findall(r'<a href="(/login/again[^"]+)"', stale.text)
    (onwards,) = parse_qs(urlsplit(html.unescape(again)).query)["next"]
    assert parse_qs(urlsplit(onwards).query) == parse_qs(urlsplit(where()).query)
    answer = await say_yes(owner, page.text)
    assert answer.status_code == 303
    assert urlsplit(answer.headers["location"]).path == "/login/again"


async def test_a_form_of_another_page_says_nothing(web, owner):
    page = await owner.ask("GET", where())
    stranger = await member(web)
    for changes in ({"csrf_token": ""}, {"csrf_token": stranger.csrf}, {"csrf_token": "x" * 43}):
        assert (await say_yes(owner, page.text, **changes)).status_code == 403
    sent = urlencode(fields(page.text))
    for headers in ({"origin": "https://shop.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        answer = await owner.ask(
            "POST", "/connect/authorize", content=sent, headers={"content-type": "application/x-www-form-urlencoded", "x-csrf-token": None, **headers}
        )
        assert answer.status_code == 403
        assert "location" not in answer.headers


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect": "https://evil.example@shop.example/"},
        {"redirect": "http://shop.example/"},
        {"redirect": "javascript:alert(1)"},
        {"redirect": None},
        {"scopes": "members:write"},
        {"scopes": None},
        {"code_challenge": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"application_name": None},
        {"state": "é"},
    ],
)
async def test_a_wrong_link_is_told_and_leads_nowhere(web, owner, changes):
    page = await owner.ask("GET", where(**changes))
    assert page.status_code == 422
    assert "This shop cannot be connected" in page.text
    assert "location" not in page.headers
    assert "<form" not in page.text
    assert 'href="http' not in page.text
    sent = {**{name: value for name, value in {**ASKED, **changes}.items() if value}, "merchant": web.merchant, "environment": "test"}
    answer = await say_yes(owner, "", csrf_token=owner.csrf, **sent)
    assert answer.status_code == 422
    assert "location" not in answer.headers


async def test_a_link_that_says_something_twice_is_told(web, owner):
    page = await owner.ask("GET", where() + "&redirect=https%3A%2F%2Fevil.example%2F")
    assert page.status_code == 422


async def test_the_redirect_that_is_agreed_to_is_the_one_of_the_form_and_the_key_needs_its_secret(web, owner):
    page = await owner.ask("GET", where())
    answer = await say_yes(owner, page.text)
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    other = secrets.token_urlsafe(32)
    assert (await exchange(web, code, other)).status_code == 400
    assert (await exchange(web, code)).status_code == 400
    digest = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    assert digest == CHALLENGE


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": "x"},
        {"code": "x", "code_verifier": "short"},
        {"code": 1, "code_verifier": "x" * 43},
        {"code": "x" * 101, "code_verifier": "x" * 43},
    ],
)
async def test_what_is_no_exchange_is_refused(web, body):
    assert (await web.client.post("/connect/token", json=body)).status_code == 422


async def test_a_page_of_another_origin_fetches_no_key(web):
    answer = await web.client.post(
        "/connect/token",
        json={"code": "x" * 43, "code_verifier": VERIFIER},
        headers={"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    )
    assert answer.status_code == 403


async def test_a_session_that_still_owes_its_second_factor_says_nothing(web):
    from pepay_core.domain.people import Level

    person = await member(web, level=Level.PENDING)
    answer = await person.ask("GET", where())
    assert answer.status_code in {303, 401, 403}
    assert "<form" not in answer.text
