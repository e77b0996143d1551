"""Why these parts are our own: each property is asserted of a small application made of the framework's parts, which lack it, and of ours."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import httpx
import pytest
from litestar import Litestar, Request, WebSocket, get, post, websocket
from litestar.config.csrf import CSRFConfig
from litestar.middleware.rate_limit import RateLimitConfig
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.response import Stream
from persons import OWN, PASSWORD, Person, member, new_user
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from pepay_core.services.allowing import LocalCounts
from pepay_core.settings import LimitsSettings, ServerSettings
from pepay_core.web.access import USER
from pepay_core.web.asgi.facts import facts

# --- The framework's parts ------------------------------------------------------------------


@post("/login", status_code=200, sync_to_thread=False)
def framework_login(request: Request) -> str:
    request.session["name"] = request.query_params["name"]
    return "in"


@post("/logout", status_code=200, sync_to_thread=False)
def framework_logout(request: Request) -> str:
    request.clear_session()
    return "out"


@get("/me", sync_to_thread=False)
def framework_me(request: Request) -> str:
    return request.session.get("name", "nobody")


@get("/cached", cache=True, sync_to_thread=False)
def framework_cached(request: Request) -> str:
    return request.session.get("name", "nobody")


@post("/pay", status_code=200, sync_to_thread=False)
def framework_pay(request: Request) -> str:
    return f"paid by {request.session.get('name', 'nobody')}"


@get("/stream", sync_to_thread=False)
def framework_stream(request: Request) -> Stream:
    return Stream(iter([f"data: secrets of {request.session.get('name')}\n\n"]), media_type="text/event-stream")


@websocket("/socket")
async def framework_socket(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(f"secrets of {socket.session.get('name')}")
    await socket.close()


FRAMEWORK = [framework_login, framework_logout, framework_me, framework_cached, framework_pay, framework_stream, framework_socket]


@asynccontextmanager
async def framework(*handlers, **options):
    """Serve an application of the framework's parts, as its documentation shows them."""
    middleware = [ServerSideSessionConfig().middleware, *options.pop("middleware", [])]
    app = Litestar([*FRAMEWORK, *handlers], middleware=middleware, openapi_config=None, logging_config=None, **options)
    async with app.lifespan(), httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=OWN) as client:
        yield app, client


async def ask(client, method, path, cookie=None, **options):
    client.cookies.clear()
    headers = {**options.pop("headers", {}), **({"cookie": cookie} if cookie else {})}
    return await client.request(method, path, headers=headers, **options)


def cookie_of(answer, name) -> str:
    line = next(line for line in answer.headers.get_list("set-cookie") if line.startswith(f"{name}="))
    return line.partition(";")[0]


# --- Session fixation ------------------------------------------------------------------------


async def assert_a_planted_session_is_of_no_use(planted, signs_in, is_somebody):
    """Somebody signs in with a browser into which an attacker has put a session; the attacker must not be signed in with it."""
    await signs_in(planted)
    assert not await is_somebody(planted), "the attacker's session is signed in"


async def test_a_session_that_was_planted_signs_nobody_in(web):
    async with framework() as (_, client):
        with pytest.raises(AssertionError, match="the attacker's session is signed in"):
            await assert_a_planted_session_is_of_no_use(
                "session=chosen-by-the-attacker",
                lambda cookie: ask(client, "POST", "/login?name=alice", cookie),
                lambda cookie: _is_named(client, cookie),
            )

    victim, attacker = await new_user(web), await member(web)
    email = web.runtime.people.accounts.email_of(victim)
    browsers = web.app.state.browsers
    for planted in (f"{browsers.session}={'A' * 43}", attacker.cookies):
        answers = []

        async def signs_in(cookie, answers=answers):
            answers.append(await ask(web.client, "POST", "/api/v1/session", cookie, json={"email": email, "password": PASSWORD}))

        async def is_victim(cookie):
            answer = await ask(web.client, "GET", "/api/v1/user", cookie)
            return answer.status_code == 200 and answer.json()["id"] == victim.id

        await assert_a_planted_session_is_of_no_use(planted, signs_in, is_victim)
        assert answers[0].status_code == 201
        assert cookie_of(answers[0], browsers.session) != planted
    assert (await ask(web.client, "GET", "/api/v1/user", attacker.cookies)).status_code == 401, "what the browser had has ended"


async def _is_named(client, cookie) -> bool:
    return (await ask(client, "GET", "/me", cookie)).text != "nobody"


# --- Resurrection after logout ---------------------------------------------------------------


async def assert_a_session_stays_ended(cookie, slow_request, begun, let_go, signs_out, is_somebody):
    """Somebody signs out while a request of theirs is on its way; when it is done, the session must still be over."""
    running = asyncio.ensure_future(slow_request(cookie))
    await begun.wait()
    await signs_out(cookie)
    let_go.set()
    await running
    assert not await is_somebody(cookie), "the session is back"


async def test_a_session_stays_ended_whatever_is_still_on_its_way(web):
    begun, let_go = asyncio.Event(), asyncio.Event()

    @get("/slow")
    async def framework_slow(request: Request) -> str:
        name = request.session.get("name", "nobody")
        begun.set()
        await let_go.wait()
        return name

    async with framework(framework_slow) as (_, client):
        cookie = cookie_of(await ask(client, "POST", "/login?name=alice"), "session")
        with pytest.raises(AssertionError, match="the session is back"):
            await assert_a_session_stays_ended(
                cookie,
                lambda cookie: ask(client, "GET", "/slow", cookie),
                begun,
                let_go,
                lambda cookie: ask(client, "POST", "/logout", cookie),
                lambda cookie: _is_named(client, cookie),
            )

    begun, let_go = asyncio.Event(), asyncio.Event()

    @get("/slow", opt={"access": USER})
    async def slow(request: Request) -> str:
        begun.set()
        await let_go.wait()
        return facts(request.scope).name

    web.app.register(slow)
    person = await member(web)
    # Old enough to be noted as seen by the request that is on its way.
    await web.clock.advance(90)
    await assert_a_session_stays_ended(
        person.cookies,
        lambda cookie: ask(web.client, "GET", "/slow", cookie),
        begun,
        let_go,
        lambda _: person.ask("DELETE", "/api/v1/session"),
        lambda cookie: _is_user(web, cookie),
    )


async def _is_user(web, cookie) -> bool:
    return (await ask(web.client, "GET", "/api/v1/user", cookie)).status_code == 200


# --- CSRF across sessions --------------------------------------------------------------------


async def assert_a_token_is_good_for_one_session(victims_cookie, attackers_cookie, attackers_token, sends):
    """An attacker makes a victim's browser send the attacker's own token, cookie and all; it must not count for the victim's session."""
    answer = await sends(f"{victims_cookie}; {attackers_cookie}", attackers_token)
    assert answer.status_code == 403, "the attacker's token counts for the victim"


async def test_a_token_counts_for_its_own_session_alone(web):
    async with framework(csrf_config=CSRFConfig(secret="s" * 32)) as (_, client):
        token = cookie_of(await ask(client, "GET", "/me"), "csrftoken").partition("=")[2]
        mine = {"x-csrftoken": token}
        victim = cookie_of(await ask(client, "POST", "/login?name=alice", f"csrftoken={token}", headers=mine), "session")
        attackers = cookie_of(await ask(client, "GET", "/me"), "csrftoken")
        with pytest.raises(AssertionError, match="the attacker's token counts for the victim"):
            await assert_a_token_is_good_for_one_session(
                victim,
                attackers,
                attackers.partition("=")[2],
                lambda cookie, token: ask(client, "POST", "/pay", cookie, headers={"x-csrftoken": token}),
            )

    victim, attacker = await member(web), await member(web)

    async def sends(cookie, token):
        headers = {"origin": OWN, "x-csrf-token": token}
        return await ask(web.client, "PATCH", "/api/v1/user", cookie, json={"name": "Mallory"}, headers=headers)

    await assert_a_token_is_good_for_one_session(victim.cookies, "theme=dark", attacker.csrf, sends)
    earlier = victim.csrf
    again = await victim.ask("POST", "/api/v1/session/again", json={"password": PASSWORD})
    renewed = cookie_of(again, web.app.state.browsers.session)
    await assert_a_token_is_good_for_one_session(renewed, "theme=dark", earlier, sends)
    assert (await sends(renewed, again.json()["csrf_token"])).status_code == 200


# --- Sockets and streams of another origin ---------------------------------------------------


async def opened(app, path, headers) -> bool:
    """Open a socket as a browser would for a page of another origin; tell whether it was let in."""
    sent, given = [], iter([{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}])

    async def receive():
        return next(given)

    async def send(message):
        sent.append(message["type"])

    scope = {
        "type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "ws", "http_version": "1.1",
        "headers": [(b"host", b"localhost:8000"), *((name.encode(), value.encode()) for name, value in headers.items())],
        "client": ("127.0.0.1", 1), "server": ("localhost", 8000), "subprotocols": [],
    }  # fmt: skip
    await app(scope, receive, send)
    return "websocket.accept" in sent


async def assert_no_page_of_another_origin_listens(cookie, opens, streams):
    """A page of another origin opens a socket and a stream with the victim's cookie; neither must give anything."""
    assert not await opens({"cookie": cookie, "origin": "https://evil.example"}), "a foreign page has a socket"
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}):
        assert (await streams(cookie, headers)).status_code != 200, "a foreign page has a stream"


async def test_a_page_of_another_origin_has_neither_a_socket_nor_a_stream(web):
    async with framework() as (app, client):
        cookie = cookie_of(await ask(client, "POST", "/login?name=alice"), "session")

        async def streams(cookie, headers):
            return await ask(client, "GET", "/stream", cookie, headers=headers)

        with pytest.raises(AssertionError, match="a foreign page has a socket"):
            await assert_no_page_of_another_origin_listens(cookie, lambda headers: opened(app, "/socket", headers), streams)
        assert (await streams(cookie, {"origin": "https://evil.example"})).status_code == 200

    @websocket("/socket", opt={"access": USER})
    async def socket(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    web.app.register(socket)
    person = await member(web)

    async def events(cookie, headers):
        return await ask(web.client, "GET", "/api/v1/events", cookie, headers=headers)

    await assert_no_page_of_another_origin_listens(person.cookies, lambda headers: opened(web.app, "/socket", headers), events)
    assert not await opened(web.app, "/socket", {"cookie": person.cookies}), "a browser always names the origin"
    assert not await opened(web.app, "/socket", {"origin": OWN})
    assert await opened(web.app, "/socket", {"cookie": person.cookies, "origin": OWN})
    assert (await events(person.cookies, {"sec-fetch-site": "same-origin"})).status_code == 200
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        refused = await ask(web.client, "GET", "/api/v1/events/stream", person.cookies, headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forged_request")


# --- Addresses that a client makes up --------------------------------------------------------


async def assert_nobody_escapes_a_limit_by_a_header(tries, limit):
    """One client behind our proxy claims another address with each request; it must be one client all the same."""
    statuses = [await tries(f"198.51.100.{number}, 203.0.113.7") for number in range(limit * 3)]
    assert statuses.count(429) == limit * 2, "a client has as many addresses as it likes"


async def test_a_client_has_one_address_whatever_it_writes(open_web, settings):
    limited = Litestar([framework_me], middleware=[ServerSideSessionConfig().middleware, RateLimitConfig(rate_limit=("minute", 4)).middleware])
    async with limited.lifespan():
        behind = httpx.ASGITransport(app=ProxyHeadersMiddleware(limited, trusted_hosts="*"), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=behind, base_url=OWN) as client:

            async def tries(forwarded):
                return (await ask(client, "GET", "/me", headers={"x-forwarded-for": forwarded})).status_code

            with pytest.raises(AssertionError, match="a client has as many addresses as it likes"):
                await assert_nobody_escapes_a_limit_by_a_header(tries, 4)

    server = ServerSettings(base_url=OWN, trusted_proxies=("127.0.0.1",), security_contact="mailto:security@example.com")
    tight = settings.model_copy(update={"server": server, "limits": LimitsSettings(sign_ins_per_minute=4)})
    async with open_web(tight) as web:

        async def signs_in(forwarded):
            return (await ask(web.client, "POST", "/api/v1/session", headers={"x-forwarded-for": forwarded}, json={"email": "x"})).status_code

        await assert_nobody_escapes_a_limit_by_a_header(signs_in, 4)
        assert await signs_in("198.51.100.1, 203.0.113.8") == 422, "another client is another one"


# --- Caches ----------------------------------------------------------------------------------


async def assert_everybody_sees_their_own(sees, alice, bob):
    """Two users ask the same address one after the other."""
    first, second = await sees(alice), await sees(bob)
    assert first != second, "one sees what is the other's"


async def test_nobody_sees_what_was_kept_for_somebody_else(web):
    async with framework() as (_, client):
        alice, bob = [cookie_of(await ask(client, "POST", f"/login?name={name}"), "session") for name in ("alice", "bob")]

        async def sees(cookie):
            return (await ask(client, "GET", "/cached", cookie)).text

        with pytest.raises(AssertionError, match="one sees what is the other's"):
            await assert_everybody_sees_their_own(sees, alice, bob)

    async def reads(path):
        async def sees(person: Person):
            answer = await person.ask("GET", path)
            assert answer.headers["cache-control"] == "no-store"
            assert {"cookie", "authorization", "x-api-key"} <= {each.strip().lower() for each in answer.headers["vary"].split(",")}
            return answer.text

        await assert_everybody_sees_their_own(sees, *[await member(web) for _ in range(2)])

    for path in ("/api/v1/user", "/api/v1/session", "/api/v1/sessions", "/app/security"):
        await reads(path)


# --- Limits ----------------------------------------------------------------------------------

ROUTES = 20


async def assert_a_limit_holds_over_many_routes(asks, limit, over):
    """Sixty requests at once, over one route or over twenty."""
    statuses = await asyncio.gather(*(asks(number % over) for number in range(60)))
    assert abs(60 - statuses.count(429) - limit) <= 2, "the limit is not the limit"


@pytest.mark.parametrize("over", [1, ROUTES])
async def test_a_limit_is_one_limit_over_all_routes(open_web, settings, over):
    def handler(number):
        @get(f"/r{number}", sync_to_thread=False)
        def route() -> str:
            return "here"

        return route

    limited = [RateLimitConfig(rate_limit=("minute", 10)).middleware]
    app = Litestar([handler(number) for number in range(ROUTES)], middleware=limited, openapi_config=None, logging_config=None)
    async with app.lifespan(), httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=OWN) as client:

        async def asks(number):
            return (await client.get(f"/r{number}")).status_code

        if over == ROUTES:
            with pytest.raises(AssertionError, match="the limit is not the limit"):
                await assert_a_limit_holds_over_many_routes(asks, 10, over)

    async with open_web(settings.model_copy(update={"limits": LimitsSettings(writes_per_minute=10)})) as web:
        person = await member(web)
        paths = [f"/api/v1/invoices/inv_{number:026d}/cancel" for number in range(ROUTES)]

        async def writes(number):
            return (await person.ask("POST", paths[number])).status_code

        await assert_a_limit_holds_over_many_routes(writes, 10, over)


async def test_processes_that_share_a_store_share_a_limit():
    """Four processes, each with the middleware of its own, on a store that they share: as with four workers and one server of keys."""
    from litestar.stores.memory import MemoryStore

    class Shared(MemoryStore):
        """A store that is somewhere else: between reading and writing, others are served."""

        async def get(self, key, renew_for=None):
            found = await super().get(key, renew_for)
            await asyncio.sleep(0)
            return found

    shared = Shared()

    def process():
        config = RateLimitConfig(rate_limit=("minute", 10), store="shared")
        parts = [ServerSideSessionConfig().middleware, config.middleware]
        stores = {"shared": shared, "sessions": MemoryStore()}
        return Litestar([framework_login, framework_me], middleware=parts, stores=stores, openapi_config=None, logging_config=None)

    clients = [httpx.AsyncClient(transport=httpx.ASGITransport(app=process()), base_url=OWN) for _ in range(4)]

    async def asks(number):
        return (await clients[number % 4].get("/me")).status_code

    with pytest.raises(AssertionError, match="the limit is not the limit"):
        await assert_a_limit_holds_over_many_routes(asks, 10, ROUTES)
    for client in clients:
        await client.aclose()

    from pepay_core.testing.clock import FakeClock
    from pepay_core.web.limiting import WRITES, Allowances

    clock = FakeClock()
    counts, processes = LocalCounts(clock), [Allowances(clock) for _ in range(4)]
    for each in processes:
        each.share(counts)

    async def takes(number):
        return 429 if (await processes[number % 4].take(WRITES, "key", 10)).wait else 200

    await assert_a_limit_holds_over_many_routes(takes, 10, ROUTES)
