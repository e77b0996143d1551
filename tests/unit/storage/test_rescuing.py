"""What must not be left half done is done before a cancellation is raised."""

from __future__ import annotations

import asyncio

import pytest

from pepay_core.storage.rescuing import to_the_end


async def test_the_result_and_the_error_come_through():
    async def fail():
        raise KeyError("why")

    assert await to_the_end(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(KeyError, match="why"):
        await to_the_end(fail())


@pytest.mark.parametrize("cancellations", [1, 3])
@pytest.mark.parametrize("fails", [False, True])
async def test_a_cancellation_waits_for_the_end_of_the_work(cancellations, fails):
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), []

    async def work():
        begun.set()
        await may_end.wait()
        ended.append(True)
        if fails:
            raise KeyError

    task = asyncio.create_task(to_the_end(work()))
    await begun.wait()
    for _ in range(cancellations):
        task.cancel()
        for _ in range(3):
            await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]


async def test_work_that_is_cancelled_itself_says_so():
    inner = asyncio.create_task(asyncio.Event().wait())
    outer = asyncio.create_task(to_the_end(inner))
    await asyncio.sleep(0)
    inner.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outer
