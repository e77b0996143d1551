"""Users in browsers: how a session begins, what it opens, and that it ends."""

from __future__ import annotations

import pytest
from persons import OWN, PASSWORD, Person, member, new_tenant, new_user

from pepay_core.domain.people import Level
from pepay_core.settings import LimitsSettings, ServerSettings


def cookies_of(answer) -> dict[str, str]:
    return {line.partition("=")[0]: line for line in answer.headers.get_list("set-cookie")}


async def sign_in(web, user, password=PASSWORD, **headers):
    body = {"email": web.runtime.people.accounts.email_of(user), "password": password}
    return await web.client.post("/api/v1/session", json=body, headers=headers)


def carried_by(web, answer, user) -> Person:
    token = cookies_of(answer)["pepay_session"].partition("=")[2].partition(";")[0]
    web.client.cookies.clear()
    return Person(web, user, token)


async def test_a_password_opens_a_session_and_says_what_is_open(web):
    person = await member(web, "developer")
    answer = await sign_in(web, person.user)
    assert answer.status_code == 201
    said = answer.json()
    assert (said["level"], said["user"]["id"]) == ("full", person.user.id)
    assert [(each["merchant"], each["role"]) for each in said["memberships"]] == [(web.merchant, "developer")]
    mine = carried_by(web, answer, person.user)
    assert said["csrf_token"] == mine.csrf
    assert (await mine.ask("GET", "/api/v1/session")).json() == said
    assert (await mine.ask("GET", "/api/v1/invoices")).status_code == 200


async def test_over_tls_the_cookie_is_bound_to_this_host_and_to_tls(open_web, settings):
    secure = settings.model_copy(update={"server": ServerSettings(base_url="https://localhost:8000", security_contact="mailto:a@example.com")})
    async with open_web(secure) as web:
        user = await new_user(web)
        (line,) = [each for name, each in cookies_of(await sign_in(web, user)).items() if "session" in name]
        name, _, rest = line.partition("=")
        parts = {each.strip().lower() for each in rest.split(";")[1:]}
        assert name == "__Host-pepay_session"
        assert parts == {"path=/", "secure", "httponly", "samesite=lax"}


async def test_whatever_does_not_match_is_told_in_the_same_words(web):
    user = await new_user(web)
    answers = [
        await sign_in(web, user, "another password"),
        await web.client.post("/api/v1/session", json={"email": "nobody@example.com", "password": PASSWORD}),
        await web.client.post("/api/v1/session", json={"email": "not an address", "password": PASSWORD}),
    ]
    assert {each.status_code for each in answers} == {401}
    assert len({each.json()["error"]["message"] for each in answers}) == 1
    assert not any("set-cookie" in each.headers for each in answers)


async def test_who_owes_the_second_factor_is_told_nothing_and_may_only_go(web):
    person = await member(web, "owner", level=Level.PENDING)
    said = (await person.ask("GET", "/api/v1/session")).json()
    assert (said["level"], said["user"], said["memberships"]) == ("pending", None, [])
    for path in ("/api/v1/user", "/api/v1/sessions", "/api/v1/invoices", "/api/v1/members"):
        answer = await person.ask("GET", path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "second_factor_required"), path
    assert (await person.ask("DELETE", "/api/v1/session")).status_code == 200


async def test_a_sign_out_ends_the_session_everywhere(web):
    person = await member(web)
    answer = await person.ask("DELETE", "/api/v1/session")
    assert answer.status_code == 200
    assert "max-age=0" in cookies_of(answer)["pepay_session"].lower()
    assert (await person.ask("GET", "/api/v1/session")).status_code == 401


async def test_ones_sessions_are_listed_and_ended_one_by_one_or_all_others(web):
    one = await member(web)
    two, three, stranger = await one.again(), await one.again(), await member(web)
    listed = (await one.ask("GET", "/api/v1/sessions")).json()["data"]
    assert [each["is_present"] for each in listed].count(True) == 1
    assert len(listed) == 3
    other = next(each["id"] for each in (await two.ask("GET", "/api/v1/sessions")).json()["data"] if each["is_present"])
    assert (await stranger.ask("DELETE", f"/api/v1/sessions/{other}")).status_code == 404
    assert (await one.ask("DELETE", f"/api/v1/sessions/{other}")).json()["ended"]
    assert (await two.ask("GET", "/api/v1/user")).status_code == 401
    assert (await one.ask("POST", "/api/v1/sessions/end-others")).json()["count"] == 1
    assert (await three.ask("GET", "/api/v1/user")).status_code == 401
    assert (await one.ask("GET", "/api/v1/user")).status_code == 200


async def test_a_new_password_ends_every_other_session(web):
    one = await member(web)
    two = await one.again()
    answer = await one.ask("POST", "/api/v1/user/password", json={"password": PASSWORD, "new_password": "an even longer password"})
    assert answer.status_code == 200
    assert (await two.ask("GET", "/api/v1/user")).status_code == 401
    assert (await one.ask("GET", "/api/v1/user")).status_code == 401
    assert (await carried_by(web, answer, one.user).ask("GET", "/api/v1/user")).status_code == 200


async def test_what_can_do_much_asks_for_a_sign_in_that_is_minutes_old(web):
    person = await member(web)
    body = {"name": "shop", "scopes": ["invoices:write"]}
    assert (await person.ask("POST", "/api/v1/api-keys", json=body)).status_code == 201
    await web.clock.advance(301)
    answer = await person.ask("POST", "/api/v1/api-keys", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "sign_in_again")
    assert (await person.ask("GET", "/api/v1/api-keys")).status_code == 200
    again = await person.ask("POST", "/api/v1/session/again", json={"password": PASSWORD})
    assert again.status_code == 200
    assert (await person.ask("GET", "/api/v1/user")).status_code == 401, "the old token is of no use any more"
    fresh = carried_by(web, again, person.user)
    assert (await fresh.ask("POST", "/api/v1/api-keys", json=body)).status_code == 201
    assert (await web.post("/api/v1/api-keys", body)).status_code == 201, "keys are not asked"


async def test_the_headers_say_for_which_merchant_and_in_which_environment(web):
    person = await member(web)
    other = await new_tenant(web)
    named = {"x-pepay-merchant": None}
    assert (await person.ask("GET", "/api/v1/merchant", headers=named)).json()["id"] == web.merchant
    assert (await person.ask("GET", "/api/v1/merchant", headers={"x-pepay-merchant": other})).status_code == 404
    assert (await person.ask("GET", "/api/v1/merchant", headers={"x-pepay-merchant": "nonsense"})).status_code == 422
    made = await person.ask("POST", "/api/v1/merchants", json={"name": "Second"})
    assert (made.status_code, made.json()["role"]) == (201, "owner")
    answer = await person.ask("GET", "/api/v1/merchant", headers=named)
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (422, "x-pepay-merchant")
    live = await person.ask("GET", "/api/v1/merchant", headers={"x-pepay-environment": "live"})
    assert (live.json()["livemode"], (await person.ask("GET", "/api/v1/merchant")).json()["livemode"]) == (True, False)
    assert (await person.ask("GET", "/api/v1/merchant", headers={"x-pepay-environment": "prod"})).status_code == 422


async def test_a_change_of_role_holds_from_the_next_request_on(web):
    owner, other = await member(web), await member(web, "developer")
    assert (await other.ask("GET", "/api/v1/api-keys")).status_code == 200
    assert (await owner.ask("PATCH", f"/api/v1/members/{other.user.id}", json={"role": "viewer"})).json()["role"] == "viewer"
    assert (await other.ask("GET", "/api/v1/api-keys")).status_code == 403
    assert (await owner.ask("DELETE", f"/api/v1/members/{other.user.id}")).json()["removed"]
    assert (await other.ask("GET", "/api/v1/invoices")).status_code == 404
    assert [each["user"] for each in (await owner.ask("GET", "/api/v1/members")).json()["data"]] == [owner.user.id]


async def test_the_platform_keeps_users_and_merchants_out_and_lets_them_in_again(web):
    admin, person = await member(web, None, is_admin=True), await member(web)
    assert (await person.ask("GET", "/api/v1/users")).status_code == 403
    assert person.user.id in {each["id"] for each in (await admin.ask("GET", "/api/v1/users")).json()["data"]}
    assert (await admin.ask("POST", f"/api/v1/users/{person.user.id}/suspend")).json()["suspended_at"]
    assert (await person.ask("GET", "/api/v1/user")).status_code == 401
    assert (await sign_in(web, person.user)).status_code == 401
    assert (await admin.ask("POST", f"/api/v1/users/{person.user.id}/resume")).json()["suspended_at"] is None
    again = await (await member(web)).again()
    assert (await admin.ask("POST", f"/api/v1/tenants/{web.merchant}/suspend")).json()["suspended_at"]
    answer = await again.ask("GET", "/api/v1/invoices")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "merchant_suspended")
    assert (await admin.ask("POST", f"/api/v1/tenants/{web.merchant}/resume")).json()["suspended_at"] is None
    assert (await again.ask("GET", "/api/v1/invoices")).status_code == 200


async def test_tries_to_sign_in_are_counted_by_address(open_web, settings):
    tight = settings.model_copy(update={"limits": LimitsSettings(sign_ins_per_minute=3)})
    async with open_web(tight) as web:
        statuses = [(await web.client.post("/api/v1/session", json={"email": "a@example.com"})).status_code for _ in range(5)]
        assert statuses == [422] * 3 + [429] * 2


async def test_users_have_a_limit_of_their_own(open_web, settings):
    tight = settings.model_copy(update={"limits": LimitsSettings(writes_per_minute=3)})
    async with open_web(tight) as web:
        one, two = await member(web), await member(web)
        assert [(await one.ask("PATCH", "/api/v1/user", json={"name": "Ada"})).status_code for _ in range(4)] == [200] * 3 + [429]
        assert (await two.ask("PATCH", "/api/v1/user", json={"name": "Bob"})).status_code == 200
        forged = await two.ask("PATCH", "/api/v1/user", json={"name": "Bob"}, headers={"origin": "https://evil.example"})
        assert forged.status_code == 403
        assert [(await two.ask("PATCH", "/api/v1/user", json={"name": "Bob"})).status_code for _ in range(3)] == [200, 200, 429]


FORGERIES = [
    {"x-csrf-token": None},
    {"x-csrf-token": ""},
    {"x-csrf-token": "a" * 43},
    {"x-csrf-token": "ä"},
    {"origin": "https://evil.example"},
    {"origin": "null", "sec-fetch-site": None},
    {"origin": "null", "sec-fetch-site": "cross-site"},
    {"origin": "http://localhost:8001"},
    {"origin": "http://localhost"},
    {"origin": "http://localhost:8000.evil.example"},
    {"origin": "http://localhost:8000/"},
    {"origin": "http://evil.localhost:8000"},
    {"origin": ""},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
    {"sec-fetch-site": "", "origin": None},
]


@pytest.mark.parametrize("headers", FORGERIES, ids=str)
async def test_another_pages_request_does_nothing(web, headers):
    person = await member(web)
    sent = {name: value.encode() if value is not None else None for name, value in headers.items()}
    answer = await person.ask("PATCH", "/api/v1/user", json={"name": "Mallory"}, headers=sent)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forged_request")
    assert (await person.ask("GET", "/api/v1/user")).json()["name"] != "Mallory"


async def test_an_old_browser_that_names_no_origin_is_left_to_the_token(web):
    person = await member(web)
    bare = {"origin": None, "sec-fetch-site": None}
    assert (await person.ask("PATCH", "/api/v1/user", json={"name": "Ada"}, headers=bare)).status_code == 200
    assert (await person.ask("PATCH", "/api/v1/user", json={"name": "Ada"}, headers={**bare, "x-csrf-token": None})).status_code == 403


async def test_a_form_of_a_page_that_tells_nobody_where_it_is_counts_as_ours(web):
    person = await member(web)
    headers = {"origin": "null", "sec-fetch-site": "same-origin"}
    assert (await person.ask("PATCH", "/api/v1/user", json={"name": "Ada"}, headers=headers)).status_code == 200


async def test_a_cookie_that_stands_twice_is_none(web):
    person, attacker = await member(web), await member(web)
    both = {"cookie": f"{attacker.cookies}; {person.cookies}"}
    assert (await person.ask("GET", "/api/v1/user", headers=both)).status_code == 401


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}])
async def test_nobody_is_signed_in_by_another_page(web, headers):
    answer = await sign_in(web, await new_user(web), **headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forged_request")


async def test_a_form_of_another_page_cannot_sign_in_either(web):
    form = {"email": "a@example.com", "password": PASSWORD}
    answer = await web.client.post("/api/v1/session", data=form, headers={"origin": OWN})
    assert answer.status_code == 415


async def test_what_is_for_people_is_not_for_keys(web):
    for method, path in (("GET", "/api/v1/user"), ("GET", "/api/v1/session"), ("GET", "/api/v1/users"), ("POST", "/api/v1/merchants")):
        assert (await web.client.request(method, path, headers=web.auth)).status_code == 403


async def test_a_key_wins_over_a_session_and_needs_no_token(web):
    person = await member(web, "viewer")
    answer = await web.client.post("/api/v1/invoices", json={"amount_usd": "5"}, headers={"cookie": person.cookies, **web.auth})
    assert answer.status_code == 201


async def test_the_log_names_the_user_and_neither_token_nor_address_of_mail(web, caplog):
    person = await member(web)
    with caplog.at_level("DEBUG"):
        await person.ask("GET", "/api/v1/user")
        await sign_in(web, person.user)
    text = caplog.text
    assert person.user.id in text
    assert all(secret not in text for secret in (person.token, person.csrf, PASSWORD, "@example.com"))
