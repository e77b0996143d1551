"""Whose address a request comes from: the peer's, unless the peer is a proxy of ours."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final

from pepay_core.web.asgi.facts import facts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from ipaddress import IPv4Address, IPv4Network, IPv6Network

    from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

_MOST_HOPS: Final = 20
_MOST_COMMAS: Final = 2
# An address, in brackets where it is one of IPv6 with a port; what follows is the port.
_NODE: Final = re.compile(
    r"\[(?P<six>[0-9A-Fa-f:.]{2,45})\](:\d{1,5})?|(?P<four>\d{1,3}(\.\d{1,3}){3})(:\d{1,5})?|(?P<bare>[0-9A-Fa-f:.]{2,45})", re.ASCII
)
# One pair of an element of Forwarded (RFC 7239): a token, and a token or a quoted text.
_PAIR: Final = re.compile(r"\s*(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<token>[^\s\",;]*))\s*", re.ASCII)


def addressing(app: ASGIApp, trusted_proxies: Collection[str] = (), forwarded_header: str = "x-forwarded-for") -> ASGIApp:
    """Note the client's address: the right-most hop that is not a trusted proxy, as far as proxies are trusted.

    Of the two headers that tell hops, only the one that the proxies write is read: the other one comes from the client as it is.
    """
    trusted = [ip_network(each, strict=False) for each in trusted_proxies]
    hops = _from_forwarded if forwarded_header == "forwarded" else _from_list
    name = forwarded_header.encode()

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            facts(scope).address = _client(scope, name, hops, trusted)  # type: ignore[arg-type]
        await app(scope, receive, send)

    return layer


def _client(scope: HTTPScope, name: bytes, hops: object, trusted: Collection[IPv4Network | IPv6Network]) -> str:
    client = scope.get("client")
    peer = client[0] if client else ""
    address = _parsed(peer)
    if address is None:
        return peer
    if not _is_within(address, trusted):
        return str(address)
    written = ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)
    found: Iterator[str | None] = hops(written)  # type: ignore[operator]
    for _, hop in zip(range(_MOST_HOPS), found, strict=False):
        further = None if hop is None else _parsed(hop)
        if further is None:
            # What stands left of something unreadable was written by nobody we know.
            break
        address = further
        if not _is_within(further, trusted):
            break
    return str(address)


def _from_list(written: str) -> Iterator[str | None]:
    """Yield the hops of ``X-Forwarded-For``, the last one first."""
    yield from reversed([each.strip(" \t") for each in written.split(",")])


def _from_forwarded(written: str) -> Iterator[str | None]:
    """Yield the ``for`` of each element of ``Forwarded``, the last one first; None for one that has none, or cannot be read.

    Read from the right, so that an open quote that the client wrote cannot swallow what a proxy wrote after it.
    """
    pieces = written.split(",")
    while pieces:
        # A comma within quotes ends no element.
        for taken in range(1, _MOST_COMMAS + 2):
            element = ",".join(pieces[-taken:])
            if pairs := _pairs(element):
                del pieces[-taken:]
                yield pairs.get("for")
                break
        else:
            yield None
            return


def _pairs(element: str) -> dict[str, str]:
    """Return the pairs of an element by their lower-case names; none when it is not one, or has a name twice."""
    found: dict[str, str] = {}
    at = 0
    while match := _PAIR.match(element, at):
        name, quoted = match["name"].lower(), match["quoted"]
        if name in found:
            return {}
        found[name] = match["token"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        if match.end() == len(element):
            return found
        if element[match.end()] != ";":
            return {}
        at = match.end() + 1
    return {}


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address of a node, with or without a port; one of IPv4 that is written as IPv6 is the one of IPv4."""
    match = _NODE.fullmatch(text)
    if match is None:
        return None
    try:
        address = ip_address(match["six"] or match["four"] or match["bare"])
    except ValueError:
        return None
    if match["six"] and not isinstance(address, IPv6Address):
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_within(address: IPv4Address | IPv6Address, networks: Collection[IPv4Network | IPv6Network]) -> bool:
    return any(address in network for network in networks)
