"""Whose address a request comes from: the peer's, unless the peer is a proxy of ours."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from pepay_core.web.asgi.facts import facts

if TYPE_CHECKING:
    from collections.abc import Collection
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send


def addressing(app: ASGIApp, trusted_proxies: Collection[str] = ()) -> ASGIApp:
    """Note the client's address: the right-most hop of ``X-Forwarded-For`` that is not a trusted proxy, as far as proxies are trusted."""
    trusted = [ip_network(each, strict=False) for each in trusted_proxies]

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            facts(scope).address = _client(scope, trusted)
        await app(scope, receive, send)

    return layer


def _client(scope: HTTPScope, trusted: Collection[IPv4Network | IPv6Network]) -> str:
    client = scope.get("client")
    peer = client[0] if client else ""
    address = _parsed(peer)
    if address is None or not any(address in network for network in trusted):
        return peer
    forwarded = ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for")
    for hop in reversed(forwarded.split(",")):
        found = _parsed(hop.strip())
        if found is None:
            # What stands left of something unreadable was written by nobody we know.
            break
        address = found
        if not any(found in network for network in trusted):
            break
    return str(address)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
