"""The one HTTP client: every call has a deadline and a size limit, and what users name is reached at public addresses only."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from pepay_core import __version__
from pepay_core.contracts.context import HttpResponse
from pepay_core.domain.errors import EgressRefused, InvalidInput, Unavailable
from pepay_core.egress import allowed, check_addresses, check_url, origin

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from types import TracebackType

    from pepay_core.egress import ParsedTarget

    Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
    """Returns the IP addresses of a host name, or raises OSError; the number is the port."""

USER_AGENT: Final = f"PePay/{__version__}"
_LOOKUP_SECONDS: Final = 5
_HEADER_BYTES: Final = 8190
_CLOSING_SECONDS: Final = 2
_WHOLE_BYTES: Final = 500_000
_SPARE_BYTES: Final = 524_288
"""What a server that a user named may send for one request besides the body that is wanted: heads, and what was sent before it was stopped."""


class AiohttpClient:
    """Implements ``Http``. Use it as ``async with AiohttpClient() as http``; connections are opened when they are needed.

    ``allow_private`` lets ``post_public`` reach private addresses, for development; the other rules for URLs stay. ``resolver``
    replaces the operating system's name lookup for URLs that users gave.
    """

    def __init__(self, *, allow_private: bool = False, resolver: Resolver | None = None) -> None:
        self._allow_private = allow_private
        self._resolver = resolver or self._system_resolver
        self._threads: ThreadPoolExecutor | None = None
        self._trusted: aiohttp.ClientSession | None = None
        self._public: aiohttp.ClientSession | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; the client cannot be used again."""
        self._closed = True
        for session in (self._trusted, self._public):
            if session is not None:
                await session.close()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 10, limit: int = 4_000_000) -> HttpResponse:
        """GET a URL that the operator gave; tried once more, within the same deadline, when the connection fails."""
        return await self._call(self._for_operators(), _Request("GET", url, None, headers, timeout, limit, tries=2))

    async def post(
        self, url: str, body: bytes, *, headers: Mapping[str, str] | None = None, timeout: float = 10, limit: int = 16_000_000
    ) -> HttpResponse:
        """POST bytes to a URL that the operator gave; never retried here."""
        return await self._call(self._for_operators(), _Request("POST", url, body, headers, timeout, limit))

    async def post_public(
        self, url: str, body: bytes, *, headers: Mapping[str, str] | None = None, timeout: float = 10, limit: int = 16_384
    ) -> HttpResponse:
        """POST to a URL that a user gave; raises EgressRefused when it leads to an address that is not public.

        The answer's status is what counts here, so a longer body is cut off at ``limit``, and a compressed one is left unread.
        """
        target = check_url(url, allow_private=self._allow_private)
        exact = URL(target.url, encoded=True)
        if (exact.scheme, exact.raw_host, exact.port) != (target.scheme, target.host, target.port):
            raise InvalidInput("the URL can be read in two ways", field="url")
        plain = {**(headers or {}), "Accept-Encoding": "identity"}
        request = _Request("POST", exact, body, plain, timeout, limit, cut=True, target=target)
        return await self._call(self._for_users(), request)

    async def check_public(self, url: str) -> None:
        """Raise InvalidInput or EgressRefused when ``post_public`` could never go there; a name that does not resolve yet passes."""
        target = check_url(url, allow_private=self._allow_private)
        if target.address is None:
            try:
                async with asyncio.timeout(_LOOKUP_SECONDS):
                    addresses = await self._resolver(target.host, target.port)
            except OSError:  # a TimeoutError is one
                return
            check_addresses(addresses, allow_private=self._allow_private)

    async def listen(
        self, url: str, first: bytes, *, headers: Mapping[str, str] | None = None, timeout: float = 10, silence: float = 60, limit: int = 1_000_000
    ) -> AsyncGenerator[bytes, None]:
        """Open a WebSocket to a URL that the operator gave, send one message, and yield every message that comes."""
        where = origin(url)
        patience = aiohttp.ClientWSTimeout(ws_receive=silence, ws_close=_CLOSING_SECONDS)  # pyright: ignore[reportCallIssue]  (made by attrs)
        try:
            async with asyncio.timeout(timeout):
                socket = await self._for_operators().ws_connect(url, headers=headers, timeout=patience, max_msg_size=limit)
            async with socket:
                await socket.send_str(first.decode())
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.ERROR:
                        break
                    if message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
                        yield message.data.encode() if isinstance(message.data, str) else message.data
        except TimeoutError:
            raise Unavailable(f"{where} says nothing any more") from None
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError):
            raise InvalidInput("not a WebSocket URL", field="url") from None
        except (aiohttp.ClientError, OSError) as exc:
            raise Unavailable(f"{where}: {_reason(exc)}") from None

    @contextlib.asynccontextmanager
    async def follow(
        self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 10, silence: float = 60, limit: int = 4_000_000
    ) -> AsyncIterator[Following]:
        """GET an answer of a URL that the operator gave that goes on for as long as both sides like; raises Unavailable when it breaks off.

        ``timeout`` is for its beginning, ``silence`` for how long nothing may come, ``limit`` for the bytes of a line.
        """
        where = origin(url)
        patience = aiohttp.ClientTimeout(total=None, sock_connect=timeout, sock_read=silence)
        plain = {**(headers or {}), "Accept-Encoding": "identity"}
        try:
            async with asyncio.timeout(timeout) as beginning:
                async with self._for_operators().get(url, headers=plain, timeout=patience, allow_redirects=False) as answer:
                    beginning.reschedule(None)
                    yield Following(answer, limit)
        except TimeoutError:
            raise Unavailable(f"{where} says nothing any more") from None
        except _TooLarge:
            raise Unavailable(f"{where} sent a line of more than {limit} bytes") from None
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError):
            raise InvalidInput("not an HTTP URL", field="url") from None
        except (aiohttp.ClientError, OSError) as exc:
            raise Unavailable(f"{where}: {_reason(exc)}") from None

    async def _call(self, session: aiohttp.ClientSession, request: _Request) -> HttpResponse:
        # aiohttp's errors quote the URL, and a URL may hold a key: they are neither repeated nor chained.
        where = origin(str(request.url))
        try:
            async with asyncio.timeout(request.timeout):
                *others, last = await self._ways(request)
                for each in others:
                    with contextlib.suppress(aiohttp.ClientConnectorError):  # aiohttp itself repeats a GET whose connection breaks later
                        return await _sent(session, each)
                return await _sent(session, last)
        except TimeoutError:
            raise Unavailable(f"{where} did not answer within {request.timeout:g} s") from None
        except _TooLarge:
            raise Unavailable(f"{where} answered with more than {request.limit} bytes") from None
        except _Endless:
            raise Unavailable(f"{where} sent more than {_SPARE_BYTES} bytes that are no answer") from None
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            raise InvalidInput("not an HTTP URL", field="url") from None
        except (aiohttp.ClientError, OSError) as exc:
            raise Unavailable(f"{where}: {_reason(exc)}") from None

    async def _ways(self, request: _Request) -> list[_Request]:
        """Return what to try in turn. Where a user named the host, that is every address which the name has now, and all of them were judged.

        Connections that are kept are kept by address, so none is taken for a name that leads elsewhere by now.
        """
        target = request.target
        if target is None:
            return [request] * request.tries
        if target.address is not None:
            return [request]
        try:
            addresses = await self._resolver(target.host, target.port)
        except TimeoutError:
            raise
        except OSError:
            raise Unavailable(f"{origin(target.url)}: the host name does not resolve") from None
        check_addresses(addresses, allow_private=self._allow_private)
        return [request.at(address, target) for address in addresses]

    def _for_operators(self) -> aiohttp.ClientSession:
        if self._trusted is None:
            # Idle for less long than common servers allow, so that a POST seldom meets a connection that was just closed.
            connector = aiohttp.TCPConnector(limit=64, limit_per_host=16, keepalive_timeout=10)
            self._trusted = self._open(connector, auto_decompress=True)
        return self._trusted

    def _for_users(self) -> aiohttp.ClientSession:
        if self._public is None:
            connector = _Rationing(
                socket_factory=self._open_socket,
                keepalive_timeout=10,
                happy_eyeballs_delay=None,
                limit=128,
                limit_per_host=16,
            )
            self._public = self._open(connector, auto_decompress=False)
        return self._public

    def _open(self, connector: aiohttp.TCPConnector, *, auto_decompress: bool) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("the HTTP client is closed")
        watching = aiohttp.TraceConfig()
        watching.on_connection_reuseconn.append(_noted)
        return aiohttp.ClientSession(
            connector=connector,
            trace_configs=[watching],
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": USER_AGENT},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            trust_env=False,
            auto_decompress=auto_decompress,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
        )

    def _open_socket(self, info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        # Every connection passes here, whatever was judged before.
        family, kind, protocol, _, address = info
        if not self._allow_private and not allowed(address[0]):
            raise EgressRefused("the URL leads to an address that is not public", field="url")
        return socket.socket(family, kind, protocol)

    async def _system_resolver(self, host: str, port: int) -> Sequence[str]:
        if self._threads is None:
            # Threads of its own: a user's name server that stalls must not hold up the lookups of everybody else.
            self._threads = ThreadPoolExecutor(64, "pepay-egress")
        found = await asyncio.get_running_loop().run_in_executor(self._threads, _getaddrinfo, host, port)
        return list(dict.fromkeys(str(info[4][0]) for info in found))


class Following:
    """An answer that goes on."""

    def __init__(self, answer: aiohttp.ClientResponse, limit: int) -> None:
        self._answer = answer
        self._limit = limit

    @property
    def status(self) -> int:
        """What was answered."""
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        """With what it began."""
        return self._answer.headers

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """Yield each line as it comes, without its end."""
        rest = b""
        async for chunk in self._answer.content.iter_any():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line.removesuffix(b"\r")
            if len(rest) > self._limit:
                raise _TooLarge
        if rest:
            yield rest


@dataclass(frozen=True, slots=True, repr=False)
class _Request:
    method: str
    url: str | URL
    body: bytes | None
    headers: Mapping[str, str] | None
    timeout: float
    limit: int
    tries: int = 1
    cut: bool = False
    target: ParsedTarget | None = None
    server: str | None = None
    """The name that a certificate must bear, where the URL has an address in its place."""

    def at(self, address: str, target: ParsedTarget) -> _Request:
        """Return the same request, sent to this address."""
        assert isinstance(self.url, URL)
        headers = {**(self.headers or {}), "Host": urlsplit(target.url).netloc}
        return replace(self, url=self.url.with_host(address), headers=headers, server=target.host)


@dataclass(slots=True)
class _Connection:
    """What a request was sent on: ``again`` tells that the connection had been used before."""

    again: bool = False


async def _noted(_session: aiohttp.ClientSession, context: Any, _: object) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.again = True


class _TooLarge(Exception):
    """The answer is larger than the caller allows."""


class _Endless(Exception):
    """More has come than an answer can be."""


class _Rationed(ResponseHandler):
    """A connection that is given up when more comes than one answer can be: informational answers and headers without end, answers to nothing."""

    left = _SPARE_BYTES

    def set_response_params(self, **params: Any) -> None:
        """Begin with another request."""
        self.left = _SPARE_BYTES
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        self.left -= len(data)
        if self.left >= 0:
            super().data_received(data)
        elif self.transport is not None:
            self.set_exception(_Endless())
            self.transport.abort()


class _Rationing(aiohttp.TCPConnector):
    """Makes such connections."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = functools.partial(_Rationed, loop=self._loop)


async def _sent(session: aiohttp.ClientSession, request: _Request) -> HttpResponse:
    while True:
        used = _Connection()
        try:
            return await _exchange(session, request, used)
        except (aiohttp.ServerDisconnectedError, ConnectionError):
            # The other side had closed a connection that was kept; one that is made for this request is no such thing.
            if not used.again:
                raise


async def _exchange(session: aiohttp.ClientSession, request: _Request, used: _Connection) -> HttpResponse:
    # What is large is sent in parts, so that nothing else has to wait for it.
    body = BytesIO(request.body) if request.body is not None and len(request.body) > _WHOLE_BYTES else request.body
    asked = session.request(
        request.method,
        request.url,
        data=body,
        headers=request.headers,
        allow_redirects=False,
        trace_request_ctx=used,
        server_hostname=request.server,
    )
    async with asked as answer:
        if answer.connection is not None and isinstance(answer.connection.protocol, _Rationed):
            answer.connection.protocol.left += request.limit
        if request.cut and answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            answer.close()
            return HttpResponse(answer.status, answer.headers, b"")
        content = bytearray()
        async for chunk in answer.content.iter_any():
            content += chunk
            if len(content) > request.limit:
                answer.close()
                if not request.cut:
                    raise _TooLarge
                break
        return HttpResponse(answer.status, answer.headers, bytes(content[: request.limit]))


def _reason(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "the host name does not resolve"
        case aiohttp.ClientConnectorCertificateError():
            return "the TLS certificate is not valid for this host"
        case aiohttp.ClientSSLError():
            return "no TLS connection can be made"
        case aiohttp.ClientConnectorError():
            return f"cannot connect ({os.strerror(error.errno) if error.errno else 'no address answers'})"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "the connection was closed before the answer"
        case aiohttp.ClientPayloadError():
            return "the answer broke off"
        case _:
            return f"the answer is not HTTP ({type(error).__name__})"


def _getaddrinfo(host: str, port: int) -> list[tuple[Any, ...]]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
