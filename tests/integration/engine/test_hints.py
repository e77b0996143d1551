"""Hints to look sooner: a driver may give them, and nothing but the moment of a look depends on them."""

from __future__ import annotations

import asyncio

import pytest
from engines import CHAIN


class Hints:
    """What a driver's ``wake`` returns: a hint for each one that the test gives, or what it is told to raise."""

    def __init__(self):
        self.waiting = asyncio.Queue()

    async def __aiter__(self):
        while True:
            given = await self.waiting.get()
            if isinstance(given, Exception):
                raise given
            yield given


@pytest.fixture
async def keeper(pepay, monkeypatch):
    """Return the chain's keeper, running with so much time between looks that only hints can be the reason for another."""
    keeper = pepay.runtime.keepers[CHAIN]
    keeper.hints, keeper.looks = Hints(), asyncio.Semaphore(0)
    monkeypatch.setattr(type(keeper), "_interval", 3600.0)
    monkeypatch.setattr(type(pepay.runtime.catalogue.chain(CHAIN)), "wake", lambda _chain: keeper.hints)
    look = keeper._watcher.look

    async def counted():
        try:
            return await look()
        finally:
            keeper.looks.release()

    monkeypatch.setattr(keeper._watcher, "look", counted)
    running = asyncio.create_task(keeper.run())
    await keeper.looks.acquire()
    yield keeper
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_hint_is_followed_by_a_look_at_once(keeper):
    for _ in range(3):
        keeper.hints.waiting.put_nowait(None)
        async with asyncio.timeout(60):
            await keeper.looks.acquire()


async def test_hints_that_fail_stop_nothing(pepay, keeper, caplog):
    keeper.hints.waiting.put_nowait(RuntimeError("the driver is broken"))
    keeper.wake()
    async with asyncio.timeout(60):
        await keeper.looks.acquire()
    assert "hints failed" in caplog.text
    assert pepay.runtime.heads.usable(CHAIN)
