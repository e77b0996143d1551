"""Who may do what: every route and method of the application itself, for every kind of caller, compared with what the markers and roles say.

Nothing here knows a route: what is mounted is what is asked. Whether somebody was let in is what the gate itself notes; whoever was
not, must have been told so by the status.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from litestar import Router, get
from persons import Person, member, new_tenant, session_of

from pepay_core.domain.merchants import KEY_SCOPES, SCOPES
from pepay_core.domain.people import Level
from pepay_core.domain.roles import ROLES, Role
from pepay_core.web.access import ADMIN, ANYBODY, BUYER, BUYER_PAGE, DOOR, ENTERING, PLUGIN, USER, is_scope
from pepay_core.web.asgi.facts import Facts, facts
from pepay_core.web.mount import _router

if TYPE_CHECKING:
    from collections.abc import Iterator

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "post")

# The one list of what is open to anybody, beside the doors where people show who they are.
PUBLIC = {
    "/",
    "/.well-known/security.txt",
    "/embed/{name}",
    "/errors",
    "/errors/{code}",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/schema",
    "/schema/openapi.json",
    "/static",
    "/static/{file_path}",
    "/theme/{merchant}/{name}",
}
DOORS = {
    "/api/v1/invitations/accept",
    "/api/v1/password-reset",
    "/api/v1/password-reset/confirm",
    "/api/v1/session",
    "/api/v1/session/by-passkey",
    "/api/v1/session/by-passkey/begin",
    "/confirm-email",
    "/connect/token",
    "/invitation",
    "/login",
    "/login/passkey",
    "/reset-password",
}


@dataclass(frozen=True)
class Route:
    """One method of one path, and whom it says that it lets in."""

    path: str
    method: str
    access: str | None
    fresh: bool
    page: bool


def routes_of(app) -> Iterator[Route]:
    for route in app.routes:
        path = re.sub(r":\w+}", "}", route.path)
        handlers = getattr(route, "route_handlers", None) or [route.route_handler]
        for handler in handlers:
            opt = handler.opt
            for method in sorted(getattr(handler, "http_methods", {"GET"})):
                yield Route(path, method, opt.get("access"), bool(opt.get("fresh")), bool(opt.get("page")))


def filled(path: str, invoice: str) -> str:
    """Return a path whose ids are well formed, and of nobody but for the invoice."""
    prefixes = {
        "payment": "pay", "webhook": "whk", "delivery": "dlv", "event": "evt", "key": "key", "wallet": "wal", "user": "usr", "session": "ses",
        "invitation": "ivt", "merchant": "mer", "passkey": "psk", "refund": "ref", "replay": "rpl",
    }  # fmt: skip
    made = {"invoice": invoice, "file_path": "mark.svg", "name": "v1.js", "code": "forbidden"}
    return re.sub(r"{(\w+)}", lambda each: made.get(each[1]) or f"{prefixes.get(each[1], 'abc')}_{'0' * 26}", path)


@dataclass
class Answer:
    status: int
    known: Facts


async def ask(app, method: str, spelling: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
    """Ask exactly as a socket would deliver it: clients tidy addresses up."""
    raw, _, query = spelling.partition("?")
    given = {"host": "localhost:8000", **(headers or {})}
    scope: dict[str, Any] = {
        "type": "http", "method": method, "path": unquote(raw), "raw_path": raw.encode("latin-1"), "query_string": query.encode(), "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()], "client": ("127.0.0.1", 1), "server": ("localhost", 80),
        "scheme": "http", "http_version": "1.1",
    }  # fmt: skip
    statuses: list[int] = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False} if not statuses else {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    known = facts(scope)
    await app(scope, receive, send)
    return Answer(statuses[0], known)


class Callers:
    """Every kind of caller, with a session of its own for each request: some requests end theirs."""

    def __init__(self, web) -> None:
        self.web = web
        self.people: dict[str, Person] = {}
        self.keys: dict[str, str] = {}

    async def gather(self) -> Callers:
        web = self.web
        for role in Role:
            self.people[role.value] = await member(web, role.value)
        other = await new_tenant(web)
        stranger = await member(web, "owner", merchant=other)
        self.people["stranger"] = Person(web, stranger.user, stranger.token, web.merchant)
        self.people["admin of the platform"] = await member(web, None, is_admin=True)
        self.people["pending"] = self.people["owner"]
        self.keys["key"] = web.key
        self.keys["key of another scope"] = await web.new_key(scopes=("audit:read",))
        self.keys["revoked key"] = await web.new_key()
        self.keys["expired key"] = await web.new_key(expires_in=60)
        await web.client.delete(f"/api/v1/api-keys/key_{self.keys['revoked key'].split('_')[2]}", headers=web.auth)
        await web.clock.advance(61)
        invoice = await web.invoice()
        self.invoice, self.token = invoice["id"], invoice["client_token"]
        return self

    @property
    def names(self) -> list[str]:
        return ["anonymous", "buyer", *self.people, *self.keys]

    async def headers(self, name: str) -> dict[str, str]:
        if name in self.keys:
            return {"x-api-key": self.keys[name]}
        if name not in self.people:
            return {"x-pepay-token": self.token} if name == "buyer" else {}
        person = self.people[name]
        person = Person(
            self.web, person.user, await session_of(self.web, person.user, Level.PENDING if name == "pending" else Level.FULL), person.merchant
        )
        return {key: value for key, value in person.headers.items() if key != "sec-fetch-site"}


def is_let_in(name: str, route: Route) -> bool:
    """Say by the table alone whether a caller is let in."""
    access = route.access
    if access in {ANYBODY, PLUGIN}:
        return True
    if access == DOOR:
        # A form of a page comes with the token of a page that was open before.
        return not route.page or route.method in {"GET", "HEAD", "OPTIONS"} or name in PEOPLE
    if access in {BUYER, BUYER_PAGE}:
        return name == "buyer"
    if access == ENTERING:
        return name in PEOPLE
    if access == USER:
        return name in PEOPLE - {"pending"}
    if access == ADMIN:
        return name == "admin of the platform"
    if name in {"key", "key of another scope"}:
        scopes = set(KEY_SCOPES) if name == "key" else {"audit:read"}
    elif name in set(Role):
        scopes = ROLES[Role(name)]
    else:
        return False
    if access is None:
        return True
    assert is_scope(access)
    assert access in SCOPES, access
    return access in scopes or (access.endswith(":read") and access.replace(":read", ":write") in scopes)


PEOPLE = {*(role.value for role in Role), "stranger", "admin of the platform", "pending"}


@get("/hello", sync_to_thread=False)
def hello() -> str:
    return "of a plugin"


@get("/bare", sync_to_thread=False)
def bare() -> str:
    return "without a word of whom it lets in"


@pytest.fixture
async def callers(web):
    web.app.register(_router("greeter", [hello]))
    web.app.register(Router("/bare", route_handlers=[bare]))
    return await Callers(web).gather()


async def test_everybody_may_do_what_the_table_says_and_nothing_else(web, callers):
    routes = [each for each in routes_of(web.app) if each.method != "OPTIONS"]
    assert len(routes) > 100
    wrong, asked = [], 0
    for route in routes:
        path = filled(route.path, callers.invoice)
        for name in callers.names:
            answer = await ask(web.app, route.method, path, await callers.headers(name))
            asked += 1
            expected = is_let_in(name, route)
            told = answer.status in {401, 403, 404} or (route.page and answer.status == 303)
            if answer.known.admitted is not expected or (not expected and not told) or answer.status == 500:
                wrong.append((route.method, route.path, route.access, name, answer.status, answer.known.admitted))
    assert not wrong, wrong
    assert asked > 1_500


async def test_a_method_that_a_route_does_not_have_opens_nothing_to_anybody(web, callers):
    have: dict[str, set[str]] = {}
    for route in routes_of(web.app):
        have.setdefault(route.path, set()).add(route.method)
    headers = await callers.headers("owner")
    for path, methods in have.items():
        for method in {*METHODS} - methods - ({"HEAD"} if "GET" in methods else set()):
            for sent in ({}, headers):
                answer = await ask(web.app, method, filled(path, callers.invoice), sent)
                assert answer.status in {401, 403, 404, 405}, (method, path, answer.status)
                assert not answer.known.admitted or answer.status == 404, (method, path)


async def test_an_override_of_the_method_is_no_way_around(web, callers):
    headers = {**await callers.headers("viewer"), "content-type": "application/json"}
    overrides = ({"x-http-method-override": "GET"}, {"x-method-override": "GET"}, {"x-http-method": "GET"})
    for override in overrides:
        answer = await ask(web.app, "POST", "/api/v1/invoices?_method=GET", {**headers, **override}, b'{"amount_usd": "5"}')
        assert answer.status == 403
        reading = await ask(web.app, "GET", "/api/v1/invoices", {**headers, **dict.fromkeys(override, "DELETE")})
        assert reading.status == 200


async def test_what_is_open_to_anybody_is_this_list(web, callers):
    found = {(each.access, each.path) for each in routes_of(web.app) if each.access in {ANYBODY, DOOR, PLUGIN} and each.method != "OPTIONS"}
    assert {path for access, path in found if access == ANYBODY} <= PUBLIC
    assert {path for access, path in found if access == DOOR} == DOORS
    assert {path for access, path in found if access == PLUGIN} == {"/x/greeter/hello"}


async def test_a_route_that_says_nothing_is_open_to_nobody_without_a_key_or_a_session(web, callers):
    for name in callers.names:
        answer = await ask(web.app, "GET", "/bare/bare", await callers.headers(name))
        assert (answer.status == 200) is (name in {"key", "key of another scope", *Role}), name


async def test_what_asks_for_a_fresh_sign_in_gets_one(web, callers):
    person = callers.people["owner"]
    stale = Person(web, person.user, await session_of(web, person.user), person.merchant)
    await web.clock.advance(301)
    asked = 0
    for route in routes_of(web.app):
        if not route.fresh:
            continue
        answer = await ask(web.app, route.method, filled(route.path, callers.invoice), stale.headers)
        admin = route.access == ADMIN
        assert answer.status == (303 if route.page else 403), route
        assert not answer.known.admitted
        assert admin or answer.known.signed_in is not None
        asked += 1
    fresh = {each.path for each in routes_of(web.app) if each.fresh}
    assert asked >= 15
    assert {"/api/v1/wallets", "/api/v1/api-keys", "/api/v1/webhooks/{webhook}/rotate-secret", "/api/v1/members/{user}"} <= fresh


async def test_no_session_does_anything_without_its_token_or_for_another_page(web, callers):
    person = callers.people["owner"]
    for headers in ({"x-csrf-token": ""}, {"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        sent = {**person.headers, **headers}
        for route in routes_of(web.app):
            if route.method in {"GET", "HEAD", "OPTIONS"} or route.access in {ANYBODY, PLUGIN, BUYER, BUYER_PAGE}:
                continue
            if route.access == DOOR and not route.page and "x-csrf-token" in headers:
                continue  # no session is needed there, and none is used
            answer = await ask(web.app, route.method, filled(route.path, callers.invoice), sent)
            assert (answer.status, answer.known.admitted) == (403, False), (route, headers, answer.status)


def spellings(path: str) -> list[str]:
    """Return other ways to write a path, some of which some servers take for the same."""
    head, _, last = path.rpartition("/")
    first = path.split("/")[1]
    middle = path.replace("/", "//", 2).replace("//", "/", 1)
    return [
        f"{path}/", f"/{path}", f"{path}//", middle, f"{head}//{last}", f"/.{path}", f"/x/..{path}", f"{head}/./{last}", f"{head}/x/../{last}",
        f"/{first}/..{path}", f"/schema/..{path}", f"/static/..{path}", f"/health/live/../..{path}", f"/schema/%2e%2e{path}", f"/static/%2e%2e{path}",
        f"/%2e{path}", f"{path}/.", f"{path}/..", f"{path}/%2e", f"{path}/%2e%2e", f"{path};", f"{path};x=1", f"{path}%3b", f"{head};/{last}",
        f"{path}%2f", f"{head}%2f{last}", path.replace("/", "%2f"), f"{path}%5c", f"{head}\\{last}", f"{head}%5c{last}", f"{path}%00",
        f"{path}%00.css",
        f"{path}%0a", f"{path}%0d%0a", f"{path}%09", f"{path}%20", f"%20{path}", f"{path}%23", f"{path}%3f", f"{path}.json", f"{path}.html",
        f"{path}.css",
        path.upper(), path.replace(f"/{first}", f"/{first.capitalize()}", 1), f"{head}/{last.capitalize()}x", f"{head}/%{ord(last[0]):02x}{last[1:]}",
        f"{head}/%25{ord(last[0]):02x}{last[1:]}", f"{path}%c0%af", f"{path}%e2%80%8b", f"{path}%", f"{path}%zz", f"http://localhost{path}",
        f"{path}..", f"{path}%2e", f"{path}%7f", f"{path}~", f"/%5c{path[1:]}", f"{path}%u002f", f"{path}/%09", f"{path}%2e%2e%2f",
    ]  # fmt: skip


async def test_no_spelling_of_a_protected_address_gets_past_the_gate(web, callers):
    protected = sorted(
        {each.path for each in routes_of(web.app) if each.access not in {ANYBODY, DOOR, PLUGIN, BUYER_PAGE} and each.method != "OPTIONS"}
    )
    protected = [path for path in protected if path not in DOORS]
    assert len(protected) > 60
    for path in protected:
        written = spellings(filled(path, callers.invoice))
        assert len(set(written)) >= 50
        for spelling in written:
            answer = await ask(web.app, "GET", spelling)
            page = answer.status == 303 and path.startswith(("/app", "/log", "/connect"))
            assert answer.status in {400, 401, 404, 405} or page, (spelling, answer.status)
            assert not answer.known.admitted, spelling


IDS = {"invoice": "inv", "payment": "pay", "webhook": "whk", "delivery": "dlv", "event": "evt", "key": "key", "wallet": "wal"}
BODIES: dict[str, bytes] = {
    "/api/v1/invoices/{invoice}/resolve": b'{"action": "accept", "reason": "x"}',
    "/api/v1/invoices/{invoice}/payment-options": b'{"asset": "toy:1/slip44:1"}',
    "/api/v1/webhooks/{webhook}/replay": b'{"from": 0, "to": 1790000000}',
    "/api/v1/members/{user}": b'{"role": "viewer"}',
    "/api/v1/refunds/{refund}/complete": b'{"transaction": "0xabc"}',
    "/api/v1/refunds/{refund}/decline": b'{"reason": "no"}',
}


async def test_what_belongs_to_another_merchant_is_not_there(web, callers):
    """Every address with an id in it, asked by the owner and by a key of another merchant for things that exist."""
    owner = callers.people["owner"]
    invited = await owner.ask("POST", "/api/v1/invitations", json={"email": "someone@example.com", "role": "viewer"})
    webhook = await web.post("/api/v1/webhooks", {"url": "https://93.184.216.34/hook"})
    replay = await web.post(f"/api/v1/webhooks/{webhook.json()['id']}/replay", {"from": 0, "to": 1900000000})
    real = {
        "replay": replay.json()["id"],
        "invoice": callers.invoice,
        "wallet": (await web.get("/api/v1/wallets")).json()["data"][0]["id"],
        "webhook": webhook.json()["id"],
        "event": (await web.get("/api/v1/events")).json()["data"][0]["id"],
        "key": f"key_{web.key.split('_')[2]}",
        "user": owner.user.id,
        "invitation": invited.json()["id"],
        "session": (await owner.ask("GET", "/api/v1/sessions")).json()["data"][0]["id"],
        "merchant": web.merchant,
    }
    elsewhere = await new_tenant(web, "Elsewhere")
    stranger = await member(web, "owner", merchant=elsewhere)
    asked = 0
    for route in routes_of(web.app):
        named = re.findall(r"{(\w+)}", route.path)
        if not named or not set(named) <= set(real) or route.method == "OPTIONS" or route.access in {ANYBODY, BUYER, BUYER_PAGE, ADMIN}:
            continue
        path = re.sub(r"{(\w+)}", lambda each: real[each[1]], route.path)
        body = BODIES.get(route.path, b"{}")
        headers = {**stranger.headers, "content-type": "application/json"}
        for sent in (headers, {**headers, "x-pepay-merchant": web.merchant}):
            answer = await ask(web.app, route.method, path, sent, body)
            assert answer.status == 404, (route.method, route.path, answer.status)
            asked += 1
    assert asked > 30
    assert (await owner.ask("GET", "/api/v1/members")).json()["data"]
    assert (await owner.ask("GET", f"/api/v1/invoices/{callers.invoice}")).json()["status"] == "unpaid"
    assert (await owner.ask("GET", "/api/v1/invitations")).json()["data"]
    lists = {each.path for each in routes_of(web.app) if each.method == "GET" and "{" not in each.path and each.access and is_scope(each.access)}
    for path in sorted(lists - EVERYBODYS):
        answer = await stranger.ask("GET", path)
        for each in answer.json().get("data", []):
            assert each.get("id") not in real.values(), path
            assert each.get("merchant") != web.merchant, path


EVERYBODYS = {"/api/v1/tokens", "/api/v1/chains", "/api/v1/plugins", "/api/v1/rates", "/api/v1/rates/history", "/api/v1/events/stream"}
