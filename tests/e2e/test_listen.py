"""``pepay listen`` beside a running server: real processes, real HTTP, and a server that goes away and comes back."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from blackbox import SECONDS, Shop
from standardwebhooks import Webhook


class Listening:
    """A running ``pepay listen --json``, line by line."""

    def __init__(self, gateway, *arguments, key="test", base_url=True):
        environ = dict(gateway.environ)
        if base_url:
            environ["PEPAY_SERVER__BASE_URL"] = gateway.url
        if key:
            environ["PEPAY_API_KEY"] = gateway.made["keys"].get(key, key)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pepay_core.cli.main", "listen", "--json", *arguments],
            cwd=gateway.folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def wait_for(self, kind, **wanted):
        """Return the next line of a kind that says what is wanted."""
        while True:
            line = self.lines.get(timeout=SECONDS)
            if line["type"] == kind and all(line.get(name) == value for name, value in wanted.items()):
                return line

    def ready(self):
        self.wait_for("connection", message="ready")
        return self

    def stop(self, how=signal.SIGINT):
        self.process.send_signal(how)
        code = self.process.wait(SECONDS)
        self.reader.join(5)
        self.process.stdout.close()
        self.errors = self.process.stderr.read()
        self.process.stderr.close()
        return code


@pytest.fixture(scope="module")
def database():
    """One is enough: whoever listens does so over HTTP."""
    return


@pytest.fixture
def listening(world):
    started = []

    def start(*arguments, **options):
        started.append(Listening(world.gateway, *arguments, **options))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.stop(signal.SIGKILL)


def test_events_are_forwarded_as_they_happen_signed_with_the_secret_that_is_printed(world, listening):
    with closing(Shop()) as shop:
        running = listening("--forward-to", shop.url, "--events", "invoice.*")
        secret = running.wait_for("listening")["secret"]
        running.ready()
        invoice = world.gateway.invoice()
        line = running.wait_for("forwarded")
        ((headers, body),) = shop.calls
    assert (line["status"], line["error"], line["event"]["data"]["object"]["id"]) == (200, None, invoice["id"])
    assert Webhook(secret).verify(body, headers) == line["event"] == world.gateway.get(f"/api/v1/events/{line['event']['id']}")
    assert headers["x-pepay-event"] == "invoice.created"
    assert running.stop() == 0

    again = listening("--forward-to", shop.url)
    assert again.wait_for("listening")["secret"] == secret
    assert again.stop(signal.SIGTERM) == 0


def test_what_happens_while_the_server_is_away_comes_when_it_is_back(world, listening):
    running = listening("--events", "invoice.created").ready()
    first = world.gateway.invoice()
    assert running.wait_for("event")["event"]["data"]["object"]["id"] == first["id"]
    port = world.gateway.url.rpartition(":")[2]
    world.gateway.stop(signal.SIGKILL)
    running.wait_for("connection")
    world.gateway.run("invoice", "create", "7.77", "--json")
    world.gateway.environ["PEPAY_SERVER__PORT"] = port
    try:
        world.gateway.start()
        last = world.gateway.invoice()
        amounts = [running.wait_for("event")["event"]["data"]["object"]["amount"] for _ in range(2)]
    finally:
        del world.gateway.environ["PEPAY_SERVER__PORT"]
    assert amounts == ["7.77", last["amount"]]
    assert running.stop() == 0


def test_a_receiver_that_fails_is_named_and_nothing_stops(world, listening):
    with closing(Shop()) as shop:
        shop.status = 500
        running = listening("--forward-to", shop.url).ready()
        world.gateway.invoice()
        assert running.wait_for("forwarded")["status"] == 500
        shop.status = 200
        world.gateway.invoice()
        assert running.wait_for("forwarded")["status"] == 200
    world.gateway.invoice()
    gone = running.wait_for("forwarded")
    assert gone["status"] is None
    assert "cannot connect" in gone["error"]
    assert running.stop() == 0


def test_without_a_key_one_is_made_that_ends_with_the_command(world, listening):
    running = listening(key=None).ready()
    world.gateway.invoice()
    running.wait_for("event")
    keys = json.loads(world.gateway.run("key", "list", "--json").stdout)
    (made,) = [each for each in keys if each["name"] == "pepay listen" and each["revoked_at"] is None]
    assert made["scopes"] == ["webhooks:read"]
    assert made["livemode"] is False
    assert running.stop() == 0
    keys = json.loads(world.gateway.run("key", "list", "--json").stdout)
    assert not [each for each in keys if each["name"] == "pepay listen" and each["revoked_at"] is None]


def test_a_key_that_may_not_listen_ends_the_command_with_its_reason(world, listening):
    narrow = world.gateway.post("/api/v1/api-keys", {"name": "narrow", "scopes": ["invoices:read"]})
    for key, reason in ((narrow["key"], "webhooks:read"), ("pepay_test_" + "0" * 26 + "_" + "a" * 43, "no such API key")):
        running = listening(key=key)
        assert running.process.wait(SECONDS) == 1
        running.stop()
        assert reason in running.errors
        assert key not in running.errors


def test_a_key_that_is_revoked_is_told_nothing_more(world, listening):
    made = world.gateway.post("/api/v1/api-keys", {"name": "short", "scopes": ["webhooks:read"]})
    running = listening(key=made["key"]).ready()
    assert world.gateway.call("DELETE", f"/api/v1/api-keys/{made['id']}").status == 200
    world.gateway.invoice()
    assert running.process.wait(SECONDS) == 1
    running.stop()
    assert "revoked" in running.errors
    assert not [line for line in running.lines.queue if line["type"] == "event"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--forward-to", "localhost:3000"],
        ["--forward-to", "ftp://localhost/"],
        ["--events", "invoice.lost"],
        ["--secret", "whsec_!"],
        ["--server", "http://localhost:1"],
    ],
)
def test_what_cannot_work_is_said_at_once(world, arguments):
    done = world.gateway.run("listen", *arguments, check=False)
    assert done.returncode == 2
