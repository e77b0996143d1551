from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pepay_core.api import Delivery
from pepay_core.testing.notifier import BODY, OTHER_SECRET, SECRET
from pepay_webhook_hmac.notifier import headers

README = Path(__file__).parent.parent / "README.md"


@pytest.fixture
def verify():
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    names = {}
    exec(compile(code, str(README), "exec"), names)
    return names["verify"]


def sent(*secrets, at=None):
    delivery = Delivery("dlv_1", "evt_1", "invoice.paid", True, "", BODY, 1, at or datetime.now(UTC), secrets)
    return {name.lower(): value for name, value in headers(delivery).items()}


def test_the_documented_verification_accepts_what_is_sent(verify):
    assert verify(SECRET, sent(SECRET), BODY)
    assert verify(OTHER_SECRET, sent(SECRET, OTHER_SECRET), BODY)


def test_the_documented_verification_refuses_what_was_changed_or_is_old(verify):
    assert not verify(OTHER_SECRET, sent(SECRET), BODY)
    assert not verify(SECRET, sent(SECRET), BODY + b" ")
    assert not verify(SECRET, sent(SECRET, at=datetime.now(UTC) - timedelta(seconds=301)), BODY)
    assert not verify(SECRET, sent(SECRET, at=datetime.now(UTC) + timedelta(seconds=301)), BODY)


def test_the_table_names_every_header_that_is_sent():
    text = README.read_text("utf-8").lower()
    assert all(f"`{name}`" in text for name in sent(SECRET, OTHER_SECRET) if name != "content-type")
