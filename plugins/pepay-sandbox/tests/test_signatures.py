"""The demo's own check of webhooks, against the reference implementation and the published vector."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from pepay_sandbox.demo.signatures import TOLERANCE_SECONDS, pepay_is_valid, standard_is_valid

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes....").decode()
BODY = b'{"id":"evt_1"}'
NOW = 1_800_000_000


def standard_headers(secret=SECRET, at=NOW):
    signature = Webhook(secret).sign("evt_1", datetime.fromtimestamp(at, UTC), BODY.decode())
    return {"webhook-id": "evt_1", "webhook-timestamp": str(at), "webhook-signature": signature}


def pepay_headers(secret=SECRET, at_ms=NOW * 1000):
    signature = hmac.new(secret.encode(), str(at_ms).encode() + b"." + BODY, hashlib.sha256).hexdigest()
    return {"X-Pepay-Timestamp": str(at_ms), "X-Pepay-Signature": signature}


def test_what_the_reference_implementation_signs_is_valid():
    assert standard_is_valid(SECRET, standard_headers(), BODY, NOW)


def test_one_of_two_signatures_is_enough_while_a_secret_rotates():
    other = "whsec_" + base64.b64encode(b"b" * 32).decode()
    headers = standard_headers()
    headers["webhook-signature"] = f"{standard_headers(other)['webhook-signature']} {headers['webhook-signature']}"

    assert standard_is_valid(SECRET, headers, BODY, NOW)


def test_the_hexadecimal_signature_is_keyed_by_the_whole_secret():
    assert pepay_is_valid(SECRET, pepay_headers(), BODY, NOW)
    assert not pepay_is_valid(SECRET, pepay_headers(SECRET.removeprefix("whsec_")), BODY, NOW)


@pytest.mark.parametrize(
    "change", [{"webhook-id": "evt_2"}, {"webhook-timestamp": str(NOW + 1)}, {"webhook-signature": "v1,AAAA"}, {"webhook-signature": ""}]
)
def test_a_standard_signature_holds_for_nothing_else(change):
    assert not standard_is_valid(SECRET, standard_headers() | change, BODY, NOW)


def test_another_version_of_the_signature_counts_for_nothing():
    headers = standard_headers()

    assert not standard_is_valid(SECRET, headers | {"webhook-signature": headers["webhook-signature"].replace("v1,", "v2,")}, BODY, NOW)


@pytest.mark.parametrize("change", [{"X-Pepay-Timestamp": str(NOW * 1000 + 1)}, {"X-Pepay-Signature": "00" * 32}, {"X-Pepay-Signature": "ü"}])
def test_a_hexadecimal_signature_holds_for_nothing_else(change):
    assert not pepay_is_valid(SECRET, pepay_headers() | change, BODY, NOW)


def test_another_body_is_not_signed():
    assert not standard_is_valid(SECRET, standard_headers(), BODY + b" ", NOW)
    assert not pepay_is_valid(SECRET, pepay_headers(), BODY + b" ", NOW)


@pytest.mark.parametrize("offset", [-TOLERANCE_SECONDS - 1, TOLERANCE_SECONDS + 1])
def test_an_old_signature_is_no_longer_valid(offset):
    assert not standard_is_valid(SECRET, standard_headers(), BODY, NOW + offset)
    assert not pepay_is_valid(SECRET, pepay_headers(), BODY, NOW + offset)


@pytest.mark.parametrize("timestamp", ["", "soon", "-1", "1e9", "१"])
def test_a_time_that_is_none_is_not_valid(timestamp):
    assert not standard_is_valid(SECRET, standard_headers() | {"webhook-timestamp": timestamp}, BODY, NOW)
    assert not pepay_is_valid(SECRET, pepay_headers() | {"X-Pepay-Timestamp": timestamp}, BODY, NOW)


def test_nothing_is_not_valid():
    assert not standard_is_valid(SECRET, {}, BODY, NOW)
    assert not pepay_is_valid(SECRET, {}, BODY, NOW)
