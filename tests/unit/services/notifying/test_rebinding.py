"""Nothing that a user can name leads to an address that is not public: by the whole way from registration to the socket.

Names are looked up at a real name server over UDP, which says something else each time. The process's own sockets are watched, and
a trap listens at the addresses that must never be reached. What is public is a receiver on this machine under a public address.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import sys
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import pytest
from url_vectors import NO_URLS, TO_PRIVATE

from pepay_core.domain.endpoints import Endpoint
from pepay_core.domain.errors import EgressRefused, InvalidInput, Refused
from pepay_core.domain.ids import EndpointId
from pepay_core.egress import allowed
from pepay_core.http import AiohttpClient
from pepay_core.services.endpoints import PURPOSE
from pepay_core.testing.receiver import Answer
from pepay_webhook_hmac.notifier import WebhookNotifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pepay_core.testing.receiver import Receiver

PUBLIC, ELSEWHERE = "93.184.216.34", "93.184.216.35"
PUBLIC_6 = "2606:2800:220:1:248:1893:25c8:1946"


@pytest.fixture
def engine() -> str:
    """One is enough: the database has no part in where a connection goes."""
    return "sqlite"


def port_of(receiver: Receiver) -> int:
    return urlsplit(receiver.url).port or 0


class Sockets:
    """Every address that this process connects to while it is watched."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] | None = None
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and self.seen is not None:
            self.seen.append(arguments[1])


SOCKETS = Sockets()


class NameServer(asyncio.DatagramProtocol):
    """Answers A and AAAA queries with what comes next, at a time to live of nothing."""

    def __init__(self, answers: Iterator[list[str]]) -> None:
        self.answers = answers
        self.asked = 0
        self.address: tuple[str, int] = ("", 0)
        self._current: list[str] = []

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.address = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, peer: Any) -> None:
        question = data[12:]
        name = question[: question.index(b"\0") + 5]
        (kind,) = struct.unpack("!H", name[-4:-2])
        if kind == 1:
            self.asked += 1
            self._current = next(self.answers)
        version = 4 if kind == 1 else 6
        records = [ip_address(each).packed for each in self._current if ip_address(each).version == version]
        answer = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(packed)) + packed for packed in records)
        self._transport.sendto(data[:2] + b"\x84\x00" + struct.pack("!HHHH", 1, len(records), 0, 0) + name + answer, peer)


@asynccontextmanager
async def name_server(answers: Iterator[list[str]]) -> AsyncIterator[NameServer]:
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(lambda: NameServer(answers), local_addr=("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()


class _Answers(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.got: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, peer: Any) -> None:
        self.got.put_nowait(data)


def asking(server: NameServer):
    """Return a resolver that asks a name server, as an operating system does: first for one kind of address, then for the other."""

    async def resolve(host: str, port: int) -> list[str]:
        transport, answers = await asyncio.get_running_loop().create_datagram_endpoint(_Answers, remote_addr=server.address)
        try:
            found: list[str] = []
            for number, kind in enumerate((1, 28)):
                name = b"".join(bytes([len(each)]) + each.encode() for each in host.split(".")) + b"\0"
                transport.sendto(struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + name + struct.pack("!HH", kind, 1))
                data = await answers.got.get()
                (count,) = struct.unpack("!H", data[6:8])
                place = 12 + len(name) + 4
                for _ in range(count):
                    (length,) = struct.unpack("!H", data[place + 10 : place + 12])
                    found.append(str(ip_address(data[place + 12 : place + 12 + length])))
                    place += 12 + length
            return found
        finally:
            transport.close()

    return resolve


class Trap:
    """Listens at the loopback addresses on one port, and counts who comes."""

    def __init__(self) -> None:
        self.port = 0
        self.came = 0
        self._servers: list[asyncio.Server] = []

    async def __aenter__(self) -> Self:
        for host in ("127.0.0.1", "::1"):
            try:
                server = await asyncio.start_server(self._caught, host, self.port)
            except OSError:
                assert host == "::1"  # a machine without IPv6
                continue
            self._servers.append(server)
            self.port = server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._servers:
            each.close()
            await each.wait_closed()

    async def _caught(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        writer.close()


@pytest.fixture
async def trap() -> AsyncIterator[Trap]:
    async with Trap() as trap:
        yield trap


@pytest.fixture
async def connected(monkeypatch, receiver):
    """What is connected to. A public address leads to the receiver, whatever the port; everything else would go where it says."""
    loop = asyncio.get_running_loop()
    real = loop.sock_connect
    asked: list[str] = []

    async def connect(sock: socket.socket, address: tuple[Any, ...]) -> None:
        if sock.type == socket.SOCK_DGRAM:  # a name server is asked
            await real(sock, address)
            return
        asked.append(address[0])
        if not allowed(address[0]):
            await real(sock, address)
            return
        if sock.family != socket.AF_INET:
            raise OSError(101, "no IPv6 here")
        await real(sock, ("127.0.0.1", port_of(receiver)))

    monkeypatch.setattr(loop, "sock_connect", connect)
    SOCKETS.seen = []
    yield asked
    SOCKETS.seen = None


def hits(receiver) -> list[tuple[Any, ...]]:
    """What sockets connected to, apart from the receiver and name servers, which are asked by datagrams."""
    assert SOCKETS.seen is not None
    return [each for each in SOCKETS.seen if isinstance(each, tuple) and each[1] != port_of(receiver) and each[1] not in NAMES]


NAMES: set[int] = set()


@asynccontextmanager
async def client(answers: Iterator[list[str]]) -> AsyncIterator[tuple[AiohttpClient, NameServer]]:
    async with name_server(answers) as server, AiohttpClient(resolver=asking(server)) as http:
        NAMES.add(server.address[1])
        yield http, server


def sequence(*answers: list[str]) -> Iterator[list[str]]:
    return itertools.cycle(answers)


async def stored(post, url: str) -> dict[str, Any]:
    """Store an endpoint as one that was registered long ago, by rules that let anything in."""
    new = post.ids.endpoint()
    secret = post.vault.seal(PURPOSE, new, b"whsec_" + b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    endpoint = Endpoint(
        id=new,
        merchant=post.caller.merchant,
        livemode=False,
        scheme="webhook",
        url=url,
        events=("*",),
        secret=secret,
        created_at=post.clock.now(),
    )
    await post.store.run(lambda tx: tx.endpoints.add(endpoint))
    return {"id": new}


@pytest.fixture
async def dispatching(post):
    """Return a function that makes the post deliver through a client, and how to have everything that is due delivered."""

    def use(http: AiohttpClient):
        post.notifiers["webhook"] = WebhookNotifier(http, post.clock, deadline=30)
        return post.dispatcher(concurrency=20, per_endpoint=20)

    return use


# --- literals -------------------------------------------------------------------------------


def test_there_are_enough_of_them():
    assert len(TO_PRIVATE) + len(NO_URLS) >= 120
    assert len(set(TO_PRIVATE) | set(NO_URLS)) == len(TO_PRIVATE) + len(NO_URLS)


async def test_no_url_that_leads_to_a_private_address_is_registered(post, dispatching, trap, connected, receiver):
    async with client(sequence(["127.0.0.1"])) as (http, server):
        dispatching(http)
        for url in [*TO_PRIVATE, *NO_URLS, f"http://127.0.0.1:{trap.port}/", f"http://[::1]:{trap.port}/", f"http://0x7f.1:{trap.port}/"]:
            with pytest.raises(Refused) as caught:
                await post.endpoints.create(post.caller, url, ("*",))
            assert isinstance(caught.value, EgressRefused | InvalidInput), url
        for each in ("shop.example", "rebind.example"):
            with pytest.raises(EgressRefused):
                await post.endpoints.create(post.caller, f"http://{each}:{trap.port}/", ("*",))
        assert server.asked == 2
    assert (trap.came, hits(receiver), connected) == (0, [], [])


async def test_none_that_was_registered_by_other_rules_is_connected_to(post, dispatching, trap, connected, receiver):
    urls = [
        *TO_PRIVATE,
        *(url for url in NO_URLS if url and "\0" not in url and len(url) < 2000),
        *(f"http://{host}:{trap.port}/" for host in ("127.0.0.1", "[::1]", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "localhost", "0")),
    ]
    made = [await stored(post, url) for url in urls]
    async with client(sequence(["127.0.0.1"], ["::1"])) as (http, _):
        dispatcher = dispatching(http)
        await post.publish()
        assert await dispatcher.drain_once() == len(urls)
    assert (trap.came, hits(receiver), connected) == (0, [], [])
    for each, url in zip(made, urls, strict=True):
        (delivery,) = await post.deliveries(each)
        assert (delivery["state"], delivery["attempts"][0]["status"]) == ("pending", None), url


# --- names that change their minds ----------------------------------------------------------------


async def test_a_name_that_changes_between_public_and_private_is_connected_to_at_its_public_address_alone(
    post, dispatching, trap, connected, receiver
):
    private = [["127.0.0.1"], ["::1"], ["10.0.0.1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["fd00::1"], ["0.0.0.0"]]
    mixed = [[PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], [PUBLIC, "::1"], [PUBLIC_6, "127.0.0.1"]]
    # Every other answer is good, and what comes between is different each time.
    answers = sequence(*itertools.chain.from_iterable(([PUBLIC], bad) for bad in (*private, *mixed)))
    attempts = 200
    async with client(answers) as (http, server):
        dispatcher = dispatching(http)
        made = await post.endpoint(f"http://rebind.example:{trap.port}/hook")
        await post.publish()
        (delivery,) = await post.deliveries(made)
        for _ in range(attempts):
            assert await dispatcher.drain_once() == 1
            await post.endpoints.redeliver(post.caller, delivery["id"])
            post.clock.jump(timedelta(seconds=1))
        assert server.asked == attempts + 1
    tried = (await post.deliveries(made))[0]["attempts"]
    accepted = [each for each in tried if each["status"] == 200]
    refused = [each for each in tried if each["status"] is None]
    assert len(accepted) == len(refused) == len(receiver.requests) == attempts // 2
    assert {each["error"] for each in refused} == {"the URL leads to an address that is not public"}
    assert set(connected) == {PUBLIC}
    assert (trap.came, hits(receiver)) == (0, [])


async def test_between_the_check_and_the_connection_there_is_no_second_lookup(post, dispatching, trap, connected, receiver):
    async with client(sequence([PUBLIC], ["127.0.0.1"])) as (http, server):
        dispatching(http)
        for _ in range(100):
            before = server.asked
            outcome = await asyncio.gather(http.post_public(f"http://rebind.example:{trap.port}/", b"{}"), return_exceptions=True)
            assert server.asked == before + 1
            assert not isinstance(outcome[0], BaseException) or isinstance(outcome[0], EgressRefused)
    assert len(receiver.requests) == 50
    assert (trap.came, hits(receiver), set(connected)) == (0, [], {PUBLIC})


# --- the ways around ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_a_private_address_is_not_followed(post, dispatching, trap, connected, receiver, status):
    receiver.answer(Answer(status, headers={"Location": f"http://127.0.0.1:{trap.port}/admin"}))
    async with client(sequence([PUBLIC])) as (http, _):
        dispatcher = dispatching(http)
        made = await post.endpoint("http://shop.example/hook")
        await post.publish()
        await dispatcher.drain_once()
    (delivery,) = await post.deliveries(made)
    assert delivery["attempts"][0]["status"] == status
    assert (trap.came, hits(receiver), set(connected)) == (0, [], {PUBLIC})


async def test_a_proxy_of_the_environment_is_not_used(post, dispatching, trap, connected, receiver, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "WS_PROXY", "ws_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{trap.port}")
    monkeypatch.setenv("NO_PROXY", "")
    async with client(sequence([PUBLIC])) as (http, _):
        dispatcher = dispatching(http)
        await post.endpoint("http://shop.example/hook")
        await post.publish()
        await dispatcher.drain_once()
    assert len(receiver.requests) == 1
    assert (trap.came, hits(receiver), set(connected)) == (0, [], {PUBLIC})


async def test_a_connection_that_is_kept_alive_is_not_taken_for_a_name_that_leads_elsewhere_by_now(post, dispatching, trap, connected, receiver):
    receiver.answer(Answer(200, headers={"Connection": "keep-alive", "Keep-Alive": "timeout=600"}))
    async with client(sequence([PUBLIC], ["127.0.0.1"])) as (http, _):
        dispatching(http)
        assert (await http.post_public(f"http://rebind.example:{trap.port}/", b"{}")).status == 200
        with pytest.raises(EgressRefused):
            await http.post_public(f"http://rebind.example:{trap.port}/", b"{}")
    assert len(receiver.requests) == 1
    assert (trap.came, hits(receiver), connected) == (0, [], [PUBLIC])


async def test_a_connection_that_is_kept_is_used_again_only_for_a_name_that_still_has_its_address(post, dispatching, connected, receiver):
    moves = itertools.chain([[PUBLIC]] * 2, [[ELSEWHERE]] * 2, [[PUBLIC]])
    async with client(moves) as (http, server):
        dispatching(http)
        for _ in range(4):
            assert (await http.post_public("http://shop.example/", b"{}")).status == 200
        assert (await http.post_public("http://other.example/", b"{}")).status == 200
        assert server.asked == 5
    assert connected == [PUBLIC, ELSEWHERE, PUBLIC]
    assert {each.headers["host"] for each in receiver.requests} == {"shop.example", "other.example"}


async def test_an_alternative_service_that_a_receiver_offers_is_not_used(post, dispatching, trap, connected, receiver):
    receiver.answer(Answer(200, headers={"Alt-Svc": f'h2="127.0.0.1:{trap.port}"; ma=86400', "Refresh": f"0; url=http://127.0.0.1:{trap.port}/"}))
    async with client(sequence([PUBLIC])) as (http, _):
        dispatching(http)
        for _ in range(3):
            assert (await http.post_public("http://shop.example/", b"{}")).status == 200
    assert len(receiver.requests) == 3
    assert (trap.came, hits(receiver), set(connected)) == (0, [], {PUBLIC})


async def test_changing_the_url_of_an_endpoint_is_checked_as_registering_it_is(post, dispatching, trap, connected, receiver):
    async with client(sequence([PUBLIC])) as (http, _):
        dispatching(http)
        made = await post.endpoint("http://shop.example/hook")
        for url in (f"http://127.0.0.1:{trap.port}/", "http://169.254.169.254/", "http://localhost/", "https://10.0.0.1/"):
            with pytest.raises(EgressRefused):
                await post.endpoints.update(post.caller, EndpointId(made["id"]), url=url)
    assert (trap.came, hits(receiver), connected) == (0, [], [])


# --- the tests' own tools ---------------------------------------------------------------------------------


async def test_the_trap_and_the_watch_see_what_they_are_for(trap, connected, receiver):
    async with AiohttpClient(allow_private=True) as http:
        outcome = await asyncio.gather(http.post_public(f"http://127.0.0.1:{trap.port}/", b"{}"), return_exceptions=True)
    assert isinstance(outcome[0], Exception)
    assert (trap.came, connected) == (1, ["127.0.0.1"])
    assert hits(receiver) == [("127.0.0.1", trap.port)]
