"""The server as an operator runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

PEPAY = [sys.executable, "-m", "pepay_core.cli.main"]
SECONDS = 60


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a configuration, a master key and a database with a merchant."""
    subprocess.run([*PEPAY, "init", "--yes"], cwd=tmp_path, env=environ(), capture_output=True, check=True, timeout=SECONDS)
    return tmp_path


def environ(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PEPAY_")}
    return {**kept, "PEPAY_SERVER__PORT": "0", "PEPAY_PLUGINS__ENABLED": '["webhook-hmac"]', **more}


def run(folder, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PEPAY, *arguments], cwd=folder, env=environ(**more), capture_output=True, text=True, timeout=SECONDS, check=False)


class Serving:
    """A running server: its URL once it says so, and what it wrote."""

    def __init__(self, folder, *arguments: str, **more: str) -> None:
        self.process = subprocess.Popen(
            [*PEPAY, "serve", *arguments], cwd=folder, env=environ(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        alarm = threading.Timer(SECONDS, self.process.kill)
        alarm.start()
        assert self.process.stdout
        self.line = self.process.stdout.readline()
        alarm.cancel()
        found = re.search(r"http://\S+", self.line)
        self.url = found[0] if found else ""

    def __enter__(self):
        assert self.url, self.line + self.process.communicate()[1]
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def get(self, path: str):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def stop(self) -> tuple[int, str, str]:
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


def test_it_says_in_one_line_where_it_is_and_ends_in_order(folder):
    with Serving(folder) as serving:
        assert re.fullmatch(r"PePay is ready at http://127\.0\.0\.1:\d+\n", serving.line)
        assert serving.get("/health/ready")["status"] == "ready"
        code, out, err = serving.stop()
    assert (code, out) == (0, "")
    assert "Traceback" not in err


def test_links_lead_to_the_port_that_was_got(folder):
    with Serving(folder) as serving:
        port = serving.url.rpartition(":")[2]
        assert serving.get("/schema/openapi.json")["servers"] == [{"url": f"http://localhost:{port}"}]


@pytest.mark.parametrize(("arguments", "imported"), [([], True), (["--safe"], False)])
def test_safe_mode_runs_no_code_that_is_not_stock(folder, arguments, imported):
    info = folder / "site" / "pepay_stranger-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pepay-stranger\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pepay.plugins]\nstranger = pepay_stranger\n")
    marker = folder / "imported"
    (folder / "site" / "pepay_stranger.py").write_text(
        f"from pathlib import Path\nfrom pepay_core.api import PluginInfo\n__pepay__ = PluginInfo(api='1.0')\nPath({str(marker)!r}).touch()\n"
    )
    enabled = '["webhook-hmac", "stranger"]'

    with Serving(folder, *arguments, PYTHONPATH=str(folder / "site"), PEPAY_PLUGINS__ENABLED=enabled) as serving:
        assert serving.get("/health/ready")["status"] == "ready"
        serving.stop()

    assert marker.exists() is imported


def test_an_empty_database_is_migrated_at_the_start(folder):
    (folder / "pepay.db").unlink()
    with Serving(folder) as serving:
        assert serving.get("/health/ready")["database"] == "ready"


def test_a_database_that_is_behind_is_not_touched(folder):
    with sqlite3.connect(folder / "pepay.db") as database:
        database.execute("DELETE FROM migration WHERE rowid = (SELECT MAX(rowid) FROM migration)")
    database.close()
    answer = run(folder, "serve")
    assert answer.returncode == 78
    assert "pepay migrate" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_migrating_what_is_up_to_date_does_nothing(folder):
    answer = run(folder, "migrate")
    assert (answer.returncode, answer.stdout) == (0, "Nothing to do: the database is up to date.\n")


def test_sqlite_serves_one_process(folder):
    answer = run(folder, "serve", "--workers", "2")
    assert answer.returncode == 78
    assert "PostgreSQL" in answer.stderr


def test_a_port_that_is_taken_is_a_matter_of_configuration(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = run(folder, "serve", PEPAY_SERVER__PORT=str(taken.getsockname()[1]))
    assert answer.returncode == 78
    assert "[server]" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_another_master_key_is_refused_before_anything_is_served(folder):
    (folder / "pepay.key").unlink()
    made = run(folder, "serve", PEPAY_SECRETS__DRIVER="env", PEPAY_MASTER_KEY="A" * 43)
    assert made.returncode == 78
    assert "master key" in made.stderr


def test_a_worker_answers_nothing_and_ends_in_order(folder):
    process = subprocess.Popen(
        [*PEPAY, "serve", "--role", "worker"], cwd=folder, env=environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "PePay is working\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0


def children(process) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=False)
    return [int(each) for each in listed.stdout.split() if each.isdigit() and _is_pepay(int(each))]


def _is_pepay(pid: int) -> bool:
    try:
        return b"--listener" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def eventually(condition, what: str):
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


def test_several_processes_serve_one_address_and_one_that_dies_is_replaced(folder, postgres):
    url = postgres.url(postgres.create())
    with Serving(folder, "--workers", "2", PEPAY_DATABASE__URL=url) as serving:
        before = children(serving.process)
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        eventually(lambda: len(set(children(serving.process)) - {before[0]}) == 2, "another process to be started")
        assert serving.get("/health/ready")["status"] == "ready"
        code, _, _ = serving.stop()
    assert code == 0
    assert not any(_is_pepay(each) for each in before)


def test_processes_do_not_outlive_the_one_that_started_them(folder, postgres):
    url = postgres.url(postgres.create())
    with Serving(folder, "--workers", "2", PEPAY_DATABASE__URL=url) as serving:
        started = children(serving.process)
        serving.process.kill()
        eventually(lambda: not any(_is_pepay(each) for each in started), "the processes to end")
