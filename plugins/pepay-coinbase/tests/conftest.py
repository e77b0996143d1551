from __future__ import annotations

import logging

import pytest

from pepay_core.api import PluginContext
from pepay_core.testing.clock import FakeClock


@pytest.fixture
def context():
    """Return a function that makes the plugin's context with these settings."""

    def make(settings):
        return PluginContext("coinbase", settings, None, FakeClock(), logging.getLogger("pepay.plugin.coinbase"))

    return make
