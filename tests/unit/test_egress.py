# ruff: noqa: RUF001 (digits of other scripts are what is tested)
from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from url_vectors import NO_URLS, TO_PRIVATE
from yarl import URL

from pepay_core.domain.errors import EgressRefused, InvalidInput, Refused
from pepay_core.egress import allowed, check_addresses, check_url, origin

PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.8.8.8",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.9",
    "192.0.0.192",
    "192.0.0.255",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.88.99.3",
    "192.168.0.1",
    "192.168.255.255",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:3::1",
    "2001:10::1",
    "2001:20::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:808:808::1",
    "2620:4f:8000::1",
    "3ffe::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1111%eth0",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "",
    "localhost",
    "1.2.3",
    "08.8.8.8",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.0.3.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "3ffd::1",
    "64:ff9b::8.8.8.8",
]

GOOD = [
    ("https://shop.example/hook", "https://shop.example/hook", "shop.example", 443),
    ("HTTPS://Shop.Example", "https://shop.example/", "shop.example", 443),
    ("http://shop.example:80/", "http://shop.example/", "shop.example", 80),
    ("http://shop.example:443/", "http://shop.example:443/", "shop.example", 443),
    ("https://shop.example:8443/a?b=c", "https://shop.example:8443/a?b=c", "shop.example", 8443),
    ("https://shop.example:1024/", "https://shop.example:1024/", "shop.example", 1024),
    ("https://shop.example:65535/", "https://shop.example:65535/", "shop.example", 65535),
    ("https://shop.example./", "https://shop.example/", "shop.example", 443),
    ("https://shop.example/a%2Fb?t=x%2By#part", "https://shop.example/a%2Fb?t=x%2By", "shop.example", 443),
    ("https://shop.example?a=b", "https://shop.example/?a=b", "shop.example", 443),
    ("https://shop.example/größe?ä=ö", "https://shop.example/gr%C3%B6%C3%9Fe?%C3%A4=%C3%B6", "shop.example", 443),
    ("https://bücher.example/", "https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443),
    ("https://BÜCHER.example/", "https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443),
    ("https://xn--fa-hia.example/", "https://xn--fa-hia.example/", "xn--fa-hia.example", 443),
    ("https://例え.テスト/", "https://xn--r8jz45g.xn--zckzah/", "xn--r8jz45g.xn--zckzah", 443),
    ("https://my_shop.example/", "https://my_shop.example/", "my_shop.example", 443),
    ("https://1.example/", "https://1.example/", "1.example", 443),
    ("https://127.0.0.1.nip.example/", "https://127.0.0.1.nip.example/", "127.0.0.1.nip.example", 443),
    ("https://8.8.8.8/", "https://8.8.8.8/", "8.8.8.8", 443),
    ("https://134744072/", "https://8.8.8.8/", "8.8.8.8", 443),
    ("https://010.8.8.8/", "https://8.8.8.8/", "8.8.8.8", 443),
    ("https://[2606:4700:4700:0::1111]/", "https://[2606:4700:4700::1111]/", "2606:4700:4700::1111", 443),
    ("http://[64:ff9b::8.8.8.8]:8080/x", "http://[64:ff9b::808:808]:8080/x", "64:ff9b::808:808", 8080),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_not_allowed(address):
    assert not allowed(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address):
    assert allowed(address)
    assert allowed(ip_address(address))


@pytest.mark.parametrize(
    "network",
    [
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24"),
        *("192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("::/16", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10"),
        *("fec0::/10", "ff00::/8"),
    ],
)
def test_a_special_purpose_range_is_refused_from_its_first_to_its_last_address(network):
    block = IPv6Network(network) if ":" in network else IPv4Network(network)
    assert not allowed(block[0])
    assert not allowed(block[-1])
    assert not allowed(block[block.num_addresses // 2])


@given(st.ip_addresses(v=4))
def test_the_table_is_at_least_as_strict_as_the_standard_library_for_ipv4(address):
    assert address.is_global or not allowed(address)
    assert not (address.is_multicast and allowed(address))


@given(st.ip_addresses(v=6))
def test_the_table_is_at_least_as_strict_as_the_standard_library_for_ipv6(address):
    assert address.is_global or not allowed(address)


@given(st.ip_addresses(v=4))
def test_an_address_behind_nat64_is_judged_by_the_one_inside(address):
    assert allowed(f"64:ff9b::{address}") == allowed(address)


@pytest.mark.parametrize("url", TO_PRIVATE)
def test_a_url_that_leads_into_a_private_network_is_refused(url):
    with pytest.raises(EgressRefused):
        check_url(url)


@pytest.mark.parametrize("url", NO_URLS)
@pytest.mark.parametrize("allow_private", [False, True])
def test_what_is_no_usable_url_is_invalid(url, allow_private):
    with pytest.raises(InvalidInput) as caught:
        check_url(url, allow_private=allow_private)
    assert caught.value.field == "url"


@pytest.mark.parametrize("url", ["http://user@shop.example/", "http://user:pass@shop.example/", "http://shop.example@127.0.0.1/"])
def test_a_url_with_credentials_is_told_what_is_wrong_with_it(url):
    with pytest.raises(InvalidInput, match="no user name or password"):
        check_url(url)


@pytest.mark.parametrize(("url", "canonical", "host", "port"), GOOD)
def test_a_public_url_has_one_spelling_from_then_on(url, canonical, host, port):
    target = check_url(url)
    assert (target.url, target.host, target.port) == (canonical, host, port)
    assert check_url(canonical) == target
    read_by_the_client = URL(target.url, encoded=True)
    assert (read_by_the_client.raw_host, read_by_the_client.port) == (host, port)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/", "http://localhost:8000/", "http://receiver:8080/", "http://[::1]:8000/", "http://127.1/"])
def test_development_may_reach_private_addresses(url):
    assert check_url(url, allow_private=True).port in {80, 8000, 8080}


@pytest.mark.parametrize("url", ["http://u:p@127.0.0.1/", "ftp://127.0.0.1/", "http://127.0.0.1:22/", "http://127.0.0.1:0/", "http://127.0.0.256/"])
def test_development_keeps_the_other_rules(url):
    with pytest.raises(Refused):
        check_url(url, allow_private=True)


def spelled(number, style):
    return {"decimal": str(number), "octal": f"0{number:o}", "hex": f"0x{number:x}", "long": f"0x{number:010X}"}[style]


styles = st.sampled_from(["decimal", "octal", "hex", "long"])


@given(address=st.ip_addresses(v=4), parts=st.integers(1, 4), chosen=st.lists(styles, min_size=4, max_size=4))
def test_every_spelling_of_an_ipv4_address_is_read_as_the_c_library_reads_it(address, parts, chosen):
    octets = list(address.packed)
    numbers = [*octets[: parts - 1], int.from_bytes(octets[parts - 1 :], "big")]
    text = ".".join(spelled(number, style) for number, style in zip(numbers, chosen, strict=False))
    assert IPv4Address(socket.inet_aton(text)) == address
    assert check_url(f"http://{text}/", allow_private=True).address == address


@given(st.text("0123456789abcdefxX.:[]%@/\\?#-_１。 ", max_size=40) | st.text(max_size=40))
def test_any_text_is_read_in_one_way_or_refused(text):
    try:
        target = check_url(f"http://{text}", allow_private=True)
    except Refused:
        return
    read_by_the_client = URL(target.url, encoded=True)
    assert (read_by_the_client.scheme, read_by_the_client.raw_host, read_by_the_client.port) == ("http", target.host, target.port)
    if target.address is None:
        with pytest.raises(OSError):  # noqa: PT011 (whatever the message, it is no address to the C library)
            socket.inet_aton(target.host)


def test_one_private_address_among_public_ones_is_enough_to_refuse():
    check_addresses(["8.8.8.8", "2606:4700:4700::1111"])
    with pytest.raises(EgressRefused):
        check_addresses(["8.8.8.8", "10.0.0.1"])
    with pytest.raises(EgressRefused):
        check_addresses(["10.0.0.1", "8.8.8.8"])


@pytest.mark.parametrize("allow_private", [False, True])
def test_no_address_at_all_is_refused(allow_private):
    with pytest.raises(EgressRefused):
        check_addresses([], allow_private=allow_private)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://rpc.example/v3/0123456789abcdef?key=x#y", "https://rpc.example"),
        ("https://user:pass@rpc.example:8545/v3/key", "https://rpc.example:8545"),
        ("http://[::1]:8545/key", "http://[::1]:8545"),
        ("http://rpc.example:99999/key", "the URL"),
        ("key", "the URL"),
        ("http://[key", "the URL"),
    ],
)
def test_the_origin_of_a_url_holds_no_key(url, shown):
    assert origin(url) == shown
