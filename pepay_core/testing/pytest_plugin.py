"""What pytest gets from PePay as soon as it is installed. Nothing heavy is imported here."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio, which is what PePay runs on."""
    return "asyncio"
