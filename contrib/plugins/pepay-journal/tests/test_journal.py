from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import pytest

import pepay_journal
from pepay_core.api import Event, PluginContext
from pepay_core.clock import SystemClock
from pepay_core.http import AiohttpClient
from pepay_core.testing import PluginSuite
from pepay_journal.settings import JournalSettings


class TestJournal(PluginSuite):
    @pytest.fixture
    def plugin(self):
        return pepay_journal


async def test_every_event_is_a_line_in_the_order_in_which_they_came(tmp_path):
    path = tmp_path / "events.jsonl"
    async with AiohttpClient() as http:
        ctx = PluginContext("journal", JournalSettings(path=path), http, SystemClock(), logging.getLogger("pepay.plugin.journal"))
        for number in range(3):
            body = json.dumps({"id": f"evt_{number}"}).encode()
            event = Event(f"evt_{number}", "test.ping", "mer_1", False, datetime.now(UTC), "x", body)
            await pepay_journal.pepay_event(event, ctx)

    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ["evt_0", "evt_1", "evt_2"]
