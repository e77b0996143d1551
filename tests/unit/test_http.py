from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import os
import re
import ssl
import sys
import time
import traceback
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

import pepay_core.http
from pepay_core import __version__
from pepay_core.domain.errors import EgressRefused, InvalidInput, Refused, Unavailable
from pepay_core.egress import allowed
from pepay_core.http import AiohttpClient
from pepay_core.testing.receiver import HUGE, Answer, Receiver

KEY = "0123456789abcdef"


@pytest.fixture
async def http():
    async with AiohttpClient() as http:
        yield http


@pytest.fixture
async def private():
    async with AiohttpClient(allow_private=True) as http:
        yield http


@pytest.fixture
async def receiver():
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def connects(monkeypatch):
    """Every address that the event loop is asked to connect to; nothing is connected."""
    seen = []

    async def refuse(sock, address):
        seen.append(address[0])
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", refuse)
    return seen


@dataclass
class Keeping:
    """Answers each request of a connection; with ``closing`` it closes one at its second request, and ``rude``, at its first."""

    answer: bytes
    port: int = 0
    connections: int = 0
    closing: bool = False
    rude: bool = False

    async def serve(self, reader, writer):
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            for number in itertools.count():
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(re.search(rb"(?i)content-length: (\d+)", head)[1]))
                if self.rude or (self.closing and number):
                    break
                writer.write(self.answer)
        writer.close()


@asynccontextmanager
async def keeping_server(answer=b"HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n"):
    keeping = Keeping(answer)
    server = await asyncio.start_server(keeping.serve, "127.0.0.1", 0)
    keeping.port = server.sockets[0].getsockname()[1]
    try:
        yield keeping
    finally:
        server.close()


@asynccontextmanager
async def raw_server(*scripts, tls=None):
    """Answer the first connections with these bytes, the rest with the last; None hangs up. Yields the port and the connection count."""
    count = [0]

    async def serve(reader, writer):
        script = scripts[min(count[0], len(scripts) - 1)]
        count[0] += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            if script is not None:
                writer.write(script)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], count


def resolving(*answers):
    """Return a resolver that gives these answers in turn, for ever."""
    calls = [0]

    async def resolve(host, port):
        answer = answers[calls[0] % len(answers)]
        calls[0] += 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    resolve.calls = calls
    return resolve


# --- what every call keeps ------------------------------------------------------------


async def test_an_answer_comes_with_status_headers_and_body(http, receiver):
    receiver.answer(Answer(418, b'{"a":1.10}', {"X-Kind": "tea"}))
    answer = await http.get(receiver.url_of("/pot?x=1"), headers={"X-Want": "tea"})
    assert (answer.status, answer.headers["x-kind"], str(answer.json()["a"])) == (418, "tea", "1.10")
    (request,) = receiver.requests
    assert (request.method, request.path, request.headers["x-want"]) == ("GET", "/pot?x=1", "tea")
    assert request.headers["user-agent"] == f"PePay/{__version__}"


async def test_a_post_sends_the_bytes_as_they_are(http, receiver):
    await http.post(receiver.url, b'{ "a" : 1 }', headers={"Content-Type": "application/json"})
    (request,) = receiver.requests
    assert (request.method, request.body, request.headers["content-type"]) == ("POST", b'{ "a" : 1 }', "application/json")


async def test_user_and_password_in_an_operators_url_are_sent_as_credentials(http, receiver):
    await http.get(receiver.url.replace("http://", "http://user:pass@"))
    assert receiver.requests[0].headers["authorization"] == "Basic dXNlcjpwYXNz"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_call_follows_a_redirect(http, private, receiver, status):
    receiver.answer(Answer(status, headers={"Location": receiver.url_of("/elsewhere")}))
    for answer in (await http.get(receiver.url), await http.post(receiver.url, b""), await private.post_public(receiver.url, b"")):
        assert answer.status == status
    assert {request.path for request in receiver.requests} == {"/hook"}


async def test_cookies_are_not_kept(http, receiver):
    receiver.answer(Answer(200, headers={"Set-Cookie": "session=1; Path=/"}))
    await http.get(receiver.url)
    await http.get(receiver.url)
    assert all("cookie" not in request.headers for request in receiver.requests)


async def test_proxy_settings_of_the_environment_are_not_read(http, private, receiver, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await http.get(receiver.url)).status == 200
    assert (await private.post_public(receiver.url, b"")).status == 200


async def test_a_get_is_tried_once_more_when_the_connection_fails(http):
    async with raw_server(None, b"HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok") as (port, count):
        assert (await http.get(f"http://127.0.0.1:{port}/")).body == b"ok"
        assert count == [2]


async def test_a_get_is_not_tried_a_third_time(http):
    async with raw_server(None) as (port, count):
        with pytest.raises(Unavailable):
            await http.get(f"http://127.0.0.1:{port}/")
        assert count == [2]


async def test_a_get_that_cannot_connect_is_tried_once_more(http, connects):
    with pytest.raises(Unavailable):
        await http.get("http://127.0.0.1:9/")
    assert connects == ["127.0.0.1"] * 2


@pytest.mark.parametrize("call", ["post", "post_public"])
async def test_a_post_is_never_tried_again(private, call):
    async with raw_server(None) as (port, count):
        with pytest.raises(Unavailable):
            await getattr(private, call)(f"http://127.0.0.1:{port}/", b"{}")
        assert count == [1]


async def test_an_error_status_is_the_callers_to_judge(http, receiver):
    receiver.answer(503)
    assert (await http.get(receiver.url)).status == 503
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("answer", [Answer(silent=True), Answer(trickle=True)])
@pytest.mark.parametrize("call", ["get", "post", "post_public"])
async def test_the_deadline_is_for_the_whole_call(private, receiver, call, answer):
    receiver.answer(answer)
    started = time.monotonic()
    with pytest.raises(Unavailable, match=r"did not answer within 0\.2 s"):
        await getattr(private, call)(receiver.url, *([] if call == "get" else [b""]), timeout=0.2)
    assert time.monotonic() - started < 2


async def test_the_deadline_covers_both_tries_of_a_get(http):
    async with raw_server(None, b"") as (port, _):
        started = time.monotonic()
        with pytest.raises(Unavailable):
            await http.get(f"http://127.0.0.1:{port}/", timeout=0.5)
        assert time.monotonic() - started < 2


@pytest.mark.parametrize("answer", [Answer(200, b"x" * 1001), Answer(200, flood=True)])
async def test_an_answer_over_the_limit_is_unavailable(http, receiver, answer):
    receiver.answer(answer)
    with pytest.raises(Unavailable, match="more than 1000 bytes"):
        await http.get(receiver.url, limit=1000)
    with pytest.raises(Unavailable, match="more than 1000 bytes"):
        await http.post(receiver.url, b"", limit=1000)
    assert receiver.sent < HUGE


async def test_an_answer_of_exactly_the_limit_is_whole(http, receiver):
    receiver.answer(Answer(200, b"x" * 1000))
    assert (await http.get(receiver.url, limit=1000)).body == b"x" * 1000


async def test_a_compressed_answer_is_unpacked_and_counted_unpacked(http, receiver):
    receiver.answer(Answer(200, gzip.compress(b"x" * 5000), {"Content-Encoding": "gzip"}))
    assert (await http.get(receiver.url, limit=5000)).body == b"x" * 5000
    receiver.answer(Answer(200, gzip.compress(bytes(50_000_000)), {"Content-Encoding": "gzip"}))
    with pytest.raises(Unavailable, match="more than 100000 bytes"):
        await http.get(receiver.url, limit=100_000)


async def test_a_header_without_end_is_unavailable(http):
    async with raw_server(b"HTTP/1.1 200 \r\nx: " + b"y" * 100_000 + b"\r\n\r\n") as (port, _):
        with pytest.raises(Unavailable):
            await http.get(f"http://127.0.0.1:{port}/")


async def test_a_cancelled_call_stays_cancelled(http, receiver):
    receiver.answer(Answer(silent=True))
    task = asyncio.ensure_future(http.get(receiver.url))
    await receiver.wait_for(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_closed_client_cannot_be_used_again():
    async with AiohttpClient() as http:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        await http.get("http://127.0.0.1:1/")


# --- errors hold no key ------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [None, b"garbage\r\n\r\n", b"HTTP/1.1 200 \r\nbad header\r\n\r\n", b"HTTP/1.1 200 \r\ncontent-length: 9\r\n\r\nshort", b"HTTP/9.9 x\r\n\r\n"],
)
async def test_what_goes_wrong_is_told_without_path_query_and_password(private, script):
    async with raw_server(script) as (port, _):
        for call in (private.get, lambda url: private.post(url, b"{}")):
            with pytest.raises(Unavailable) as caught:
                await call(f"http://user:{KEY}@127.0.0.1:{port}/v3/{KEY}?key={KEY}")
            assert KEY not in "".join(traceback.format_exception(caught.value))
            assert f"http://127.0.0.1:{port}" in str(caught.value)
        with pytest.raises(Unavailable) as caught:
            await private.post_public(f"http://127.0.0.1:{port}/v3/{KEY}?key={KEY}", b"{}")
        assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("url", [f"ftp://rpc.example/{KEY}", f"/{KEY}", f"http:///{KEY}", f"http://[{KEY}", f"http://rpc.example:99999/{KEY}"])
async def test_what_is_no_url_is_told_without_repeating_it(http, url):
    with pytest.raises(InvalidInput) as caught:
        await http.get(url)
    assert KEY not in "".join(traceback.format_exception(caught.value))


async def test_a_name_that_does_not_exist_is_told_as_such():
    async with AiohttpClient(resolver=resolving(OSError("no such name"))) as http:
        with pytest.raises(Unavailable, match=r"^https://shop\.example: the host name does not resolve$"):
            await http.post_public(f"https://shop.example/{KEY}", b"")


# --- URLs that users give ------------------------------------------------------------------


async def test_a_loopback_server_is_refused_unless_private_addresses_are_allowed(http, private, receiver):
    for url in (receiver.url, receiver.url.replace("127.0.0.1", "127.1"), receiver.url.replace("127.0.0.1", "[::ffff:127.0.0.1]")):
        with pytest.raises(EgressRefused):
            await http.post_public(url, b"{}")
        with pytest.raises(EgressRefused):
            await http.check_public(url)
    assert not receiver.requests
    await private.check_public(receiver.url)
    assert (await private.post_public(receiver.url, b"{}")).status == 200
    assert (await private.post_public(receiver.url.replace("127.0.0.1", "127.1"), b"{}")).status == 200
    assert len(receiver.requests) == 2


async def test_a_real_name_of_this_machine_is_reached_in_development_only(private, http, receiver):
    url = receiver.url.replace("127.0.0.1", "localhost")
    assert (await private.post_public(url, b"{}")).status == 200
    with pytest.raises(EgressRefused):
        await http.post_public(url, b"{}")
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.0.0.1"], ["8.8.8.8", "169.254.169.254"], ["::1"], ["2606:4700::1111", "fd00::1"], ["fe80::1%eth0"], ["::ffff:8.8.8.8"], []],
)
async def test_every_address_of_a_name_must_be_public(connects, addresses):
    async with AiohttpClient(resolver=resolving(addresses)) as http:
        with pytest.raises(EgressRefused):
            await http.check_public("https://shop.example/")
        with pytest.raises(EgressRefused):
            await http.post_public("https://shop.example/", b"{}")
    assert connects == []


async def test_the_checked_address_is_the_one_that_is_connected_to(connects):
    async with AiohttpClient(resolver=resolving(["93.184.216.34"])) as http:
        with pytest.raises(Unavailable, match="Connection refused"):
            await http.post_public("https://shop.example/", b"{}")
    assert connects == ["93.184.216.34"]


async def test_a_name_that_changes_its_address_never_leads_to_a_private_one(connects):
    answers = [["93.184.216.34"], ["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["1.1.1.1", "2606:4700::1111"], ["169.254.169.254"]]
    refused = 0
    async with AiohttpClient(resolver=resolving(*answers)) as http:
        for attempt in range(2000):
            try:
                if attempt % 2:
                    await http.check_public("http://rebind.example/")
                await http.post_public("http://rebind.example/", b"{}")
            except EgressRefused:
                refused += 1
            except Unavailable:
                pass
    assert refused >= 500
    assert len(connects) >= 500
    assert all(map(allowed, connects))


async def test_the_socket_itself_is_the_last_gate(http, receiver):
    session = http._for_users()
    with pytest.raises(EgressRefused):
        await session.post(receiver.url)
    assert not receiver.requests


async def test_each_attempt_resolves_anew(connects):
    resolver = resolving(["1.1.1.1"])
    async with AiohttpClient(resolver=resolver) as http:
        for _ in range(3):
            with pytest.raises(Unavailable):
                await http.post_public("http://shop.example/", b"{}")
    assert resolver.calls == [3]
    assert connects == ["1.1.1.1"] * 3


async def test_a_connection_serves_one_host_and_port_again(private):
    async with keeping_server() as one, keeping_server() as other:
        for port in (one.port, one.port, other.port, one.port):
            await private.post_public(f"http://127.0.0.1:{port}/", b"{}")
        assert (one.connections, other.connections) == (1, 1)


async def test_a_connection_that_was_closed_while_it_was_kept_costs_no_attempt(private):
    async with keeping_server() as server:
        for number in range(3):
            answer = await private.post_public(f"http://127.0.0.1:{server.port}/", b"{}")
            assert (answer.status, server.connections) == (200, number + 1)
            # The other side closes at the moment of the next request: whoever sends it cannot know.
            server.closing = True


async def test_who_closes_every_connection_at_once_is_asked_once(private):
    async with keeping_server() as server:
        server.closing = True
        server.rude = True
        with pytest.raises(Unavailable, match="closed before the answer"):
            await private.post_public(f"http://127.0.0.1:{server.port}/", b"{}")
        assert server.connections == 1


async def test_what_is_sent_ahead_of_a_request_is_no_answer_to_it(private):
    async with keeping_server(b"HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\nHTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n") as server:
        answers = [await private.post_public(f"http://127.0.0.1:{server.port}/", b"{}") for _ in range(2)]
        assert [each.status for each in answers] == [200, 200]


async def test_a_long_answer_is_cut_off_and_its_status_kept(private, receiver):
    receiver.answer(Answer(200, flood=True))
    answer = await private.post_public(receiver.url, b"{}", limit=1000)
    assert (answer.status, answer.body) == (200, b"x" * 1000)
    assert receiver.sent < HUGE


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "gzip, gzip", "x-unknown"])
async def test_a_compressed_answer_is_left_unread_and_its_status_kept(private, receiver, encoding):
    receiver.answer(Answer(200, gzip.compress(bytes(1_000_000)), {"Content-Encoding": encoding}))
    answer = await private.post_public(receiver.url, b"{}")
    assert (answer.status, answer.body) == (200, b"")
    assert receiver.requests[0].headers["accept-encoding"] == "identity"


async def test_a_name_server_that_stalls_is_left_at_the_deadline():
    async def stall(host, port):
        await asyncio.Event().wait()

    async with AiohttpClient(resolver=stall) as http:
        with pytest.raises(Unavailable, match="did not answer"):
            await http.post_public("https://shop.example/", b"{}", timeout=0.1)


async def test_a_name_that_does_not_resolve_yet_can_be_registered(monkeypatch):
    async def stall(host, port):
        await asyncio.Event().wait()

    monkeypatch.setattr(pepay_core.http, "_LOOKUP_SECONDS", 0.05)
    for resolver in (resolving(OSError("no such name")), stall):
        async with AiohttpClient(resolver=resolver) as http:
            assert await http.check_public("https://shop.example/") is None


@pytest.mark.parametrize("url", ["", "shop.example", "ftp://shop.example", "http://user@shop.example", "http://shop.example:22", "http://localhost"])
async def test_what_can_never_be_reached_is_refused_before_any_lookup(connects, url):
    resolver = resolving(["1.1.1.1"])
    async with AiohttpClient(resolver=resolver) as http:
        with pytest.raises(Refused):
            await http.check_public(url)
        with pytest.raises(Refused):
            await http.post_public(url, b"")
    assert resolver.calls == [0]
    assert connects == []


async def test_the_tls_name_is_the_host_of_the_url_and_the_certificate_is_checked(tmp_path):
    asked = []
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(self_signed("shop.example", tmp_path / "cert.pem"))
    tls.sni_callback = lambda _socket, name, _context: asked.append(name)
    async with (
        raw_server(b"HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n", tls=tls) as (port, _),
        AiohttpClient(allow_private=True, resolver=resolving(["127.0.0.1"])) as http,
    ):
        with pytest.raises(Unavailable, match="TLS certificate is not valid"):
            await http.post_public(f"https://shop.example:{port}/", b"{}")
    assert asked == ["shop.example"]


async def test_a_trusted_certificate_serves_its_own_name_and_no_other(tmp_path):
    certificate = self_signed("shop.example", tmp_path / "cert.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    async with raw_server(b"HTTP/1.1 204 \r\n\r\n", tls=tls) as (port, _):
        # Which certificates are trusted is read when aiohttp is imported, hence a process of its own.
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", POST_TO_TWO_NAMES, str(port), env={**os.environ, "SSL_CERT_FILE": str(certificate)}, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await asyncio.wait_for(process.communicate(), 30)
    first, second = output.decode().splitlines()
    assert first == "204"
    assert "TLS certificate is not valid" in second


POST_TO_TWO_NAMES = """
import asyncio, sys
from pepay_core.domain.errors import Unavailable
from pepay_core.http import AiohttpClient

async def resolve(host, port):
    return ["127.0.0.1"]

async def main():
    async with AiohttpClient(allow_private=True, resolver=resolve) as http:
        for name in ("shop.example", "other.example"):
            try:
                print((await http.post_public(f"https://{name}:{sys.argv[1]}/", b"{}")).status)
            except Unavailable as exc:
                print(exc)

asyncio.run(main())
"""


def self_signed(name, path):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), now - timedelta(1), now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True)
        .sign(key, hashes.SHA256())
    )
    private_key = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private_key + certificate.public_bytes(serialization.Encoding.PEM))
    return path
