"""Having a chain looked at by the process that watches it, from one that does not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pepay_core.domain.coverage import ChainHealth
from pepay_core.domain.errors import ChainUnavailable
from pepay_core.services.waking import look_wanted, looked, watching

if TYPE_CHECKING:
    from pepay_core.contracts.chain import Chain
    from pepay_core.domain.coverage import ChainState
    from pepay_core.services.ports import Store

PATIENCE: Final = 12.0
"""Seconds; longer than it takes a watcher that hears no hints to write down unasked how far it has come."""


async def have_looked(store: Store, chain: Chain, *, patience: float = PATIENCE) -> None:
    """Return once another process has looked at a chain; raises ChainUnavailable, with what to do, when none does or it could not.

    At worst that look had begun a moment before.
    """
    with watching(store.wakes, looked(chain.id)) as watch:
        before = await _state(store, chain)
        store.wakes.tell({look_wanted(chain.id)})
        try:
            async with asyncio.timeout(patience):
                # A hint proves nothing: that somebody has looked stands in the database.
                while (now := await _state(store, chain)) is None or (before and now.checked_at == before.checked_at):
                    await watch.rest()
        except TimeoutError:
            raise ChainUnavailable(
                f"{chain.name} is not watched by this process, and no other one has looked at it within {patience:g} seconds: "
                "see that `pepay serve --role worker` runs, and what `pepay chain status` says"
            ) from None
    if now.health is ChainHealth.DEGRADED:
        raise ChainUnavailable(f"{chain.name}: {now.reason}")


async def _state(store: Store, chain: Chain) -> ChainState | None:
    async with store.read() as tx:
        return await tx.chains.state(chain.id)
