"""The pages on which people sign in, look after their account and their team, in a real browser with a real passkey."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from blackbox import Gateway, Market, gateway_on
from browsing import DESKTOP, PHONE, SMALL
from playwright.sync_api import expect

from pepay_core.services.people import totp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browsing import BrowserPage, Pages, Screen
    from playwright.sync_api import APIResponse, Browser, BrowserContext

PASSWORD = "correct horse battery staple"


@dataclass
class Person:
    """Somebody with an account, and the cookies of a session of theirs."""

    office: Office
    email: str
    password: str
    state: Any = None

    def open(self, pages: Pages, path: str, screen: Screen = DESKTOP) -> BrowserPage:
        """Open a page as whoever is signed in; each call is a browser of its own with the same session."""
        return pages.open(self.office.url + path, screen, storage_state=self.state)

    def sign_in(self, pages: Pages, path: str = "/login", screen: Screen = DESKTOP) -> BrowserPage:
        """Sign in with the password in another browser."""
        return self.type_in(pages.open(self.office.url + path, screen))

    def type_in(self, page: BrowserPage, password: str | None = None) -> BrowserPage:
        """Fill the form of the sign-in page and send it."""
        page.page.get_by_label("Email").fill(self.email)
        page.page.get_by_label("Password").fill(password or self.password)
        page.page.get_by_role("button", name="Sign in", exact=True).click()
        return page


@dataclass
class Office:
    """A gateway without chains, its first admin, and whoever is invited by them."""

    gateway: Gateway
    browser: Browser
    owner: Person = field(init=False)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def url(self) -> str:
        return self.gateway.url.replace("127.0.0.1", "localhost")

    def newcomer(self, role: str = "viewer") -> Person:
        """Return a new member of the merchant, who is signed in."""
        email = f"person{next(self._numbers)}@example.com"
        made = ask(self.browser.new_context(storage_state=self.owner.state), self.url, "POST", "/api/v1/invitations", {"email": email, "role": role})
        token = parse_qs(urlsplit(made.json()["link"]).query)["token"][0]
        context = self.browser.new_context()
        accepted = {"token": token, "password": PASSWORD, "name": email.partition("@")[0].title()}
        assert context.request.post(f"{self.url}/api/v1/invitations/accept", data=accepted).ok
        return Person(self, email, PASSWORD, context.storage_state())


def ask(context: BrowserContext, url: str, method: str, path: str, body: Any = None) -> APIResponse:
    """Call the API with the session of a browser, as its own pages do."""
    token = context.request.get(f"{url}/api/v1/session").json()["csrf_token"]
    return context.request.fetch(f"{url}{path}", method=method, data=body, headers={"x-csrf-token": token})


@pytest.fixture(scope="module")
def office(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    market = Market()
    gateway = gateway_on(tmp_path_factory.mktemp("office"), market, "")
    # All people of the office come from one address.
    gateway.environ |= {"PEPAY_LIMITS__SIGN_INS_PER_MINUTE": "1000"}
    gateway.start()
    try:
        office = Office(gateway, browser)
        office.owner = Person(office, gateway.made["admin"]["email"], gateway.made["admin"]["password"])
        context = browser.new_context()
        assert context.request.post(f"{office.url}/api/v1/session", data={"email": office.owner.email, "password": office.owner.password}).ok
        office.owner.state = context.storage_state()
        yield office
    finally:
        gateway.stop()
        market.close()


def look(page: BrowserPage, name: str) -> None:
    """See that a page is whole on every screen, readable for everybody, and keep pictures of it."""
    before = page.screen
    for theme in ("light", "dark"):
        page.turn(SMALL.but(theme=theme, touch=False))
        assert not (wide := page.scrolls()), (name, wide)
        page.axe()
        for screen in (PHONE.but(theme=theme, touch=False), DESKTOP.but(theme=theme)):
            page.turn(screen)
            page.keep(f"people-{name}")
    page.turn(before)


def device(page: BrowserPage, **options: Any) -> tuple[Any, str]:
    """Give the browser a device that makes passkeys, and return how to talk to it."""
    protocol = page.page.context.new_cdp_session(page.page)
    protocol.send("WebAuthn.enable")
    usual = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
    made = protocol.send("WebAuthn.addVirtualAuthenticator", {"options": {**usual, "automaticPresenceSimulation": True, **options}})
    return protocol, made["authenticatorId"]


def add_passkey(page: BrowserPage, name: str, password: str = PASSWORD) -> None:
    page.page.get_by_text("Add a passkey").click()
    part = page.page.locator('form[action="/app/security/passkey"]')
    part.get_by_label("Your password").fill(password)
    part.get_by_label("A name for it").fill(name)
    part.get_by_role("button", name="Continue on your device").click()


class TestSigningIn:
    def test_a_password_leads_to_where_one_was_going_and_a_wrong_one_nowhere(self, pages, office):
        page = pages.open(f"{office.url}/app/team")
        page.watch.forgive("status of 401")
        look(page, "login")
        office.owner.type_in(page, "not the password")
        page.shows("That did not match: check what you typed.")
        expect(page.page.get_by_label("Email")).to_have_value(office.owner.email)
        look(page, "login-refused")
        office.owner.type_in(page)
        page.has("h1:text('Team')")
        assert page.page.url == f"{office.url}/app/team"

    def test_after_signing_out_back_shows_nothing_private(self, pages, office):
        person = office.newcomer()
        page = person.sign_in(pages)
        page.shows(person.email)
        page.click("Sign out")
        page.shows("You are signed out.")
        for _ in range(2):
            page.page.go_back()
            page.has("h1:text('Sign in')")
            assert person.email not in page.page.content()

    def test_it_works_without_scripts(self, pages, office):
        page = office.newcomer().sign_in(pages, screen=DESKTOP.but(javascript=False))
        page.has("h1:text('Security')")
        page.shows("This browser has no passkeys, or runs no scripts.")
        expect(page.page.get_by_text("Add a passkey")).to_be_hidden()
        page.page.get_by_text("Set up one-time codes").click()
        expect(page.page.locator('form[action="/app/security/codes"] button')).to_be_visible()


class TestOneTimeCodes:
    def test_they_are_set_up_from_the_code_on_the_screen_and_asked_for_from_then_on(self, pages, office):
        person = office.newcomer("admin")
        page = person.open(pages, "/app/security")
        page.watch.forgive("status of 401")
        look(page, "security")
        page.page.get_by_text("Set up one-time codes").click()
        page.page.locator('form[action="/app/security/codes"]').get_by_label("Your password").fill(PASSWORD)
        page.page.locator('form[action="/app/security/codes"] button').click()
        page.has("h1:text('One-time codes')")
        look(page, "codes")
        link = urlsplit(page.qr())
        secret = parse_qs(link.query)["secret"][0]
        assert (link.scheme, link.netloc) == ("otpauth", "totp")
        assert page.page.locator("code.secret").inner_text().replace(" ", "") == secret
        key = base64.b32decode(secret)
        page.page.get_by_label("Code").fill(totp.code_of(key, _step() - 5))
        page.click("Turn on")
        page.shows("That did not match")
        used = _step()
        page.page.get_by_label("Code").fill(totp.code_of(key, used))
        page.click("Turn on")
        page.shows("Keep these where you find them without your phone")
        look(page, "recovery")
        codes = page.page.locator(".recovery code").all_inner_texts()
        assert len(set(codes)) == 10
        page.page.get_by_role("link", name="I have kept them").click()
        page.shows("One-time codes are on")
        look(page, "security-codes")
        page.click("Sign out")

        person.type_in(page)
        page.shows("Type the six digits")
        look(page, "code")
        page.page.goto(f"{office.url}/app/team")
        page.shows("Type the six digits")
        page.page.get_by_label("Code").fill(totp.code_of(key, used))
        page.click("Continue")
        page.shows("That did not match")  # it was used already
        page.page.get_by_label("Code").fill(totp.code_of(key, max(used + 1, _step())))
        page.click("Continue")
        page.has("h1")
        page.click("Sign out")

        # The phone is lost.
        person.type_in(page)
        page.page.get_by_label("Code").fill(codes[3].upper())
        page.click("Continue")
        page.shows("You have 9 left")
        page.click("Sign out")
        person.type_in(page)
        page.page.get_by_label("Code").fill(codes[3])
        page.click("Continue")
        page.shows("That did not match")


class TestPasskeys:
    def test_one_is_added_named_and_signs_in_alone_and_after_the_password(self, pages, office):
        person = office.newcomer("admin")
        page = person.open(pages, "/app/security")
        page.watch.forgive("status of 401")
        device(page)
        add_passkey(page, "Laptop", "not the password")
        page.shows("That did not match: check what you typed.")
        look(page, "passkey-refused")
        page.page.locator('form[action="/app/security/passkey"]').get_by_label("Your password").fill(PASSWORD)
        page.click("Continue on your device")
        page.shows("Keep these where you find them without your phone")
        page.page.get_by_role("link", name="I have kept them").click()
        row = page.page.locator("summary", has_text="Laptop")
        row.click()
        look(page, "security-passkey")
        page.page.get_by_label("Its name").fill("Old laptop")
        page.click("Rename")
        page.shows("The passkey has its new name.")
        page.shows("Old laptop")
        add_passkey(page, "Again")
        page.shows("This device has a passkey of yours already.")
        page.click("Sign out")

        look(page, "login-passkey")
        page.click("Sign in with a passkey")
        page.has("h1:text('Security')")
        page.shows("used ")
        page.click("Sign out")
        person.type_in(page)
        page.has("h1:text('One more step')")
        look(page, "code-passkey")
        page.click("Use your passkey")
        page.has("h1:text('Security')")
        page.page.goto(f"{office.url}/login/again?next=/app/team")
        look(page, "again-passkey")
        page.click("Use your passkey")
        page.has("h1:text('Team')")

        # It is taken away with itself as the second factor, and is unknown from then on.
        page.page.goto(f"{office.url}/app/security")
        page.page.locator("summary", has_text="Old laptop").click()
        page.page.locator('form[action="/app/security/passkey/remove"]').get_by_label("Your password").fill(PASSWORD)
        page.click("Remove with a passkey instead of a code")
        page.shows("The passkey is removed.")
        page.click("Sign out")
        page.click("Sign in with a passkey")
        page.shows("This passkey is not known here any more: sign in with your password.")

    def test_each_refusal_is_told_in_words(self, pages, office):
        page = office.newcomer().open(pages, "/app/security")
        protocol, authenticator = device(page)
        add_passkey(page, "Phone")
        page.shows("Keep these where")
        page.page.goto(f"{office.url}/app/security")
        page.click("Sign out")

        # Its user is somebody else, or presses Escape.
        protocol.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
        page.click("Sign in with a passkey")
        page.shows("No passkey was used: it was cancelled, or there is none for this server on the device.")
        look(page, "login-cancelled")

        # Nobody touches it.
        protocol.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": True})
        protocol.send("WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": authenticator, "enabled": False})
        page.page.route("**/by-passkey/begin", _hastened)
        page.click("Sign in with a passkey")
        page.shows("Nobody answered in time.")
        page.page.unroute("**/by-passkey/begin")

        # The server is gone for a moment.
        page.watch.forgive("ERR_FAILED")
        page.page.route("**/by-passkey/begin", lambda route: route.abort())
        page.click("Sign in with a passkey")
        page.shows("The server does not answer right now.")

        # The same server, by another of its names.
        other = pages.open(office.gateway.url + "/login")
        device(other)
        other.click("Sign in with a passkey")
        other.shows(f"Passkeys of this server work at {office.url} only, and this page is at {office.gateway.url}. Open it there.")
        look(other, "login-elsewhere")

    def test_a_browser_without_passkeys_has_no_button(self, pages, office):
        page = pages.new()
        page.page.add_init_script("delete window.PublicKeyCredential")
        page.open(f"{office.url}/login")
        page.has("h1:text('Sign in')")
        expect(page.page.get_by_text("passkey")).to_be_hidden()


class TestSessions:
    def test_one_that_is_ended_elsewhere_is_signed_out(self, pages, office):
        person = office.newcomer()
        page, other = person.open(pages, "/app/security"), person.sign_in(pages)
        other.shows("This one")
        page.page.reload()
        sessions = page.page.locator("section", has_text="Where you are signed in").locator("li")
        expect(sessions).to_have_count(2)
        look(page, "sessions")
        sessions.filter(has_not_text="This one").get_by_role("button", name="End").click()
        page.shows("The session has ended.")
        expect(sessions).to_have_count(1)
        other.page.reload()
        other.has("h1:text('Sign in')")

    def test_a_new_password_ends_every_other_one(self, pages, office):
        person = office.newcomer()
        page, other = person.open(pages, "/app/security"), person.sign_in(pages)
        other.shows("This one")
        page.page.get_by_label("Present password").fill(PASSWORD)
        page.page.get_by_label("New password").fill("quite another password")
        page.click("Change password")
        page.shows("Your password is changed, and every other session has ended.")
        other.page.reload()
        other.has("h1:text('Sign in')")


class TestTeam:
    def test_an_invitation_is_accepted_in_another_browser_and_a_viewer_can_invite_nobody(self, pages, office):
        page = office.owner.open(pages, "/app/team")
        look(page, "team")
        page.page.get_by_label("Email").fill("Grace@Example.com")
        page.page.locator('form[action="/app/team/invite"]').get_by_label("Role").select_option("viewer")
        page.click("Invite")
        page.shows("Pass this link on")
        look(page, "team-invited")
        link = page.page.locator("code.shared").inner_text()

        guest = pages.open(link, PHONE)
        guest.shows("grace@example.com")
        look(guest, "invitation")
        guest.page.get_by_label("Your name").fill("Grace")
        guest.page.get_by_label("Choose a password").fill("a password of her own")
        guest.click("Create account")
        guest.has("h1:text('Security')")
        guest.page.get_by_role("link", name="Team").click()
        guest.shows("you are a viewer")
        guest.shows("Your role, viewer, does not show who else is a member.")
        look(guest, "team-viewer")
        expect(guest.page.get_by_role("button", name="Invite")).to_have_count(0)
        for path in ("/api/v1/invitations", "/api/v1/api-keys", "/api/v1/webhooks"):
            answer = ask(guest.page.context, office.url, "POST", path, {"email": "eve@example.com", "role": "viewer"})
            assert (answer.status, answer.json()["error"]["code"]) == (403, "forbidden"), path
        token = guest.page.locator('form[action="/logout"] input[name="csrf_token"]').get_attribute("value")
        sent = {"csrf_token": token, "email": "eve@example.com", "role": "viewer"}
        refused = guest.page.context.request.post(f"{office.url}/app/team/invite", form=sent, headers={"origin": office.url})
        assert refused.status == 403
        assert "eve@example.com" not in office.owner.open(pages, "/app/team").page.content()

        # The link is over, and the owner sees whom they have invited.
        again = pages.open(link)
        again.watch.forgive("status of 404")
        again.has("h1:text('This link is over')")
        look(again, "gone")
        page.page.goto(f"{office.url}/app/team")
        row = page.page.locator("li", has_text="grace@example.com")
        row.get_by_role("combobox", name="Role").select_option("developer")
        row.get_by_role("button", name="Save").click()
        page.shows("The role is changed")
        guest.page.reload()
        guest.shows("you are a developer")


class TestForgottenPasswords:
    def test_one_is_set_anew_by_the_link_that_the_operator_passes_on(self, pages, office):
        person = office.newcomer()
        page = pages.open(f"{office.url}/login")
        page.page.get_by_role("link", name="Forgotten your password?").click()
        look(page, "forgotten")
        page.page.get_by_label("Email").fill(person.email)
        page.click("Send me a link")
        page.shows("Look into your mailbox")
        look(page, "sent")
        link = json.loads(office.gateway.run("user", "reset-password", person.email, "--json").stdout)["link"]
        page.page.goto(re.sub(r"^https?://[^/]+", office.url, link))
        look(page, "reset")
        page.page.get_by_label("New password").fill("quite another password")
        page.click("Set password")
        page.shows("Your password is changed. Sign in with the new one.")
        person.type_in(page, "quite another password")
        page.has("h1:text('Security')")
        person.open(pages, "/app/security").has("h1:text('Sign in')")


def _hastened(route: Any) -> None:
    """Let the server's wish through, with the patience of a moment."""
    answer = route.fetch()
    wish = answer.json()
    wish["options"]["timeout"] = 400
    route.fulfill(response=answer, json=wish)


def _step() -> int:
    return totp.step_at(datetime.now(UTC))
