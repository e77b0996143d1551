"""Several processes behind one socket: started, started again when they die, and ended together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import ConfigError

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Sequence

_PAUSE: Final = 1.0
_log: Final = logging.getLogger("pepay.serve")


async def supervise(command: Sequence[str], count: int, listener: int, ready: Callable[[], None]) -> None:
    """Run ``count`` processes until a signal comes; each inherits the listening socket and says in one line that it is ready.

    Raises ConfigError when one ends before it was ready even once: it would do so again.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop.set)
    told: list[bool] = []

    def first_ready() -> None:
        if not told:
            told.append(True)
            ready()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(_keep(command, listener, stop, first_ready))
    except* ConfigError as failed:
        raise failed.exceptions[0] from None


async def _keep(command: Sequence[str], listener: int, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Keep one process running."""
    once = False
    while not stop.is_set():
        process = await asyncio.create_subprocess_exec(*command, pass_fds=[listener], stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        try:
            started = await _until(stop, _line(process))
            if started:
                once = True
                ready()
            code = await _until(stop, process.wait())
            # A process that was killed may do better next time; one that ended by itself would not.
            if isinstance(code, int) and code >= 0 and not once:
                stop.set()
                raise ConfigError(f"a process ended with exit code {code} before it was ready", hint="its own message stands above")
        finally:
            await _end(process)
        if not stop.is_set():
            _log.error("a process ended with exit code %s and is started again", process.returncode)
            await _until(stop, asyncio.sleep(_PAUSE))


async def _line(process: Process) -> bool:
    assert process.stdout is not None
    return bool(await process.stdout.readline())


async def _until(stop: asyncio.Event, awaited: object) -> object:
    """Return what is awaited, or None when the end comes first."""
    task = asyncio.ensure_future(awaited)  # type: ignore[arg-type]
    ending = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([task, ending], return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        ending.cancel()


async def _end(process: Process) -> None:
    """End a process that still runs, and wait for it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    await process.wait()
