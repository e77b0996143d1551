"""The pages on which people sign in and look after their account and team, without any script."""

from __future__ import annotations

import base64
import json
import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from authenticator import Authenticator
from persons import OWN, PASSWORD, Person, member, new_tenant, new_user

from pepay_core.domain.roles import Role
from pepay_core.services.people import totp
from pepay_core.services.people.accounts import as_user


class Browser:
    """Keeps cookies, follows to where it is led, and sends the forms that a page has."""

    def __init__(self, web) -> None:
        self.web, self.cookies, self.page, self.path = web, {}, None, ""

    @classmethod
    def of(cls, person: Person) -> Browser:
        made = cls(person.web)
        made.cookies[person.web.app.state.browsers.session] = person.token
        return made

    async def _ask(self, method, path, **options):
        headers = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        headers |= {"origin": OWN, "sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate"} if method == "POST" else {}
        self.web.client.cookies.clear()
        answer = await self.web.client.request(method, path, headers=headers, **options)
        for line in answer.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0].strip('"')
            self.cookies = {**self.cookies, name: value} if value else {key: kept for key, kept in self.cookies.items() if key != name}
        if answer.status_code == 303:
            return await self._ask("GET", answer.headers["location"])
        self.page, self.path = answer, path
        return answer

    async def open(self, path):
        return await self._ask("GET", path)

    async def send(self, action, **fields):
        """Send the form of the page that goes there, with what is typed into it."""
        for attributes, inner in re.findall(r"<form ([^>]*)>(.*?)</form>", self.page.text, re.DOTALL):
            hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', inner))
            wanted = {name: value for name, value in fields.items() if name in hidden and name in {"user", "session", "invitation"}}
            if f'action="{action}"' in attributes and all(unescape(hidden[name]) == value for name, value in wanted.items()):
                return await self._ask("POST", action, data={**{name: unescape(value) for name, value in hidden.items()}, **fields})
        raise AssertionError(f"{self.path} has no form for {action}: {self.page.text[-3000:]}")

    def says(self, text) -> bool:
        return text in unescape(re.sub(r"<[^>]+>", "", self.page.text))


async def test_a_password_leads_to_where_one_was_going(web):
    person, browser = await member(web, "owner"), Browser(web)
    await browser.open("/app/team?merchant=x")
    assert browser.path.startswith("/login?next=")
    await browser.send("/login", email=web.runtime.people.accounts.email_of(person.user), password="wrong")
    assert (browser.page.status_code, browser.says("That did not match")) == (401, True)
    await browser.send("/login", email=web.runtime.people.accounts.email_of(person.user), password=PASSWORD)
    assert browser.path == "/app/team?merchant=x"
    await browser.open("/login")
    assert browser.path == "/app/security"
    await browser.send("/logout")
    assert browser.says("You are signed out")
    await browser.open("/app/security")
    assert browser.path.startswith("/login")


@pytest.mark.parametrize("onwards", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb", "", "app"])
async def test_nobody_is_led_away_from_here(web, onwards):
    user, browser = await new_user(web), Browser(web)
    await browser.open("/login")
    await browser.send("/login", email=web.runtime.people.accounts.email_of(user), password=PASSWORD, next=onwards)
    assert browser.path == "/app/security"


async def test_a_form_without_the_token_of_the_door_signs_nobody_in(web):
    user = await new_user(web)
    sent = {"email": web.runtime.people.accounts.email_of(user), "password": PASSWORD}
    other = Browser(web)
    await other.open("/login")
    token = re.search(r'name="csrf_token" value="([^"]+)"', other.page.text)[1]
    mine = Browser(web)
    await mine.open("/login")
    for fields in (sent, {**sent, "csrf_token": "x"}, {**sent, "csrf_token": token}):
        answer = await mine._ask("POST", "/login", data=fields)
        assert answer.status_code == 403
        assert "pepay_session" not in mine.cookies


def code_of(page, clock):
    secret = parse_qs(urlsplit(unescape(re.search(r'name="link" value="([^"]+)"', page.text)[1])).query)["secret"][0]
    return totp.code_of(base64.b32decode(secret), totp.step_at(clock.now()))


async def test_the_second_factor_is_set_up_asked_for_and_taken_away(web):
    person = await member(web)
    browser = Browser.of(person)
    await browser.open("/app/security")
    await browser.send("/app/security/codes", password=PASSWORD)
    assert 'src="data:image/svg+xml' in browser.page.text
    link = unescape(re.search(r'name="link" value="([^"]+)"', browser.page.text)[1])
    await browser.send("/app/security/codes/confirm", code="000000")
    assert browser.says("That did not match")
    code = code_of(browser.page, web.clock)
    await browser.send("/app/security/codes/confirm", code=code)
    recovery = re.findall(r"<li><code>([^<]+)</code></li>", browser.page.text)
    assert len(recovery) == 10
    await browser.open("/app/security")
    assert browser.says("One-time codes are on")
    assert link not in browser.page.text
    await browser.send("/logout")

    await browser.send("/login", email=web.runtime.people.accounts.email_of(person.user), password=PASSWORD)
    assert browser.path.startswith("/login/code")
    await browser.open("/app/security")
    assert browser.path.startswith("/login"), "a password alone opens nothing"
    await browser.open("/login/code?next=/app/team")
    await browser.send("/login/code", code=recovery[0])
    assert browser.path == "/app/team"
    await browser.open("/app/security")
    assert browser.says("9 left")
    await browser.send("/app/security/codes/remove", password=PASSWORD, code=recovery[1])
    assert browser.says("One-time codes are off")


async def test_a_password_is_changed_and_other_sessions_are_ended(web):
    person = await member(web)
    other, browser = Browser.of(await person.again()), Browser.of(person)
    await browser.open("/app/security")
    await browser.send("/app/security/password", password=PASSWORD, new_password="short")
    assert browser.says("The new password must have 12 to 1024 characters")
    await browser.send("/app/security/password", password=PASSWORD, new_password="quite another password")
    assert browser.says("Your password is changed")
    await other.open("/app/security")
    assert other.path.startswith("/login")
    await Browser.of(Person(web, person.user, (await person.again()).token)).open("/app/security")


async def test_sessions_are_listed_and_ended(web):
    person = await member(web)
    other = await person.again()
    browser = Browser.of(person)
    await browser.open("/app/security")
    assert browser.page.text.count("This one") == 1
    session = re.search(r'name="session" value="(ses_[^"]+)"', browser.page.text)[1]
    await browser.send("/app/security/sessions/end", session=session)
    assert browser.says("The session has ended")
    assert (await other.ask("GET", "/api/v1/user")).status_code == 401


async def test_a_team_is_invited_and_changed_by_whoever_is_fresh(web):
    owner, other = await member(web), await member(web, "viewer")
    browser = Browser.of(owner)
    await browser.open("/app/team")
    assert browser.says(web.runtime.people.accounts.email_of(other.user))
    await browser.send("/app/team/invite", email="new@example.com", role="developer")
    link = unescape(re.search(r'<code class="shared">([^<]+)</code>', browser.page.text)[1])
    assert link.startswith(f"{OWN}/invitation?token=")
    await browser.send("/app/team/role", user=other.user.id, role="accountant")
    assert browser.says("The role is changed")
    await browser.send("/app/team/remove", user=other.user.id)
    assert browser.says("The member is removed")

    guest = Browser(web)
    await guest.open(link.removeprefix(OWN))
    assert guest.says("new@example.com")
    await guest.send("/invitation", name="Grace", password="a password of her own")
    assert guest.path == "/app/security"
    await guest.open("/app/team")
    assert guest.says("Your role, developer, does not show who else is a member")
    assert not guest.says(web.runtime.people.accounts.email_of(owner.user))

    await web.clock.advance(301)
    await browser.open("/app/team")
    assert browser.says("show once more that it is you")
    assert "/app/team/remove" not in browser.page.text
    await browser.open("/login/again?next=/app/team")
    await browser.send("/login/again", password=PASSWORD)
    assert "/app/team/invite" in browser.page.text


async def test_an_invitation_for_a_known_address_is_accepted_by_signing_in(web):
    owner, guest = await member(web), await new_user(web)
    email = web.runtime.people.accounts.email_of(guest)
    made = await owner.ask("POST", "/api/v1/invitations", json={"email": email, "role": "viewer"})
    path = made.json()["link"].removeprefix(OWN)
    browser = Browser(web)
    await browser.open(path)
    assert browser.says("There is an account with this address")
    await browser.open(f"/login?next={path.replace('?', '%3F').replace('=', '%3D')}")
    await browser.send("/login", email=email, password=PASSWORD)
    assert browser.path == path
    await browser.send("/invitation")
    assert browser.path == "/app/security"
    await browser.open(path)
    assert browser.says("This link is over")


async def test_a_new_password_is_set_by_a_link_that_works_once(web):
    user = await new_user(web)
    email = web.runtime.people.accounts.email_of(user)
    browser = Browser(web)
    for address in (email, "nobody@example.com"):
        await browser.open("/reset-password")
        await browser.send("/reset-password", email=address)
        assert browser.says("Look into your mailbox")
    await web.runtime.people.password_resets.settle()
    link = await web.runtime.people.password_resets.link(user, as_user(user))
    late = Browser(web)
    await late.open(link.removeprefix(OWN))
    await browser.open(link.removeprefix(OWN))
    await browser.send("/reset-password", password="quite another password")
    assert browser.says("Your password is changed")
    await browser.send("/login", email=email, password="quite another password")
    assert browser.path == "/app/security"
    await late.send("/reset-password", password="and yet another password")
    assert (late.page.status_code, late.says("This link is over")) == (404, True)


async def test_pages_are_kept_nowhere_and_those_with_passkeys_have_a_script_and_no_other(web):
    browser = Browser.of(await member(web))
    for path, scripts in (("/app/security", 1), ("/app/team", 0), ("/login/again", 0), ("/reset-password", 0)):
        answer = await browser.open(path)
        policy = answer.headers["content-security-policy"]
        assert answer.status_code == 200
        assert ("script-src 'self'" in policy, "require-trusted-types-for 'script'" in policy) == (bool(scripts),) * 2
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert "cookie" in answer.headers["vary"].lower()
        assert answer.text.count("<script") == answer.text.count('<script src="/static/passkeys.js') == scripts


async def test_what_others_typed_is_shown_as_they_typed_it(web):
    person = await member(web)
    browser = Browser.of(person)
    await person.ask("PATCH", "/api/v1/user", json={"name": "<img src=x onerror=alert(1)>"})
    for path in ("/app/security", "/app/team", "/login/again"):
        await browser.open(path)
        assert "<img src=x" not in browser.page.text
    await browser.open("/app/security?done=<script>")
    assert "<script>" not in browser.page.text


async def test_a_passkey_is_added_named_used_and_taken_away(web):
    person, device = await member(web), Authenticator(origin=OWN)
    browser = Browser.of(person)

    async def asked(path, **body):
        headers = {**person.headers, "cookie": f"{web.app.state.browsers.session}={browser.cookies.get(web.app.state.browsers.session, '')}"}
        headers["x-csrf-token"] = web.app.state.browsers.csrf(browser.cookies.get(web.app.state.browsers.session, ""))
        answer = await web.client.post(path, headers=headers, json=body or None)
        assert answer.status_code == 200, answer.text
        return answer.json()["options"]

    await browser.open("/app/security")
    made = device.create(await asked("/api/v1/user/passkeys/begin", password=PASSWORD))
    await browser.send("/app/security/passkey", passkey="not JSON")
    assert browser.says("That did not match")
    await browser.send("/app/security/passkey", passkey=json.dumps(made), name="My laptop")
    recovery = re.findall(r"<li><code>([^<]+)</code></li>", browser.page.text)
    assert len(recovery) == 10
    await browser.open("/app/security")
    passkey = re.search(r'name="id" value="(psk_[^"]+)"', browser.page.text)[1]
    await browser.send("/app/security/passkey/rename", id=passkey, name="")
    assert browser.says("The name must not be empty")
    await browser.send("/app/security/passkey/rename", id=passkey, name="Old laptop")
    assert browser.says("The passkey has its new name")
    assert browser.says("Old laptop")
    await browser.send("/logout")

    email = web.runtime.people.accounts.email_of(person.user)
    await browser.open("/login")
    await browser.send("/login/passkey", passkey=json.dumps(device.get(await asked("/api/v1/session/by-passkey/begin"))), next="/app/team")
    assert browser.path == "/app/team"
    await browser.send("/logout")
    await browser.send("/login", email=email, password=PASSWORD)
    assert browser.path.startswith("/login/code")
    await browser.send("/login/code", passkey=json.dumps(device.get(await asked("/api/v1/session/passkey"))))
    assert browser.path == "/app/security"
    await browser.open("/login/again?next=/app/team")
    await browser.send("/login/again", passkey=json.dumps(device.get(await asked("/api/v1/session/passkey"))))
    assert browser.path == "/app/team"

    await browser.open("/app/security")
    await browser.send("/app/security/passkey/remove", id=passkey, password=PASSWORD, code="")
    assert browser.says("That did not match")
    answer = json.dumps(device.get(await asked("/api/v1/session/passkey")))
    await browser.send("/app/security/passkey/remove", id=passkey, password=PASSWORD, passkey=answer)
    assert browser.says("The passkey is removed")
    await browser.send("/logout")
    await browser.open("/login")
    await browser.send("/login/passkey", passkey=json.dumps(device.get(await asked("/api/v1/session/by-passkey/begin"))))
    assert browser.says("This passkey is not known here any more")


async def test_a_suspended_merchant_is_told_as_that_and_not_as_a_role(web):
    owner = await member(web)
    await web.runtime.people.platform.suspend(as_user(owner.user), web.merchant)
    browser = Browser.of(owner)
    await browser.open("/app/team")
    assert browser.page.status_code == 403
    assert browser.says("suspended")
    assert not browser.says("Your role")


async def test_the_bare_address_leads_to_where_people_sign_in(web):
    browser = Browser(web)
    await browser.open("/")
    assert browser.path == "/login?next=/app"


async def test_a_role_that_sees_no_webhooks_is_told_so_and_not_that_there_are_none(web):
    browser = Browser.of(await member(web, "viewer"))
    await browser.open("/app/webhooks")
    assert browser.page.status_code == 200
    assert browser.says("Your role does not show what is sent to webhooks")
    assert not browser.says("No endpoint is registered")


async def test_whoever_belongs_to_two_merchants_sees_the_webhooks_of_each(web):
    person = await member(web)
    other = await new_tenant(web, "Second shop")
    await web.runtime.store.run(lambda tx: web.runtime.people.memberships.add(tx, other, person.user.id, Role.OWNER, by=as_user(person.user)))
    made = await person.ask("POST", "/api/v1/webhooks", json={"url": "https://93.184.216.34/hook"}, headers={"x-pepay-merchant": other})
    assert made.status_code == 201, made.text
    browser = Browser.of(person)
    await browser.open("/app/webhooks")
    assert browser.page.status_code == 200
    assert browser.says("No endpoint is registered")
    await browser.open(unescape(re.search(r'href="([^"]+)"[^>]*>Second shop', browser.page.text)[1]))
    assert browser.says("https://93.184.216.34/hook")


async def test_a_link_that_is_over_says_so_before_anybody_types(web):
    browser = Browser(web)
    for path in ("/reset-password?token=x", "/confirm-email?token=x", "/confirm-email", "/invitation?token=x"):
        await browser.open(path)
        assert (browser.page.status_code, browser.says("This link is over")) == (404, True), path
    await browser.open("/reset-password")
    assert browser.says("Send me a link")


async def test_a_member_is_not_invited_again(web):
    owner, other = await member(web), await member(web, "viewer")
    browser = Browser.of(owner)
    await browser.open("/app/team")
    await browser.send("/app/team/invite", email=web.runtime.people.accounts.email_of(other.user), role="admin")
    assert browser.says("Somebody with this address is a member already")


async def test_a_user_is_told_of_their_role_and_a_key_of_itself(web):
    viewer = await member(web, "viewer")
    refused = await viewer.ask("POST", "/api/v1/invoices", json={"amount_usd": "5"})
    assert refused.json()["error"]["message"] == "your role lacks the scope invoices:write"
