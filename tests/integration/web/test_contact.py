from __future__ import annotations

from datetime import datetime

import pytest

from pepay_core.domain.errors import ConfigError
from pepay_core.settings import load_settings


async def test_vulnerabilities_are_reported_where_the_operator_says(web):
    answer = await web.client.get("/.well-known/security.txt")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert lines["Contact"] == "mailto:security@example.com"
    assert lines["Canonical"] == "http://localhost:8000/.well-known/security.txt"
    assert datetime.fromisoformat(lines["Expires"]) > web.clock.now()


async def test_nobody_is_named_where_nobody_was(open_web, settings):
    server = settings.server.model_copy(update={"security_contact": None})
    async with open_web(settings.model_copy(update={"server": server})) as web:
        assert (await web.client.get("/.well-known/security.txt")).status_code == 404


@pytest.mark.parametrize("contact", ["security@example.com", "mailto:security", "http://example.com", "mailto:a@b.example\nExpires: never"])
def test_a_contact_is_a_uri(contact):
    with pytest.raises(ConfigError, match="security_contact"):
        load_settings(None, {"PEPAY_SERVER__SECURITY_CONTACT": contact})
