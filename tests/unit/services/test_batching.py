from __future__ import annotations

import asyncio

import pytest

from pepay_core.services.batching import Batcher


class Handler:
    """Doubles numbers, slowly enough for others to come; refuses some."""

    def __init__(self, *refused) -> None:
        self.refused = refused
        self.batches = []
        self.began = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, items):
        self.batches.append(list(items))
        self.began.set()
        await self.gate.wait()
        if bad := set(items) & set(self.refused):
            raise ValueError(bad)
        return [each * 2 for each in items]


async def test_each_gets_the_result_of_its_own_item():
    handler = Handler()
    batcher = Batcher(handler)
    assert await asyncio.gather(*map(batcher, range(250))) == [each * 2 for each in range(250)]
    assert [len(each) for each in handler.batches] == [100, 100, 50]


async def test_what_comes_during_a_call_is_handled_together_after_it():
    handler = Handler()
    handler.gate.clear()
    batcher = Batcher(handler)
    first = asyncio.create_task(batcher(1))
    await handler.began.wait()
    others = [asyncio.create_task(batcher(each)) for each in (2, 3)]
    await asyncio.sleep(0)
    handler.gate.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6]
    assert handler.batches == [[1], [2, 3]]


async def test_one_that_cannot_be_handled_fails_alone():
    handler = Handler(2)
    batcher = Batcher(handler)
    results = await asyncio.gather(*map(batcher, (1, 2, 3)), return_exceptions=True)
    assert (results[0], type(results[1]), results[2]) == (2, ValueError, 6)
    assert await batcher(4) == 8


async def test_who_gives_up_leaves_the_item_to_be_handled():
    handler = Handler()
    handler.gate.clear()
    batcher = Batcher(handler)
    waiting = asyncio.create_task(batcher(1))
    await handler.began.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    handler.gate.set()
    await batcher.settle(5)
    assert handler.batches == [[1]]
    assert await batcher(2) == 4
