"""What pytest gets from PePay as soon as it is installed. Nothing heavy is imported here."""

from __future__ import annotations

import pytest

# A suite lives outside of the tests that inherit it; without this its assertions would fail without saying what they saw.
pytest.register_assert_rewrite(*(f"pepay_core.testing.{suite}" for suite in ("chain", "notifier", "plugin", "rates")))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio, which is what PePay runs on."""
    return "asyncio"
