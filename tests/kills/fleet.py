"""Processes of one installation, which are killed, held up and started again, and a client that goes from one to the next."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from pathlib import Path

HELD_UP = 18.0
"""Seconds for which a process is stopped: longer than the lease of a chain, and than the claim of a delivery may be renewed in."""


class Member:
    """One process of the fleet, at an address of its own where it answers requests. It is started again whenever it has ended."""

    def __init__(self, role: str, folder: Path, environ: dict[str, str]) -> None:
        self.role = role
        self.folder = folder
        self.port = _free_port() if role != "worker" else 0
        self.environ = environ | {"PEPAY_SERVER__PORT": str(self.port)}
        self.process: subprocess.Popen[str] | None = None
        self.ready = threading.Event()
        self.output: list[str] = []
        self.starts = 0

    def start(self) -> None:
        self.ready.clear()
        self.starts += 1
        command = [sys.executable, "-m", "pepay_core.cli.main", "serve", "--role", self.role]
        process = subprocess.Popen(command, cwd=self.folder, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.process = process
        threading.Thread(target=self._read, args=(process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.output.append(line)
            if line.startswith("PePay is"):
                self.ready.set()
        process.stdout.close()

    def end(self, how: signal.Signals) -> int:
        """Send a signal that ends it, and return its exit code."""
        process = self.process
        assert process is not None
        process.send_signal(how)
        return process.wait(60)

    @property
    def text(self) -> str:
        return "".join(self.output)


@dataclass
class Fleet:
    """Members by role, and what was done to them."""

    members: list[Member]
    done: Counter[str] = field(default_factory=Counter)
    exits: list[tuple[str, int]] = field(default_factory=list)

    @classmethod
    def of(cls, roles: tuple[str, ...], folder: Path, environ: dict[str, str]) -> Fleet:
        return cls([Member(role, folder, environ) for role in roles])

    def start(self) -> None:
        # The first one alone: it may have a database to make.
        for each in self.members:
            each.start()
            assert each.ready.wait(60), each.text

    def stop(self) -> None:
        for each in self.members:
            if each.process is not None and each.process.poll() is None:
                each.process.send_signal(signal.SIGCONT)
                each.process.terminate()
        for each in self.members:
            if each.process is not None:
                try:
                    each.process.wait(60)
                except subprocess.TimeoutExpired:
                    each.process.kill()
                    raise AssertionError(f"a process of the role {each.role} did not end:\n{each.text[-3000:]}") from None

    @property
    def ports(self) -> list[int]:
        return [each.port for each in self.members if each.role != "worker"]

    def harass(self, seconds: float, chance: random.Random, note: Callable[[str], None]) -> None:
        """For so long, kill one at random, or end it, or hold it up for longer than its leases last; then let all of them run.

        One of each role is killed first of all, so that no course of events goes without.
        """
        until = time.monotonic() + seconds
        roles = sorted({each.role for each in self.members})
        owed = chance.sample(roles, len(roles))
        held: list[threading.Thread] = []
        while time.monotonic() < until:
            time.sleep(chance.uniform(1.0, 3.0))
            role = owed[0] if owed else chance.choice(roles)
            able = [each for each in self.members if each.role == role and each.ready.is_set()]
            others_ready = len(able) > 1 or len([each for each in self.members if each.role == role]) == 1
            if not able or not others_ready:
                continue
            victim = chance.choice(able)
            what = "kill" if owed else chance.choices(["kill", "end", "hold"], [7, 2, 2])[0]
            del owed[:1]
            self.done[f"{what} {role}"] += 1
            note(f"{what} {role}")
            if what == "hold":
                victim.ready.clear()
                thread = threading.Thread(target=self._hold, args=(victim,))
                thread.start()
                held.append(thread)
                continue
            code = victim.end(signal.SIGKILL if what == "kill" else signal.SIGTERM)
            if what == "end":
                self.exits.append((role, code))
            victim.start()
        for thread in held:
            thread.join()
        for each in self.members:
            assert each.ready.wait(60), each.text[-3000:]

    @staticmethod
    def _hold(victim: Member) -> None:
        assert victim.process is not None
        victim.process.send_signal(signal.SIGSTOP)
        time.sleep(HELD_UP)
        victim.process.send_signal(signal.SIGCONT)
        victim.ready.set()


class Client:
    """Asks one process after the other, as a load balancer does. What is not an answer is asked again, under the same key.

    It takes success, a refusal that the test expects, no connection, and 503 with ``Retry-After`` or 409 while a key is in use; whatever
    else comes is a ``fault``.
    """

    def __init__(self, fleet: Fleet, host: str, key: str) -> None:
        self._fleet = fleet
        self._host = host
        self._key = key
        self._turn = count()
        self.answers: Counter[str] = Counter()
        self.faults: list[str] = []

    def call(self, method: str, path: str, body: Any = None, *, key: str | None = None, patience: float = 180) -> Any:
        """Return the body of a success, however long it takes."""
        deadline = time.monotonic() + patience
        while True:
            status, headers, answer = self._once(method, path, body, key)
            self.answers["connection" if status == 0 else str(status)] += 1
            if 200 <= status < 300:
                return answer
            waits = status == 0 or (status == 503 and headers.get("retry-after", "").isdigit()) or (status == 409 and "retry-after" in headers)
            if not waits:
                self.faults.append(f"{method} {path}: {status} {headers} {answer}")
                raise AssertionError(self.faults[-1])
            if time.monotonic() > deadline:
                raise AssertionError(f"{method} {path}: no success within {patience} s; last: {status} {answer}")
            time.sleep(0.1)

    def _once(self, method: str, path: str, body: Any, key: str | None) -> tuple[int, dict[str, str], Any]:
        ports = self._fleet.ports
        connection = http.client.HTTPConnection("127.0.0.1", ports[next(self._turn) % len(ports)], timeout=8)
        headers = {"host": self._host, "x-api-key": self._key, "content-type": "application/json"}
        if key is not None:
            headers["idempotency-key"] = key
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            return 0, {}, None
        finally:
            connection.close()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, json.loads(text) if text else None

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield everything in a list."""
        last = ""
        while True:
            page = self.call("GET", f"{path}{'&' if '?' in path else '?'}limit=100{last}")
            yield from page["data"]
            if not page["has_more"]:
                return
            last = f"&starting_after={page['data'][-1]['id']}"


class Follower(threading.Thread):
    """Follows the stream of events for as long as it is let, at whichever process answers, from where it had come."""

    def __init__(self, fleet: Fleet, host: str, key: str, first: str) -> None:
        super().__init__(daemon=True)
        self._fleet = fleet
        self._headers = {"host": host, "x-api-key": key}
        self.last = first
        self.events: dict[str, dict[str, Any]] = {}
        self.order: list[str] = []
        self.repeated: list[str] = []
        self.refused: list[str] = []
        self.connections = 0
        self._stopping = threading.Event()
        self._turn = count()

    def run(self) -> None:
        while not self._stopping.is_set():
            ports = self._fleet.ports
            connection = http.client.HTTPConnection("127.0.0.1", ports[next(self._turn) % len(ports)], timeout=20)
            try:
                connection.request("GET", "/api/v1/events/stream", headers=self._headers | {"last-event-id": self.last})
                self._listen(connection.getresponse())
            except (OSError, http.client.HTTPException):
                self._stopping.wait(0.2)
            finally:
                connection.close()

    def _listen(self, response: http.client.HTTPResponse) -> None:
        if response.status != 200:
            if response.status != 503:
                self.refused.append(f"{response.status} {response.read()[:300]!r}")
            self._stopping.wait(0.2)
            return
        self.connections += 1
        identity = ""
        for line in response:
            if self._stopping.is_set():
                return
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "id":
                identity = value
            elif name == "data":
                (self.repeated if identity in self.events else self.order).append(identity)
                self.events[identity] = json.loads(value)
                self.last = identity

    def stop(self) -> None:
        self._stopping.set()


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PEPAY_")}
    return kept | {"PYTHONUNBUFFERED": "1"} | more


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def errors_in(text: str) -> list[str]:
    """Return what may not stand in a log, whatever happens around the process: something that has stopped for good, or that nobody caught."""
    return re.findall(r".*(?:CRITICAL|never retrieved|never awaited|Exception in ).*", text)


def say(text: str, end: str = "\n") -> None:
    """Tell whoever watches what is going on; ``-s`` shows it."""
    print(text, end=end, flush=True)  # noqa: T201
