"""An event loop without a clock, sockets or threads: a seed decides what runs next, and time jumps to whatever is due."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from asyncio.base_events import BaseEventLoop
from contextvars import ContextVar, copy_context
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Coroutine

PROCESS: ContextVar[Process | None] = ContextVar("simulated_process", default=None)


class Stuck(RuntimeError):
    """Nothing will ever happen again, or far too much happens without an end."""


class Process:
    """A virtual process. Killed, it stops between two steps: nothing of it runs any more, not even a ``finally``."""

    def __init__(self, loop: SimLoop, name: str) -> None:
        self.name = name
        self.alive = True
        self.frozen_until = 0.0
        self.on_death: list[Callable[[], None]] = []
        self._loop = loop
        self._tasks: list[asyncio.Task[Any]] = []
        self._context = copy_context()
        self._context.run(PROCESS.set, self)

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine as a task of this process."""
        return self._loop.create_task(work, context=self._context.copy())

    def own(self, task: asyncio.Task[Any]) -> None:
        """Keep a task, so that it is never collected while the seed runs: collecting it would run its ``finally`` blocks."""
        self._tasks.append(task)
        if len(self._tasks) > 200:
            self._tasks = [each for each in self._tasks if not each.done()]

    @property
    def running(self) -> list[asyncio.Task[Any]]:
        """The tasks that have not ended."""
        return [each for each in self._tasks if not each.done()]

    async def gone(self) -> None:
        """Wait for its death."""
        if self.alive:
            told = self._loop.create_future()
            self.on_death.append(lambda: None if told.done() else told.set_result(None))
            await told

    def kill(self) -> None:
        """Stop it for good."""
        if self.alive:
            self.alive = False
            for each in self.on_death:
                each()

    def bury(self) -> None:
        """Unwind what was killed, once nothing looks at it any more; where its ``finally`` blocks wait, they wait in vain."""
        for task in self.running:
            task._log_destroy_pending = False
            _unwind(task.get_coro())
        self._tasks.clear()


def _unwind(coroutine: Any) -> None:
    for _ in range(100):
        with contextlib.suppress(BaseException):
            coroutine.close()
            return


class SimLoop(BaseEventLoop):
    """Runs one handle at a time, chosen by ``chance`` among those that are ready; handles of dead processes are dropped."""

    def __init__(self, chance: random.Random, *, limit: int = 5_000_000) -> None:
        super().__init__()
        self._chance = chance.random
        self._now = 0.0
        self._limit = limit
        self._numbers = count()
        self.steps = 0
        self.before_step: Callable[[Process], None] | None = None
        """Told of every step of a living process; it may kill it."""
        self.set_task_factory(_make_task)
        self.set_exception_handler(lambda _loop, _context: None)

    def time(self) -> float:
        return self._now

    def number(self) -> int:
        """Return another number than ever before."""
        return next(self._numbers)

    def run_in_executor(self, *_: Any) -> Any:
        raise RuntimeError("a thread would not be deterministic")

    def _write_to_self(self) -> None:
        pass

    def _run_once(self) -> None:
        ready: Any = self._ready
        scheduled: Any = self._scheduled
        if not ready:
            while scheduled and scheduled[0]._cancelled:
                heapq.heappop(scheduled)._scheduled = False
            if not scheduled:
                raise Stuck("nothing is ready and nothing is scheduled")
            self._now = max(self._now, scheduled[0]._when)
        while scheduled and scheduled[0]._when <= self._now:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            if not handle._cancelled:
                ready.append(handle)
        if not ready:
            return
        if len(ready) > 1:
            place = int(self._chance() * len(ready))
            ready.rotate(-place)
            handle = ready.popleft()
            ready.rotate(place)
        else:
            handle = ready.popleft()
        if not handle._cancelled:
            self._step(handle)

    def _step(self, handle: Any) -> None:
        process = handle._context.get(PROCESS)
        if process is not None:
            if not process.alive:
                return
            if process.frozen_until > self._now:
                self.call_at(process.frozen_until, self._ready.append, handle)
                return
            if self.before_step is not None:
                self.before_step(process)
                if not process.alive:
                    return
        self.steps += 1
        if self.steps > self._limit:
            raise Stuck(f"no end after {self._limit} steps")
        handle._run()


class _Task(asyncio.Task[Any]):
    """A task whose place in a set is decided by when it was made, and not by where it lies in memory: a group cancels its tasks in that order."""

    def __init__(self, coro: Any, *, loop: SimLoop, **options: Any) -> None:
        self._number = loop.number()
        super().__init__(coro, loop=loop, **options)

    def __hash__(self) -> int:
        return self._number


def _make_task(loop: Any, coro: Any, **options: Any) -> asyncio.Task[Any]:
    context = options.get("context")
    process = context.get(PROCESS) if context is not None else PROCESS.get()
    task = _Task(coro, loop=loop, **options)
    if process is not None:
        process.own(task)
    return task
