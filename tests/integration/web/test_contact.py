from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from pepay_core.domain.errors import ConfigError
from pepay_core.settings import load_settings


async def test_vulnerabilities_are_reported_where_the_operator_says(web):
    answer = await web.client.get("/.well-known/security.txt")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.endswith("\n")
    fields = [line.split(": ", 1) for line in answer.text.splitlines()]
    lines = dict(fields)
    # RFC 9116: a contact, and one moment less than a year ahead; nothing twice that may be there once.
    assert [name for name, _ in fields] == ["Contact", "Expires"]
    assert lines["Contact"] == "mailto:security@example.com"
    assert timedelta(0) < datetime.fromisoformat(lines["Expires"]) - web.clock.now() < timedelta(days=365)


async def test_the_canonical_place_is_named_where_it_is_reached_by_https(open_web, settings):
    server = settings.server.model_copy(update={"base_url": "https://pay.example.com"})
    async with open_web(settings.model_copy(update={"server": server})) as web:
        answer = await web.client.get("/.well-known/security.txt", headers={"host": "pay.example.com"})
    assert answer.text.splitlines()[-1] == "Canonical: https://pay.example.com/.well-known/security.txt"


async def test_nobody_is_named_where_nobody_was(open_web, settings):
    server = settings.server.model_copy(update={"security_contact": None})
    async with open_web(settings.model_copy(update={"server": server})) as web:
        assert (await web.client.get("/.well-known/security.txt")).status_code == 404


@pytest.mark.parametrize("contact", ["security@example.com", "mailto:security", "http://example.com", "mailto:a@b.example\nExpires: never"])
def test_a_contact_is_a_uri(contact):
    with pytest.raises(ConfigError, match="security_contact"):
        load_settings(None, {"PEPAY_SERVER__SECURITY_CONTACT": contact})
