"""The API holds what its document promises, whatever is sent to it. ``PEPAY_TEST_EXAMPLES=200 nox -s fuzz`` looks longer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = os.environ.get("PEPAY_TEST_EXAMPLES", "4")
SCHEMATHESIS = Path(sys.executable).with_name("st")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_nothing_that_can_be_generated_contradicts_the_document(world, tmp_path):
    scopes = [part for scope in SCOPES for part in ("--scope", scope)]
    made = world.gateway.run("key", "create", "--name", "generator", "--writes-per-minute", "1000000", *scopes, "--json")
    key = json.loads(made.stdout)["key"]
    run = subprocess.run(
        [
            SCHEMATHESIS, "run", f"{world.gateway.url}/schema/openapi.json", "--url", world.gateway.url, "--header", f"x-api-key: {key}",
            # A stream has no end to wait for.
            "--exclude-path-regex", "/stream$",
            "--checks", "all", "--exclude-checks", "positive_data_acceptance", "--max-examples", EXAMPLES, "--generation-database", "none",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=7200,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr


SCOPES = [
    "invoices:write", "webhooks:write", "wallets:write", "merchant:write", "keys:write", "reports:read",
]  # fmt: skip
