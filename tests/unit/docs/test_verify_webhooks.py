"""The code that verifies a webhook takes what is sent, and nothing else."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from documentation import page

from pepay_core.api import Delivery
from pepay_core.testing.notifier import BODY, OTHER_SECRET, SECRET
from pepay_webhook_hmac.notifier import headers

PAGE = page("how-to/verify-webhooks.md")

DRIVER = """
const [secret, headers, body] = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(receive(secret, headers, Buffer.from(body, "base64"))));
"""


def in_python(number):
    def make(tmp_path):
        names = {}
        exec(compile(PAGE.blocks("python")[number].code, PAGE.name, "exec"), names)
        return names["receive"]

    return make


def in_javascript(tmp_path):
    node = shutil.which("node")
    if node is None:
        reason = "node is not installed"
        (pytest.fail if "node" in os.environ.get("PEPAY_TEST_REQUIRE", "").split(",") else pytest.skip)(reason)
    script = tmp_path / "receive.js"
    (snippet,) = PAGE.blocks("js")
    script.write_text(snippet.code + DRIVER, encoding="utf-8")

    def receive(secret, headers, body):
        given = json.dumps([secret, headers, base64.b64encode(body).decode()])
        done = subprocess.run([node, str(script)], input=given, capture_output=True, text=True, timeout=30, check=True)
        return tuple(json.loads(done.stdout))

    return receive


@pytest.fixture(params=[in_python(0), in_python(1), in_javascript], ids=["standardwebhooks", "python", "javascript"])
def receive(request, tmp_path):
    return request.param(tmp_path)


def sent(*secrets, at=None):
    delivery = Delivery("dlv_1", "evt_1", "invoice.paid", True, "", BODY, 1, at or datetime.now(UTC), secrets)
    return {name.lower(): value for name, value in headers(delivery).items()}


def test_what_is_sent_is_accepted_and_decoded(receive):
    assert receive(SECRET, sent(SECRET), BODY) == (200, json.loads(BODY))


def test_either_secret_verifies_while_it_is_replaced(receive):
    assert receive(SECRET, sent(SECRET, OTHER_SECRET), BODY)[0] == 200
    assert receive(OTHER_SECRET, sent(SECRET, OTHER_SECRET), BODY)[0] == 200


def test_another_secret_is_refused(receive):
    assert receive(OTHER_SECRET, sent(SECRET), BODY) == (401, None)


def test_a_body_that_was_changed_is_refused(receive):
    assert receive(SECRET, sent(SECRET), BODY + b" ") == (401, None)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_delivery_and_one_from_the_future_are_refused(receive, seconds):
    assert receive(SECRET, sent(SECRET, at=datetime.now(UTC) + timedelta(seconds=seconds)), BODY) == (401, None)


@pytest.mark.parametrize(
    "garbage", [{}, {"x-pepay-timestamp": "soon", "webhook-timestamp": "soon", "webhook-id": "evt_1", "webhook-signature": "v1,"}]
)
def test_a_request_without_proper_headers_is_refused_and_breaks_nothing(receive, garbage):
    assert receive(SECRET, garbage, BODY) == (401, None)


@pytest.mark.parametrize("signature", ["", "zz", "é", "0" * 64])
def test_rubbish_in_place_of_a_signature_is_refused(receive, signature):
    broken = {**sent(SECRET), "x-pepay-signature": signature, "webhook-signature": f"v1,{signature}"}

    assert receive(SECRET, broken, BODY) == (401, None)
