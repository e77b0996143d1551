"""What a test needs and a machine may lack: a skip with its reason, or a failure where PEPAY_TEST_REQUIRE names it."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def lacking(name: str, reason: str) -> NoReturn:
    """End the test: there is no ``name`` here."""
    if name in os.environ.get("PEPAY_TEST_REQUIRE", "").split(","):
        pytest.fail(reason)
    pytest.skip(reason)


def chromium() -> str:
    """Return the path of the machine's Chromium."""
    found = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if found is None:
        lacking("chromium", "there is no Chromium here: install the package `chromium`")
    return found


def caddy() -> str:
    """Return the path of the machine's Caddy."""
    found = shutil.which("caddy")
    if found is None:
        lacking("caddy", "there is no Caddy here: install the package `caddy`")
    return found
