"""Doctor finds servers that share a SQLite file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pepay_core.contracts.check import Verdict
from pepay_core.services.checking_processes import ProcessesCheck

pytestmark = pytest.mark.skipif(not Path("/proc/locks").exists(), reason="this system does not tell who holds locks")

OPENED = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[-1])
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("CREATE TABLE IF NOT EXISTS sample (id INTEGER)").fetchall()
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def opened(tmp_path):
    """Have a process open the database, called by these words; all of them end with the test."""
    running = []

    def start(*words):
        process = subprocess.Popen(
            [sys.executable, "-c", OPENED, *words, str(tmp_path / "pepay.db")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout.readline() == "open\n"
        return process.pid

    yield start
    for each in running:
        each.communicate()


async def test_two_servers_on_one_file_are_a_problem_and_named(opened, tmp_path):
    api, worker = opened("serve", "--role", "api"), opened("serve", "--role", "worker")

    (finding,) = await ProcessesCheck(tmp_path / "pepay.db").run()

    assert finding.verdict is Verdict.PROBLEM
    assert f"{api} (serve --role api" in finding.message
    assert f"{worker} (serve --role worker" in finding.message
    assert "PostgreSQL" in finding.remedy


async def test_a_server_and_commands_beside_it_are_as_it_should_be(opened, tmp_path):
    opened("serve")
    opened("key", "list")
    assert await ProcessesCheck(tmp_path / "pepay.db").run() == []


async def test_a_file_that_nobody_has_open_is_no_finding(tmp_path):
    assert await ProcessesCheck(tmp_path / "pepay.db").run() == []
