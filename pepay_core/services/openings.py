"""Opening drivers once, whoever needs them first: a watcher, or somebody who asks about a chain that this process does not watch."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import ChainUnavailable, ConfigError, NotReady

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pepay_core.contracts.chain import Chain
    from pepay_core.domain.assets import ChainId

_OPENING: Final = 20.0


class Openings:
    """Which drivers are open."""

    def __init__(self) -> None:
        self._open: dict[ChainId, Chain] = {}
        self._locks: defaultdict[ChainId, asyncio.Lock] = defaultdict(asyncio.Lock)

    def __contains__(self, chain: Chain) -> bool:
        return chain.id in self._open

    async def open(self, chain: Chain) -> None:
        """Open a driver unless it is open; raises what it raises, or TimeoutError."""
        async with self._locks[chain.id]:
            if chain.id not in self._open:
                async with asyncio.timeout(_OPENING):
                    await chain.open()
                self._open[chain.id] = chain

    async def close(self, chain: Chain) -> None:
        """Close a driver. What goes wrong then is of no use to anybody."""
        self._open.pop(chain.id, None)
        with contextlib.suppress(Exception):
            async with asyncio.timeout(3):
                await chain.close()

    async def close_all(self) -> None:
        """Close what is open."""
        for chain in list(self._open.values()):
            await self.close(chain)

    @contextlib.asynccontextmanager
    async def reached(self, chain: Chain, source: str | None = None) -> AsyncGenerator[Chain, None]:
        """Give an open driver, or what one endpoint alone shows of its chain; raises ChainUnavailable or InvalidInput."""
        try:
            if source is None:
                await self.open(chain)
                yield chain
                return
            alone = chain.through(source)
            try:
                async with asyncio.timeout(_OPENING):
                    await alone.open()
                yield alone
            finally:
                with contextlib.suppress(Exception):
                    await alone.close()
        except (NotReady, ConfigError) as exc:
            raise ChainUnavailable(str(exc)) from exc
