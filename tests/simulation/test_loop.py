"""The loop itself: time jumps, the seed decides, and what is killed never runs again."""

from __future__ import annotations

import asyncio
import random

import pytest

from simulation.loop import PROCESS, Process, SimLoop, Stuck


def play(work, seed=0):
    loop = SimLoop(random.Random(seed))
    try:
        return loop.run_until_complete(work(loop))
    finally:
        loop.close()


def test_time_jumps_to_what_is_due():
    async def work(loop):
        await asyncio.sleep(86_400)
        return loop.time()

    assert play(work) == pytest.approx(86_400)


def test_timeouts_are_in_virtual_time():
    async def work(loop):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.sleep(3_600)
        return loop.time()

    assert play(work) == pytest.approx(30)


def test_the_seed_decides_who_goes_first():
    async def work(_loop):
        order = []

        async def one(number):
            await asyncio.sleep(0)
            order.append(number)

        await asyncio.gather(*map(one, range(10)))
        return order

    assert play(work, 1) == play(work, 1)
    assert play(work, 1) != play(work, 2)


def test_what_is_killed_stops_between_two_steps_without_cleaning_up():
    done = []

    async def work(loop):
        process = Process(loop, "p")

        async def child():
            assert PROCESS.get() is process
            try:
                await asyncio.sleep(1)
                done.append("went on")
            finally:
                done.append("cleaned up")

        async def main():
            await asyncio.create_task(child())

        process.start(main())
        await asyncio.sleep(0.5)
        process.kill()
        await asyncio.sleep(5)
        so_far = list(done)
        process.bury()
        return so_far

    assert play(work) == []


def test_nothing_left_to_do_is_told_and_not_waited_for():
    async def work(loop):
        await loop.create_future()

    with pytest.raises(Stuck, match="nothing is scheduled"):
        play(work)


def test_threads_are_refused():
    async def work(_loop):
        await asyncio.to_thread(print)

    with pytest.raises(RuntimeError, match="thread"):
        play(work)
