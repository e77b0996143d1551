"""Many requests at once against a real server of several processes, and what became of them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LIMIT = 100
_SECONDS = 180
_PEPAY = [sys.executable, "-m", "pepay_core.cli.main"]
_NONE = "0" * 26

ROUTES = [
    ("POST", "/api/v1/invoices"),
    ("POST", f"/api/v1/invoices/inv_{_NONE}/cancel"),
    ("POST", f"/api/v1/invoices/inv_{_NONE}/verify"),
    ("POST", f"/api/v1/invoices/inv_{_NONE}/resolve"),
    ("POST", f"/api/v1/invoices/inv_{_NONE}/payment-options"),
    ("PATCH", "/api/v1/merchant"),
    ("POST", "/api/v1/wallets"),
    ("DELETE", f"/api/v1/wallets/wal_{_NONE}"),
    ("POST", "/api/v1/webhooks"),
    ("PATCH", f"/api/v1/webhooks/whk_{_NONE}"),
    ("DELETE", f"/api/v1/webhooks/whk_{_NONE}"),
    ("POST", f"/api/v1/webhooks/whk_{_NONE}/rotate-secret"),
    ("POST", f"/api/v1/webhooks/whk_{_NONE}/test"),
    ("POST", "/api/v1/api-keys"),
    ("DELETE", f"/api/v1/api-keys/key_{_NONE}"),
    ("POST", f"/api/v1/invoices/inv_{_NONE[:-1]}1/cancel"),
    ("POST", f"/api/v1/invoices/inv_{_NONE[:-1]}1/verify"),
    ("DELETE", f"/api/v1/wallets/wal_{_NONE[:-1]}1"),
    ("DELETE", f"/api/v1/webhooks/whk_{_NONE[:-1]}1"),
    ("DELETE", f"/api/v1/api-keys/key_{_NONE[:-1]}1"),
]
"""Twenty writes that are let in and then refused for what they ask: they cost their share of the limit, and nothing else."""


@dataclass
class Outcome:
    """What became of a burst."""

    statuses: list[int] = field(default_factory=list)
    waits: list[int] = field(default_factory=list)

    @property
    def passed(self) -> int:
        return sum(status in {200, 400, 404, 415, 422} for status in self.statuses)

    @property
    def refused(self) -> int:
        return self.statuses.count(429)


@dataclass
class Gateway:
    """A running server, its first key, and the limit of the keys that it makes."""

    url: str
    key: str

    def new_key(self) -> str:
        return asyncio.run(self._new_key())

    async def _new_key(self) -> str:
        body: dict[str, Any] = {"name": "burst", "scopes": ["invoices:write", "merchant:write", "wallets:write", "webhooks:write", "keys:write"]}
        body |= {"writes_per_minute": LIMIT}
        headers = {"x-api-key": self.key}
        async with aiohttp.ClientSession(headers=headers) as session, session.post(f"{self.url}/api/v1/api-keys", json=body) as made:
            assert made.status == 201, await made.text()
            return (await made.json())["key"]


def burst(gateway: Gateway, key: str, routes: Sequence[tuple[str, str]], times: int) -> Outcome:
    """Send ``times`` requests, as many at once as the server takes, one route after the other."""
    return asyncio.run(_burst(gateway, key, routes, times))


async def _burst(gateway: Gateway, key: str, routes: Sequence[tuple[str, str]], times: int) -> Outcome:
    outcome = Outcome()
    # A connection for each request: the system spreads connections over the processes, not requests.
    connector = aiohttp.TCPConnector(limit=40, force_close=True)
    async with aiohttp.ClientSession(connector=connector, headers={"x-api-key": key}) as session:

        async def ask(number: int) -> None:
            method, path = routes[number % len(routes)]
            async with session.request(method, gateway.url + path, timeout=aiohttp.ClientTimeout(_SECONDS)) as answer:
                outcome.statuses.append(answer.status)
                if answer.status == 429:
                    outcome.waits.append(int(answer.headers["retry-after"]))

        await asyncio.gather(*(ask(number) for number in range(times)))
    return outcome


async def _all_there(url: str, workers: int) -> None:
    """Return once each process has answered: the first time it is asked for its numbers, it has answered nothing yet."""
    seen = 0
    connector = aiohttp.TCPConnector(limit=2 * workers, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def is_new() -> bool:
            async with session.get(f"{url}/metrics") as answer:
                return 'pepay_requests_total{method="GET",status="200"}' not in await answer.text()

        async with asyncio.timeout(_SECONDS):
            while seen < workers:
                seen += sum(await asyncio.gather(*(is_new() for _ in range(2 * workers))))


@contextmanager
def limited_gateway(folder: Path, postgres: Any, *, workers: int) -> Iterator[Gateway]:
    """Run a server of several processes on a database of its own."""
    database = postgres.create()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PEPAY_")}
    environ = {**kept, "PEPAY_SERVER__PORT": "0", "PEPAY_PLUGINS__ENABLED": '["webhook-hmac"]', "PEPAY_DATABASE__URL": postgres.url(database)}
    made = subprocess.run([*_PEPAY, "init", "--yes", "--json"], cwd=folder, env=environ, capture_output=True, check=True, timeout=_SECONDS)
    process = subprocess.Popen(
        [*_PEPAY, "serve", "--workers", str(workers)], cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    alarm = threading.Timer(_SECONDS, process.kill)
    alarm.start()
    try:
        assert process.stdout
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, "the server did not start"
        asyncio.run(_all_there(found[0], workers))
        yield Gateway(found[0], json.loads(made.stdout)["keys"]["test"])
    finally:
        alarm.cancel()
        process.terminate()
        process.communicate(timeout=60)
        postgres.drop(database)
