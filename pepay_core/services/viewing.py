"""Open pages, and when each of them has to look again.

A page is told a revision (:mod:`pepay_core.services.revisions`) and nothing else. However many pages are open, an invoice that changes is read
once, and a new block costs one short computation for each invoice that somebody looks at.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.errors import PePayError, RateLimited
from pepay_core.domain.ids import InvoiceId
from pepay_core.services.revisions import Networks, Watched
from pepay_core.services.waking import invoice_changed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping

    from pepay_core.contracts.context import Clock
    from pepay_core.services.ports import Store

log = logging.getLogger(__name__)

PER_INVOICE: Final = 20
"""How many pages of one invoice are told at the same time."""

_BUSY: Final = 10  # seconds after which one page too many may ask again
_TICK: Final = 1.0  # seconds after which clocks and chains are looked at all the same
_GATHERING: Final = 0.05  # seconds in which further hints are waited for
_PACE: Final = 1.0  # seconds between two revisions of a page that only differ in confirmations


@dataclass(slots=True)
class _Shown:
    """One invoice that somebody looks at."""

    watched: Watched
    revision: str
    at: float
    viewers: set[asyncio.Event] = field(default_factory=set[asyncio.Event])


class Viewers:
    """Whoever has a page open. ``load`` reads an invoice as its buyer sees it; ``networks`` tells how they fare."""

    def __init__(self, store: Store, clock: Clock, load: Callable[[str], Awaitable[Mapping[str, Any]]], networks: Callable[[], Networks]) -> None:
        self._store = store
        self._clock = clock
        self._load = load
        self._networks = networks
        self._shown: dict[str, _Shown] = {}
        self._changed: set[str] = set()
        self._hinted = asyncio.Event()
        self._from: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._looked = 0.0
        self.closed = False

    def __contains__(self, invoice: str) -> bool:
        return invoice in self._shown

    def __len__(self) -> int:
        return self._from.total()

    def check(self, invoice: str, address: str, limit: int) -> None:
        """Raise RateLimited when an address, or an invoice, has too many open pages already."""
        known = self._shown.get(invoice)
        if self._from[address] >= limit or (known and len(known.viewers) >= PER_INVOICE):
            raise RateLimited("too many pages are open; they can ask from time to time instead", retry_after=_BUSY)

    async def follow(self, invoice: str, address: str, *, patience: float) -> AsyncGenerator[str]:
        """Yield the revision now, each time it changes, and after as many seconds of silence again, until everything is closed."""
        with self._viewer(address):
            shown = await self._enter(invoice)
            woken = asyncio.Event()
            shown.viewers.add(woken)
            try:
                with self._store.wakes.on(lambda: self._hint(invoice), invoice_changed(invoice)):
                    while not self.closed:
                        woken.clear()
                        yield shown.revision
                        with suppress(TimeoutError):
                            async with asyncio.timeout(patience):
                                await woken.wait()
            finally:
                shown.viewers.discard(woken)
                if not shown.viewers:
                    self._shown.pop(invoice, None)

    def moved(self) -> None:
        """Have the pages looked at: a chain has come further, or fares differently."""
        self._hinted.set()

    def close(self) -> None:
        """Let all go, so that a server that stops waits for none of them; they come back to the next one."""
        self.closed = True
        for each in self._shown.values():
            for viewer in each.viewers:
                viewer.set()
        self._hinted.set()

    @contextmanager
    def _viewer(self, address: str) -> Generator[None]:
        self._from[address] += 1
        try:
            yield
        finally:
            self._from[address] -= 1
            if not self._from[address]:
                del self._from[address]

    async def _enter(self, invoice: str) -> _Shown:
        known = self._shown.get(invoice)
        if known is None:
            watched = Watched.of(await self._load(invoice))
            fresh = _Shown(watched, watched.revision(self._networks(), self._seconds()), self._clock.monotonic())
            # Another page of the same invoice may have been quicker.
            known = self._shown.setdefault(invoice, fresh)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="viewers")
        return known

    def _hint(self, invoice: str) -> None:
        self._changed.add(invoice)
        self._hinted.set()

    # --- looking -------------------------------------------------------------------------

    async def _run(self) -> None:
        """Look for as long as anybody else does."""
        while self._shown and not self.closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK):
                    await self._hinted.wait()
            self._hinted.clear()
            try:
                await self._look()
            except PePayError as exc:
                log.warning("open pages cannot be told of changes right now: %s", exc)
            await asyncio.sleep(_GATHERING)

    async def _look(self) -> None:
        now = self._clock.monotonic()
        if now - self._looked >= self._store.wakes.patience:
            self._looked = now
            self._changed |= await self._outdated()
        changed, self._changed = self._changed & set(self._shown), set()
        for invoice in changed:
            await self._reread(invoice)
        networks, seconds = self._networks(), self._seconds()
        for shown in self._shown.values():
            # Some chains make several blocks a second, and nobody reads as fast.
            if self._clock.monotonic() - shown.at >= _PACE:
                self._tell(shown, networks, seconds)

    async def _outdated(self) -> set[str]:
        """Return the invoices of which a newer version is stored: a hint may not have come."""
        async with self._store.read() as tx:
            versions = await tx.invoices.versions([InvoiceId(each) for each in self._shown])
        return {invoice for invoice, version in versions.items() if (known := self._shown.get(invoice)) and known.watched.version != version}

    async def _reread(self, invoice: str) -> None:
        try:
            watched = Watched.of(await self._load(invoice))
        except PePayError:
            self._changed.add(invoice)
            raise
        if shown := self._shown.get(invoice):
            shown.watched = watched
            self._tell(shown, self._networks(), self._seconds())

    def _tell(self, shown: _Shown, networks: Networks, seconds: int) -> None:
        revision = shown.watched.revision(networks, seconds)
        if revision != shown.revision:
            shown.revision = revision
            shown.at = self._clock.monotonic()
            for viewer in shown.viewers:
                viewer.set()

    def _seconds(self) -> int:
        return int(self._clock.now().timestamp())
