from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from pepay_webhook_hmac.signing import pepay_signature, standard_signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ids = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", min_size=1, max_size=40)
secrets = st.binary(min_size=24, max_size=64).map(lambda key: "whsec_" + base64.b64encode(key).decode())


def test_the_published_vector_of_standard_webhooks():
    signature = standard_signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_fixed_vector_of_the_pepay_signature():
    # printf '1614265330123.{"test": 2432232314}' | openssl dgst -sha256 -hmac whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
    assert pepay_signature(SECRET, 1614265330123, b'{"test": 2432232314}') == "c29b7a4feff7191ee68a473cd75189622479fda0a46ea2c702973e953c2b6f6a"


@settings(suppress_health_check=[HealthCheck.too_slow])  # how busy the machine is proves nothing
@given(secret=secrets, event=ids, payload=st.dictionaries(st.text(), st.integers() | st.text()))
def test_an_independent_verifier_accepts_what_is_signed(secret, event, payload):
    body = json.dumps(payload).encode()
    now = int(datetime.now(UTC).timestamp())
    headers = {"webhook-id": event, "webhook-timestamp": str(now), "webhook-signature": standard_signature(secret, event, now, body)}
    assert Webhook(secret).verify(body, headers) == payload


@given(secret=secrets, milliseconds=st.integers(0, 2**53), body=st.binary())
def test_the_pepay_signature_is_the_documented_formula(secret, milliseconds, body):
    message = str(milliseconds).encode() + b"." + body
    assert pepay_signature(secret, milliseconds, body) == hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("event", ["", "a.b", "a b", "a\r\nb", "é", "a\n"])
def test_an_id_that_could_be_read_in_two_ways_is_not_signed(event):
    with pytest.raises(ValueError, match="webhook id"):
        standard_signature(SECRET, event, 1, b"{}")


@pytest.mark.parametrize("secret", ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!!", "whsec_MfK", "whsec_é"])
@pytest.mark.parametrize("sign", [lambda s: standard_signature(s, "evt_1", 1, b"{}"), lambda s: pepay_signature(s, 1, b"{}")])
def test_a_malformed_secret_signs_nothing_and_is_not_shown(secret, sign):
    with pytest.raises(ValueError, match="a signing secret is whsec_ followed by base64") as caught:
        sign(secret)
    assert len(secret) <= 6 or secret.removeprefix("whsec_") not in str(caught.value)
