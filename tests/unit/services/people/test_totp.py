"""The published vectors of one-time codes, and what passkeys take for this server."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pepay_core.relying import RelyingParty
from pepay_core.services.people import totp

# RFC 6238, appendix B.
VECTORS = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]


@pytest.mark.parametrize(("moment", "code"), VECTORS)
def test_the_published_vectors_hold(moment, code):
    secret, at = b"12345678901234567890", datetime.fromtimestamp(moment, UTC)

    assert totp.code_of(secret, totp.step_at(at), digits=8) == code
    assert totp.code_of(secret, totp.step_at(at)) == code[2:]
    assert totp.step_of(secret, code[2:], at) == moment // 30


@pytest.mark.parametrize("code", ["", "1", "\uff10\uff11\uff12\uff13\uff14\uff15", "\ud800", "9" * 1000])
def test_what_is_no_code_is_of_no_step(code):
    assert totp.step_of(b"12345678901234567890", code, datetime.fromtimestamp(59, UTC)) is None


@pytest.mark.parametrize(
    ("base_url", "id", "origin", "able"),
    [
        ("https://pay.example.com", "pay.example.com", "https://pay.example.com", True),
        ("https://Pay.Example.com:443/", "pay.example.com", "https://pay.example.com", True),
        ("https://pay.example.com:8443/sub", "pay.example.com", "https://pay.example.com:8443", True),
        ("http://localhost:8000", "localhost", "http://localhost:8000", True),
        ("http://pay.example.com", "pay.example.com", "http://pay.example.com", False),
        ("https://192.0.2.1", "192.0.2.1", "https://192.0.2.1", False),
        ("http://127.0.0.1:8000", "127.0.0.1", "http://127.0.0.1:8000", False),
    ],
)
def test_passkeys_belong_to_the_exact_address_of_this_server(base_url, id, origin, able):
    party = RelyingParty(base_url)

    assert (party.id, party.origin, party.is_able) == (id, origin, able)
