"""What runs besides requests: watchers, the cold pass, the closing of invoices, the dispatcher, replays, mail, prices kept at hand."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.errors import PePayError
from pepay_core.domain.rates import Pair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from pepay_core.runtime import Runtime

log = logging.getLogger(__name__)

_FOLLOWING: Final = 2.0  # seconds between looks at what another process's watchers wrote down
_WARMING: Final = 20.0  # seconds between looks at prices, shorter than they are kept


async def know_heads(runtime: Runtime) -> None:
    """Read how far the chains had come when their watchers last wrote it down."""
    async with runtime.store.read() as tx:
        for chain in runtime.catalogue.chains:
            state = await tx.chains.state(chain)
            if state is not None:
                runtime.heads.put(state)


@contextlib.asynccontextmanager
async def following(runtime: Runtime) -> AsyncIterator[None]:
    """Follow what the watchers of another process write down."""

    async def follow() -> None:
        while True:
            await runtime.clock.sleep(_FOLLOWING)
            try:
                await know_heads(runtime)
            except PePayError as exc:
                log.warning("the state of the chains cannot be read: %s", exc)

    jobs = {"following": follow, "wallets": runtime.lacking.run}
    tasks = [asyncio.create_task(_forever(name, job), name=name) for name, job in jobs.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def working(runtime: Runtime) -> AsyncIterator[None]:
    """Run the watchers, the cold pass, the closing of invoices, the dispatcher, replays, mail and the relay."""
    jobs = {
        "dispatcher": runtime.dispatcher.run,
        "replays": runtime.resending.run,
        "mail": functools.partial(runtime.carrier.run, runtime.mailing),
        "closing": runtime.closing.run,
        "cold pass": runtime.revisiting.run,
        "retention": runtime.retaining.run,
        "relay": runtime.relay.run,
        "rates": functools.partial(_warm, runtime),
        "wallets": runtime.lacking.run,
        **{f"watch {chain}": keeper.run for chain, keeper in runtime.keepers.items()},
    }
    tasks = [asyncio.create_task(_forever(name, job), name=name) for name, job in jobs.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _forever(name: str, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
    # Called here: a command that fails at once ends before its tasks have begun, and leaves no coroutine behind that was never awaited.
    try:
        await job()
    except Exception:
        log.critical("%s has stopped and will not come back before a restart", name, exc_info=True)


async def _warm(runtime: Runtime) -> None:
    """Keep prices at hand, so that creating an invoice waits for nobody."""
    while True:
        try:
            async with runtime.store.read() as tx:
                currencies = {merchant.currency for merchant in await tx.merchants.all()}
            coins = {token.rate_id for token in runtime.catalogue.tokens.values()}
            await runtime.desk.rates([Pair(coin, currency) for coin in sorted(coins) for currency in sorted(currencies)])
        except Exception:
            log.exception("asking for prices failed")
        await runtime.clock.sleep(_WARMING)
