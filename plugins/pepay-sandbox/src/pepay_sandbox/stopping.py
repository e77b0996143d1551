"""Running until somebody says stop."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

# A terminal that is closed hangs up; where there are no terminals, there is no such signal.
_SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_T = TypeVar("_T")


def run_until_stopped(work: Coroutine[Any, Any, _T]) -> _T | None:
    """Run a coroutine and return its result, or None when Ctrl-C or SIGTERM ended it, after it has cleaned up.

    A second signal does not wait for that.
    """
    with suppress(KeyboardInterrupt):
        return asyncio.run(_guard(work))
    return None


async def _guard(work: Coroutine[Any, Any, _T]) -> _T | None:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(work)
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
        task.cancel()

    for number in _SIGNALS:
        with suppress(NotImplementedError):  # a platform whose loops know no signals: Ctrl-C reaches asyncio.run
            loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if stopped:
            return None
        raise
