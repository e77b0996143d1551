"""Whose address a request comes from, whatever the headers say."""

from __future__ import annotations

from collections import Counter

import pytest
from pydantic import ValidationError

from pepay_core.settings import ServerSettings
from pepay_core.web.asgi.addressing import addressing
from pepay_core.web.asgi.facts import facts

PROXY, CLIENT = "10.0.0.1", "203.0.113.7"
OURS = ("10.0.0.0/8", "fd00::/8")


async def address_of(peer, *lines, header="x-forwarded-for", others=(), trusted=OURS):
    seen = {}

    async def inner(scope, receive, send):
        seen.update(scope)

    headers = [*others, *((header.encode(), line.encode("latin-1")) for line in lines)]
    scope = {"type": "http", "headers": headers, "client": (peer, 1) if peer is not None else None}
    await addressing(inner, trusted, header)(scope, None, None)
    return facts(seen).address


LISTED = [
    # Who is no proxy of ours is believed in nothing.
    (CLIENT, [], CLIENT),
    (CLIENT, ["198.51.100.1"], CLIENT),
    (CLIENT, ["127.0.0.1"], CLIENT),
    (CLIENT, ["10.0.0.9"], CLIENT),
    ("11.0.0.1", ["198.51.100.1"], "11.0.0.1"),
    ("2001:db8::5", ["198.51.100.1"], "2001:db8::5"),
    # A proxy of ours, with hops of which the client may have written those on the left.
    (PROXY, [], PROXY),
    (PROXY, [""], PROXY),
    (PROXY, ["198.51.100.1"], "198.51.100.1"),
    (PROXY, ["1.2.3.4, 198.51.100.1"], "198.51.100.1"),
    (PROXY, ["1.2.3.4,198.51.100.1"], "198.51.100.1"),
    (PROXY, ["1.2.3.4 ,\t198.51.100.1 "], "198.51.100.1"),
    (PROXY, ["127.0.0.1, 198.51.100.1"], "198.51.100.1"),
    (PROXY, ["10.0.0.9, 198.51.100.1"], "198.51.100.1"),
    (PROXY, ["1.2.3.4, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
    (PROXY, ["1.2.3.4, 198.51.100.1, 10.0.0.3, 10.0.0.2"], "198.51.100.1"),
    (PROXY, ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    (PROXY, ["1.2.3.4", "198.51.100.1"], "198.51.100.1"),
    (PROXY, ["198.51.100.1", "10.0.0.2"], "198.51.100.1"),
    ("fd00::1", ["198.51.100.1"], "198.51.100.1"),
    ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
    (PROXY, ["198.51.100.1, ::ffff:10.0.0.2"], "198.51.100.1"),
    # IPv6, ports, and both.
    (PROXY, ["2001:db8::1"], "2001:db8::1"),
    (PROXY, ["2001:DB8:0::1"], "2001:db8::1"),
    (PROXY, ["[2001:db8::1]"], "2001:db8::1"),
    (PROXY, ["[2001:db8::1]:4711"], "2001:db8::1"),
    (PROXY, ["198.51.100.1:4711"], "198.51.100.1"),
    (PROXY, ["::ffff:198.51.100.1"], "198.51.100.1"),
    (PROXY, ["198.51.100.1, fd00::2"], "198.51.100.1"),
    # What cannot be read ends the chain where it stands.
    (PROXY, ["1.2.3.4, rubbish, 10.0.0.2"], "10.0.0.2"),
    (PROXY, ["rubbish"], PROXY),
    (PROXY, ["unknown"], PROXY),
    (PROXY, ["198.51.100.1,"], PROXY),
    (PROXY, ["198.51.100.1, , 10.0.0.2"], "10.0.0.2"),
    (PROXY, ["198.51.100.256"], PROXY),
    (PROXY, ["198.51.100"], PROXY),
    (PROXY, ["0198.51.100.1"], PROXY),
    (PROXY, ["198.51.100.1:"], PROXY),
    (PROXY, ["198.51.100.1:80:80"], PROXY),
    (PROXY, ["[198.51.100.1]"], PROXY),
    (PROXY, ["2001:db8::1]:80"], PROXY),
    (PROXY, ["fe80::1%eth0"], PROXY),
    (PROXY, ["198.51.100.0/24"], PROXY),
    (PROXY, ["3325256705"], PROXY),
    (PROXY, ["0xc6336401"], PROXY),
    (PROXY, ['"198.51.100.1"'], PROXY),
    (PROXY, ["for=198.51.100.1"], PROXY),
    (PROXY, ["198.51.100.1;x"], PROXY),
    (PROXY, ["198.51.100.1\u00a0"], PROXY),
    (PROXY, ["\u00b2.2.2.2"], PROXY),
    (PROXY, ["1.2.3.4, " + "10.0.0.2, " * 300 + "10.0.0.2"], "10.0.0.2"),
]

WRITTEN = [
    (CLIENT, ["for=198.51.100.1"], CLIENT),
    (PROXY, ["for=198.51.100.1"], "198.51.100.1"),
    (PROXY, ["For=198.51.100.1;proto=https;by=10.0.0.1"], "198.51.100.1"),
    (PROXY, ["proto=https; for=198.51.100.1"], "198.51.100.1"),
    (PROXY, ["for=1.2.3.4, for=198.51.100.1"], "198.51.100.1"),
    (PROXY, ["for=1.2.3.4", "for=198.51.100.1;host=x"], "198.51.100.1"),
    (PROXY, ["for=198.51.100.1, for=10.0.0.2"], "198.51.100.1"),
    (PROXY, ['for="[2001:db8::1]:4711"'], "2001:db8::1"),
    (PROXY, ['for="198.51.100.1:4711"'], "198.51.100.1"),
    (PROXY, ['for=198.51.100.1;host="a,b;for=1.2.3.4"'], "198.51.100.1"),
    (PROXY, ['for="unterminated, for=198.51.100.1'], "198.51.100.1"),
    (PROXY, ['host="x, for=198.51.100.1'], "198.51.100.1"),
    (PROXY, ["for=unknown"], PROXY),
    (PROXY, ["for=_hidden"], PROXY),
    (PROXY, ["for=1.2.3.4, for=_hidden, for=10.0.0.2"], "10.0.0.2"),
    (PROXY, ["proto=https"], PROXY),
    (PROXY, ["for=198.51.100.1;for=1.2.3.4"], PROXY),
    (PROXY, ["198.51.100.1"], PROXY),
    (PROXY, ["for = 198.51.100.1"], PROXY),
    (PROXY, ['for="198.51.100.1'], PROXY),
    (PROXY, [""], PROXY),
    (PROXY, ['"' + "," * 5_000], PROXY),
]


def test_there_are_sixty_and_each_stands_once():
    assert len(LISTED) + len(WRITTEN) >= 60
    assert max(Counter(str(each) for each in (*LISTED, *(("forwarded", *each) for each in WRITTEN))).values()) == 1


@pytest.mark.parametrize(("peer", "lines", "address"), LISTED, ids=lambda value: str(value)[:60])
async def test_the_right_most_hop_that_is_no_proxy_of_ours_is_the_client(peer, lines, address):
    assert await address_of(peer, *lines) == address


@pytest.mark.parametrize(("peer", "lines", "address"), WRITTEN, ids=lambda value: str(value)[:60])
async def test_the_same_holds_for_the_standard_header(peer, lines, address):
    assert await address_of(peer, *lines, header="forwarded") == address


async def test_only_the_header_that_the_proxies_write_is_read():
    assert await address_of(PROXY, "198.51.100.1", others=[(b"forwarded", b"for=1.2.3.4")]) == "198.51.100.1"
    assert await address_of(PROXY, others=[(b"forwarded", b"for=1.2.3.4")]) == PROXY
    assert await address_of(PROXY, header="forwarded", others=[(b"x-forwarded-for", b"1.2.3.4"), (b"x-real-ip", b"1.2.3.4")]) == PROXY


async def test_without_proxies_no_header_counts_and_a_peer_without_an_address_has_none():
    assert await address_of(PROXY, "198.51.100.1", trusted=()) == PROXY
    assert await address_of(None, "198.51.100.1") == ""


@pytest.mark.parametrize("everybody", ["*", "0.0.0.0/0", "::/0", "1.2.3.4/0", ""])
def test_not_everybody_can_be_a_proxy(everybody):
    with pytest.raises(ValidationError):
        ServerSettings(trusted_proxies=(everybody,))
