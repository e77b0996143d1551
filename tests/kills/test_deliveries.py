"""Many events to twenty endpoints, of which four never accept one, by a worker that is killed again and again.

``PEPAY_TEST_DELIVERY_EVENTS`` says how many events (300; the acceptance run has 10,000), ``PEPAY_TEST_DELIVERY_RATIO`` by which factor the
healthy endpoints may be slower than without the bad ones; without it the factor is only told, because a busy machine decides it too.
What a busy machine decides less is told beside it: the processor time that was spent by workers and receivers.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from blackbox import Market, gateway_on
from fleet import Fleet, environment, errors_in, say
from sink import FAIL, HANG

from pepay_core.clock import SystemClock
from pepay_core.domain.ids import MerchantId
from pepay_core.services.callers import Caller
from pepay_core.services.minting import Ids
from pepay_core.services.publishing import Outbox
from pepay_core.settings import load_settings

pytestmark = pytest.mark.slow

EVENTS = int(os.environ.get("PEPAY_TEST_DELIVERY_EVENTS", "300"))
KILL_EVERY = float(os.environ.get("PEPAY_TEST_DELIVERY_KILL_EVERY", "30" if EVENTS >= 5000 else "8"))
RATIO = os.environ.get("PEPAY_TEST_DELIVERY_RATIO")
HEALTHY, BAD, INVOICES, BATCH = 16, (HANG, HANG, FAIL, FAIL), 50, 50
LONGEST = 3600


@dataclass
class Sinks:
    """The receivers, in a process of their own."""

    process: subprocess.Popen[str]
    port: int

    @classmethod
    def start(cls) -> Sinks:
        program = Path(__file__).with_name("sink.py")
        process = subprocess.Popen([sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        return cls(process, int(process.stdout.readline()))

    def ask(self, question: str) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{question}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())[question]

    def stop(self) -> None:
        self.process.communicate("quit\n")


async def publish(folder: Path, merchant: str, port: int, bad: tuple[str, ...]) -> set[str]:
    """Make the endpoints, then the events: every version of some invoices."""
    from pepay_core.runtime import Runtime

    made: set[str] = set()
    async with Runtime.open(load_settings(folder / "pepay.toml", {}), workers=False, environ={}) as runtime:
        caller = Caller(MerchantId(merchant), False, "key_1")
        for number in range(HEALTHY):
            await runtime.endpoints.create(caller, f"http://127.0.0.1:{port}/healthy/{number}", ("*",))
        for number, kind in enumerate(bad):
            await runtime.endpoints.create(caller, f"http://127.0.0.1:{port}/{kind}/{number}", ("*",))
        clock = SystemClock()
        outbox = Outbox(clock, Ids(clock), lambda event: made.add(event.id))

        async def work(tx: Any, first: int) -> None:
            for number in range(first, min(first + BATCH, EVENTS)):
                invoice, version = f"inv_{number % INVOICES}", number // INVOICES + 1
                obj = {"object": "invoice", "id": invoice, "version": version, "status": f"status {version}", "description": "x" * 1500}
                await outbox.publish(tx, "invoice.processing", merchant=caller.merchant, livemode=False, subject=invoice, obj=obj)

        for first in range(0, EVENTS, BATCH):
            await runtime.store.run(lambda tx, first=first: work(tx, first))
    return made


def run(folder: Path, market: Market, database: str, bad: tuple[str, ...]) -> float:
    """Deliver everything, and return for how many seconds a worker was running until the last healthy endpoint had all of it."""
    folder.mkdir()
    gateway = gateway_on(folder, market, "", database)
    sinks = Sinks.start()
    fleet = Fleet.of(("worker",), folder, environment())
    (worker,) = fleet.members
    kills, down = 0, 0.0
    try:
        events = asyncio.run(publish(folder, gateway.made["merchant"], sinks.port, bad))
        fleet.start()
        began = last_kill = time.time()
        while True:
            time.sleep(0.5)
            counts = {path: each for path, each in sinks.ask("counts").items() if path.startswith("/healthy/")}
            if sum(count for count, _, _ in counts.values()) == EVENTS * HEALTHY:
                break
            assert time.time() - began < LONGEST, counts
            if time.time() - last_kill >= KILL_EVERY:
                kills += 1
                killed = time.time()
                worker.end(signal.SIGKILL)
                worker.start()
                assert worker.ready.wait(120), worker.text[-3000:]
                last_kill = time.time()
                down += last_kill - killed
        assert len(counts) == HEALTHY
        took = max(finished for _, _, finished in counts.values()) - began - down
        requests = sum(made for _, made, _ in counts.values())
        check_bodies(sinks.ask("bodies"), events)
        say(f"\n{EVENTS} events to {HEALTHY} healthy and {len(bad)} bad endpoints, {kills} kills, {down:.1f} s down:", end=" ")
        say(f"{took:.1f} s, {EVENTS * HEALTHY / took:.0f}/s, {requests - EVENTS * HEALTHY} deliveries came twice")
        assert errors_in(worker.text) == [], worker.text[-3000:]
        return took
    finally:
        if worker.process is not None:
            worker.process.kill()
            worker.process.wait()
        sinks.stop()


def processor_time() -> float:
    """Return how many seconds the processes that have ended spent."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def check_bodies(bodies: list[str], events: set[str]) -> None:
    """Every event came, and whoever applies them in any order, by version, ends where the last version is."""
    received = [json.loads(each) for each in bodies]
    assert {each["id"] for each in received} == events
    truth = {f"inv_{number}": len(range(number, EVENTS, INVOICES)) for number in range(min(INVOICES, EVENTS))}
    for seed in range(3):
        random.Random(seed).shuffle(received)
        state: dict[str, dict[str, Any]] = {}
        for each in (event["data"]["object"] for event in received):
            if each["version"] > state.get(each["id"], {"version": 0})["version"]:
                state[each["id"]] = each
        assert {key: each["version"] for key, each in state.items()} == truth
        assert all(each["status"] == f"status {each['version']}" for each in state.values())


def test_every_event_reaches_every_healthy_endpoint_and_bad_ones_slow_none(tmp_path, postgres):
    market = Market()
    names = [postgres.create(), postgres.create()]
    try:
        spent = [processor_time()]
        alone = run(tmp_path / "alone", market, postgres.url(names[0]), ())
        spent.append(processor_time())
        beside = run(tmp_path / "beside", market, postgres.url(names[1]), BAD)
        spent.append(processor_time())
    finally:
        market.close()
        for each in names:
            postgres.drop(each)
    say(f"processor time: {spent[1] - spent[0]:.1f} s without bad endpoints, {spent[2] - spent[1]:.1f} s with them")
    say(f"with four that fail or hang it took {beside / alone:.2f} times as long")
    assert RATIO is None or beside / alone <= float(RATIO)
