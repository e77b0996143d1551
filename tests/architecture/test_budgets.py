"""What may not be paid for by those who do not use it."""

import subprocess
import sys

import pytest

HEAVY = ["web3", "eth_account", "solana", "solders", "litestar", "piccolo", "aiohttp", "asyncpg"]


def imported_by(statement):
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize(
    "module", ["pepay_core", "pepay_core.cli.main", "pepay_core.api", "pepay_core.cli.plugins", "pepay_core.testing.pytest_plugin"]
)
def test_importing_what_everybody_imports_is_light(module):
    assert not imported_by(f"import {module}") & set(HEAVY)


@pytest.mark.parametrize("module", ["pepay_core", "pepay_core.cli.main"])
def test_a_start_of_the_command_line_does_not_pay_for_settings(module):
    assert not imported_by(f"import {module}") & {"pydantic", "pydantic_settings", "stevedore", "pluggy", "tomlkit", "jinja2", "cryptography"}
