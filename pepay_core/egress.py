"""Where a URL that a user gave may lead: to public addresses, and nowhere into the network that PePay runs in.

``check_url`` reads the URL once and judges what it says; ``check_addresses`` judges what its host name resolves to; whoever
connects asks ``allowed`` once more about the very address of the socket. The table is our own, because ``ipaddress.is_global``
differs between Python versions and lets multicast and several IPv6 ranges through that carry an IPv4 address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from pepay_core.domain.errors import EgressRefused, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_URL: Final = 2048
"""Characters."""

# IANA's special-purpose registries, and what clouds keep behind addresses that look public.
_REFUSED_V4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared by carriers; metadata of Alibaba Cloud
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # the host of an Azure machine
            "169.254.0.0/16",  # link-local; metadata of most clouds
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments; metadata of Oracle Cloud
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112: answered by the nearest network, which may be our own
            "192.52.193.0/24",  # multicast tunnels, likewise
            "192.88.99.0/24",  # 6to4 relays, likewise
            "192.168.0.0/16",  # private
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_REFUSED_V6: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, which carries any IPv4 address
            "2620:4f:8000::/48",  # AS112
            "3ffe::/16",  # the 6bone, handed back
            "3fff::/20",  # documentation
        ),
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")

# Names that by definition mean this machine or this network.
_LOCAL_NAMES: Final = ("localhost", "local", "internal", "home.arpa")

_AUTHORITY: Final = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]*)(?::(?P<port>[0-9]{1,5}))?")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"0[xX](?P<hex>[0-9a-fA-F]*)|0(?P<octal>[0-7]+)|(?P<decimal>0|[1-9][0-9]*)")
_NUMBER_LIKE: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
# Letters that the two generations of international domain names turn into different names.
_AMBIGUOUS: Final = frozenset("\u00df\u1e9e\u03c2\u200c\u200d")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_URL_SAFE: Final = "%/?:@!$&'()*+,;=-._~"


@dataclass(frozen=True, slots=True)
class ParsedTarget:
    """What a URL says, in the one spelling that is used from then on. ``address`` is set when the host is an IP address."""

    url: str
    scheme: str
    host: str
    port: int
    address: IPv4Address | IPv6Address | None


def allowed(ip: str | IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is a public unicast one; an IPv6 address behind NAT64 is judged by the IPv4 address inside."""
    try:
        address = ip_address(ip) if isinstance(ip, str) else ip
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return allowed(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _GLOBAL_V6 and not any(address in network for network in _REFUSED_V6)


def check_url(url: str, *, allow_private: bool = False) -> ParsedTarget:
    """Return what a URL says; raises InvalidInput when it is no usable HTTP URL, EgressRefused when it leads where it must not."""
    if not url or len(url) > MAX_URL:
        raise InvalidInput(f"a URL has 1 to {MAX_URL} characters", field="url")
    if any(char.isspace() or not char.isprintable() or char == "\\" for char in url):
        raise InvalidInput("a URL has no spaces, control characters or backslashes", field="url")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidInput("not a URL", field="url") from None
    default_port = _DEFAULT_PORTS.get(parts.scheme)
    if default_port is None or not url[len(parts.scheme) :].startswith("://"):
        raise InvalidInput("a URL starts with https:// or http://", field="url")
    if "@" in parts.netloc:
        raise InvalidInput("a URL has no user name or password", field="url")
    match = _AUTHORITY.fullmatch(parts.netloc)
    if match is None or not match["host"]:
        raise InvalidInput("the URL's host is not a host name or IP address", field="url")
    port = int(match["port"]) if match["port"] else default_port
    if not 1 <= port <= 65535:
        raise InvalidInput("a port is between 1 and 65535", field="url")
    host, address = _parse_host(match["host"])
    if port < 1024 and port not in _DEFAULT_PORTS.values():
        raise EgressRefused(f"port {port} belongs to another service; use 80, 443, or 1024 and above", field="url")
    if address is not None:
        check_addresses([str(address)], allow_private=allow_private)
    elif not allow_private and _is_local_name(host):
        raise EgressRefused(f"{host} is a name in a private network", field="url")
    authority = f"{host}:{port}" if port != default_port else host
    rest = quote(parts.path or "/", safe=_URL_SAFE) + (f"?{quote(parts.query, safe=_URL_SAFE)}" if parts.query else "")
    return ParsedTarget(f"{parts.scheme}://{authority}{rest}", parts.scheme, host.strip("[]"), port, address)


def check_addresses(addresses: Sequence[str], *, allow_private: bool = False) -> None:
    """Raise EgressRefused unless there are addresses and every one of them is public."""
    if not addresses or not (allow_private or all(map(allowed, addresses))):
        raise EgressRefused("the URL leads to an address that is not public", field="url")


def origin(url: str) -> str:
    """Return the scheme, host and port of a URL: the part that holds no key and may be shown."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "the URL"
    if not host:
        return "the URL"
    authority = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{authority}" + (f":{port}" if port else "")


def _is_local_name(host: str) -> bool:
    return "." not in host or any(host == name or host.endswith(f".{name}") for name in _LOCAL_NAMES)


def _parse_host(text: str) -> tuple[str, IPv4Address | IPv6Address | None]:
    if text.startswith("["):
        try:
            address = IPv6Address(text[1:-1])
        except ValueError:
            raise InvalidInput("not an IPv6 address", field="url") from None
        if address.scope_id is not None:
            raise InvalidInput("an IPv6 address in a URL has no zone", field="url")
        return f"[{address}]", address
    host = _to_ascii(text).lower().removesuffix(".")
    labels = host.split(".")
    if _NUMBER_LIKE.fullmatch(labels[-1]):
        v4 = _parse_ipv4(labels)
        return str(v4), v4
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise InvalidInput("the URL's host is not a host name or IP address", field="url")
    return host, None


def _to_ascii(host: str) -> str:
    if host.isascii():
        return host
    if len(host) > 253 or not _AMBIGUOUS.isdisjoint(host):
        raise InvalidInput("write this host name in its ASCII form, which starts with xn--", field="url")
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        raise InvalidInput("the URL's host is not a host name", field="url") from None


def _parse_ipv4(labels: Sequence[str]) -> IPv4Address:
    """Read every spelling that a C library takes for an IPv4 address: one to four decimal, octal or hexadecimal numbers, the last fills the rest."""
    numbers = []
    for label in labels:
        match = _NUMBER.fullmatch(label)
        if match is None:
            break
        if match["hex"] is not None:
            numbers.append(int(match["hex"] or "0", 16))
        else:
            numbers.append(int(match["octal"], 8) if match["octal"] else int(match["decimal"]))
    *leading, last = numbers if len(numbers) == len(labels) <= 4 else [-1]
    if not 0 <= last < 256 ** (4 - len(leading)) or any(number > 255 for number in leading):
        raise InvalidInput("not an IPv4 address", field="url")
    return IPv4Address(sum(number << 8 * (3 - place) for place, number in enumerate(leading)) + last)
