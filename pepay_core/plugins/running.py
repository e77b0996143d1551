"""Running what plugins run for as long as the server does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import NotReady
from pepay_core.plugins.lifecycle import PluginState
from pepay_core.plugins.problems import Stage, told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from pepay_core.contracts.context import Clock
    from pepay_core.plugins.lifecycle import Assembly

log = logging.getLogger(__name__)

_ENTERING: Final = 20.0
_LEAVING: Final = 5.0
_LONGEST_WAIT: Final = 60.0


@contextlib.asynccontextmanager
async def running(assembly: Assembly, clock: Clock) -> AsyncIterator[None]:
    """Enter the plugins' lifespans in their order, and leave them in reverse; one that fails costs its plugin, one that is not ready waits."""
    entered: list[tuple[str, AbstractAsyncContextManager[None]]] = []
    waiting: dict[str, str] = {}
    tasks: list[asyncio.Task[None]] = []
    try:
        for given in assembly.host.ask("pepay_lifespan"):
            reason = await _enter(assembly, given.plugin, given.value, entered)
            if reason is not None:
                waiting[given.plugin] = reason
        tasks = [asyncio.create_task(_retry(assembly, name, entered, clock), name=f"lifespan {name}") for name in waiting]
        for name in assembly.host.plugins:
            if name in waiting:
                assembly.mark(name, PluginState.DEGRADED, stage=Stage.RUN, reason=waiting[name], hint="it is started again by itself")
            else:
                assembly.mark(name, PluginState.RUNNING)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for name, lifespan in reversed(entered):
            try:
                async with asyncio.timeout(_LEAVING):
                    await lifespan.__aexit__(None, None, None)
            except (Exception, SystemExit):
                log.exception("plugin %s did not stop cleanly", name)


async def _enter(
    assembly: Assembly, name: str, lifespan: AbstractAsyncContextManager[None], entered: list[tuple[str, AbstractAsyncContextManager[None]]]
) -> str | None:
    """Enter one lifespan; return why it asks to be tried again, or None."""
    try:
        async with asyncio.timeout(_ENTERING):
            await lifespan.__aenter__()
    except NotReady as exc:
        log.warning("plugin %s is not ready: %s", name, exc)
        return str(exc) or "not ready"
    except (Exception, SystemExit) as exc:
        log.exception("plugin %s failed to start", name)
        assembly.quarantine(name, Stage.RUN, told(exc), "see the log; `pepay plugin disable` takes it out")
        return None
    entered.append((name, lifespan))
    return None


async def _retry(assembly: Assembly, name: str, entered: list[tuple[str, AbstractAsyncContextManager[None]]], clock: Clock) -> None:
    wait = 1.0
    while name in assembly.host.plugins:
        await clock.sleep(wait)
        wait = min(wait * 2, _LONGEST_WAIT)
        for given in assembly.host.ask("pepay_lifespan"):
            if given.plugin == name and await _enter(assembly, name, given.value, entered) is None:
                assembly.mark(name, PluginState.RUNNING)
                return
