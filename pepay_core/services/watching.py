"""Watching a chain: looking at every block once, crediting what it brought, walking back when blocks leave.

A pass asks for the tip, then reads which destinations were issued since the last pass, then scans up to that tip: a destination that is
issued later can only be paid in a later block. What was found, the ranges that are covered now and the checkpoint commit in one
transaction, so a pass that fails has done nothing, and runs again. What a pass costs does not depend on how much is watched, nor on how
long the chain was watched before.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.domain.chains import Scan
from pepay_core.domain.coverage import covered_until, extended
from pepay_core.domain.errors import ChainUnavailable, Conflict, CursorOrphaned
from pepay_core.domain.payments import is_deep
from pepay_core.domain.sources import Testimony
from pepay_core.services.appraising import Appraising
from pepay_core.services.beginning import KEPT, begin
from pepay_core.services.settling import Change
from pepay_core.services.watch_sets import WatchSet
from pepay_core.services.witnessing import Witnesses

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from pepay_core.contracts.chain import Chain
    from pepay_core.contracts.context import Clock
    from pepay_core.domain.assets import AssetId
    from pepay_core.domain.chains import Block, Tip, Transfer
    from pepay_core.domain.ids import InvoiceId, MerchantId, PaymentId
    from pepay_core.domain.merchants import Merchant
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.settling import Settling
    from pepay_core.services.valuing import Valuation
    from pepay_core.services.witnessing import Heard

log = logging.getLogger(__name__)

_CALL: Final = 30.0  # seconds that a driver may take for one answer
_REST: Final = timedelta(seconds=2)  # how often an unchanged head is written down again
_SLACK: Final = timedelta(hours=1)  # further back than a reorganisation takes the watcher
_BEHIND: Final = 3  # looks after which an idle chain that became shorter is believed


@dataclass(frozen=True, slots=True)
class Look:
    """What one pass found out: the tip, how far is covered now, and whether more is waiting."""

    tip: Tip
    covered: Block
    more: bool


class Watcher:
    """Looks at one chain. Passes must not overlap; two watchers of one chain are harmless, because the later commit is refused."""

    def __init__(self, chain: Chain, store: Store, settling: Settling, valuation: Valuation, catalogue: Catalogue, clock: Clock) -> None:
        self.chain = chain
        self._store = store
        self._settling = settling
        self._appraising = Appraising(store, valuation, catalogue)
        self._watched = WatchSet(chain)
        self._clock = clock
        self._witnesses = Witnesses(chain, store)
        self._judged: Tip | None = None
        self._rested: datetime | None = None
        self._behind = 0

    async def look(self) -> Look:
        """Make one pass; raises ChainUnavailable, or whatever storage raises, having changed nothing."""
        started = self._clock.now()
        async with asyncio.timeout(_CALL):
            tip = await self.chain.tip()
        async with self._store.read() as tx:
            newest = await tx.chains.newest_checkpoint(self.chain.id)
            if newest is not None:
                # By the chain's own time, because what is looked at late was paid while its destination was watched.
                await self._watched.refresh(tx, min(started, newest.time) - _SLACK)
        if newest is None:
            begun = await begin(self.chain, self._store, tip, started)
            return Look(tip, begun, more=begun != tip.block)

        base, scan = await self._scan(newest, tip)
        unsettled = await self._witnesses.follow(newest, base, scan)
        if scan.cursor == newest and self._judged == tip and not unsettled and not self._rest_is_over(scan, tip, started):
            return Look(tip, scan.cursor, more=False)

        heard = await self._witnesses.hear(self._watched.list, base, scan)
        found: dict[InvoiceId, list[Transfer]] = defaultdict(list)
        for transfer in heard.arrived:
            found[self._watched.invoice_of(transfer.to)].append(transfer)
        prices = await self._appraising.prices(found)
        until = covered_until(heard.covered, tip, started, idle=self.chain.idle)
        await self._store.run(lambda tx: self._commit(tx, newest, base, scan, tip, until, found, prices, heard))
        self._witnesses.heeded(heard, scan.cursor)
        self._judged, self._rested = tip, started
        return Look(tip, scan.cursor, more=scan.cursor.height < tip.block.height)

    # --- the parts of a pass -------------------------------------------------------------

    async def _scan(self, newest: Block, tip: Tip) -> tuple[Block, Scan]:
        """Return the newest checkpoint that is still on the chain, and what came after it."""
        if tip.block.height >= newest.height:
            self._behind = 0
            with contextlib.suppress(CursorOrphaned):
                return newest, await self._above(newest, tip)
        async with self._store.read() as tx:
            checkpoints = await tx.chains.checkpoints(self.chain.id)
        self._refuse_a_shorter_chain(checkpoints, tip)
        for base in checkpoints:
            if base.height > tip.block.height:
                continue
            try:
                return base, await self._above(base, tip)
            except CursorOrphaned:
                log.warning("%s: block %d %s left the chain, walking back", self.chain.name, base.height, base.hash)
        raise ChainUnavailable(f"none of the {len(checkpoints)} blocks that were kept of {self.chain.name} is on the chain that the endpoint serves")

    async def _above(self, base: Block, tip: Tip) -> Scan:
        if base.height == tip.block.height:
            if base.hash != tip.block.hash:
                raise CursorOrphaned(base)
            return Scan(base)
        async with asyncio.timeout(_CALL):
            return await self.chain.scan(self._watched.list, base, tip.block)

    def _refuse_a_shorter_chain(self, checkpoints: Sequence[Block], tip: Tip) -> None:
        """Tell an endpoint that lags from a chain that was rolled back: only an idle chain stays shorter, with its own past."""
        if not checkpoints or tip.block.height >= checkpoints[0].height:
            return
        same_past = any(each.height == tip.block.height and each.hash == tip.block.hash for each in checkpoints)
        self._behind += 1
        if not self.chain.idle or (same_past and self._behind < _BEHIND):
            raise ChainUnavailable(f"the endpoint is at block {tip.block.height}, behind block {checkpoints[0].height} that was already looked at")

    def _rest_is_over(self, scan: Scan, tip: Tip, now: datetime) -> bool:
        """Tell whether an unchanged head of an idle chain must be written down again, because time passes on it all the same."""
        return self.chain.idle and scan.cursor == tip.block and (self._rested is None or now - self._rested >= _REST)

    # --- the transaction -----------------------------------------------------------------

    async def _commit(
        self,
        tx: Transaction,
        newest: Block,
        base: Block,
        scan: Scan,
        tip: Tip,
        until: datetime,
        found: Mapping[InvoiceId, Sequence[Transfer]],
        prices: Mapping[InvoiceId, Mapping[AssetId, Decimal]],
        heard: Heard,
    ) -> None:
        await tx.chains.hold(self.chain.id)
        if await tx.chains.newest_checkpoint(self.chain.id) != newest:
            raise Conflict(f"{self.chain.id} was moved on by another watcher")

        for invoice_id, replaced in sorted(heard.replaced.items()):
            await self._settling.settle(tx, invoice_id, Change(left=replaced), {})
        left = await self._left(tx, base, heard.arrived) if base != newest else {}
        ripe = await self._ripe(tx, tip, heard)
        for invoice_id in sorted({*found, *left, *heard.refuted, *ripe}):
            change = Change(
                arrived=found.get(invoice_id, ()),
                left=frozenset(left.get(invoice_id, ())) | heard.refuted.get(invoice_id, frozenset()),
                prices=prices.get(invoice_id, {}),
                heard=heard.testimonies,
            )
            await self._settling.settle(tx, invoice_id, change, {self.chain.id: tip})
        await self._settling.sweep(tx, self.chain, scan.departures, above=base.height if base != newest else None)

        if base != newest:
            await tx.chains.cut_checkpoints(self.chain.id, base.height)
        if scan.cursor != base:
            await tx.chains.add_checkpoints(self.chain.id, self._worth_keeping(base, scan, tip))
            await tx.chains.thin_checkpoints(self.chain.id, base.height - KEPT, scan.cursor.height - KEPT, KEPT)
        coverage = await tx.chains.coverage(self.chain.id, reaching=base.height)
        covered = extended(coverage, self.chain.id, base, scan.cursor, until, scan.source)
        await tx.chains.set_coverage(self.chain.id, covered, base.height)

    async def _left(self, tx: Transaction, base: Block, arrived: Sequence[Transfer]) -> dict[InvoiceId, set[PaymentId]]:
        """Return the payments whose block left the chain, unless this pass has found them again in another block."""
        again = {transfer.key for transfer in arrived}
        left: dict[InvoiceId, set[PaymentId]] = defaultdict(set)
        for payment in await tx.payments.above(self.chain.id, base.height):
            if payment.transfer.key not in again:
                left[payment.invoice].add(payment.id)
        return left

    async def _ripe(self, tx: Transaction, tip: Tip, heard: Heard) -> set[InvoiceId]:
        """Return the invoices with a payment that this tip makes final, as far as other sources agree."""
        merchants: dict[MerchantId, Merchant] = {}
        ripe: set[InvoiceId] = set()
        for payment in await tx.payments.confirming(self.chain.id):
            if payment.merchant not in merchants:
                merchants[payment.merchant] = await tx.merchants.get(payment.merchant)
            own = merchants[payment.merchant].finality.get(self.chain.id)
            believed = self.chain.finality.believes(heard.testimonies.get(payment.transfer.key, Testimony.AWAITED), payment.value)
            if believed and is_deep(payment, tip, self.chain.finality, own):
                ripe.add(payment.invoice)
        return ripe

    @staticmethod
    def _worth_keeping(base: Block, scan: Scan, tip: Tip) -> list[Block]:
        """Return the blocks of a scan that the next thinning would keep, and the last one."""
        near = tip.block.height - KEPT
        kept = [each for each in scan.headers if each.height > base.height and (each.height > near or not each.height % KEPT)]
        return kept if kept and kept[-1] == scan.cursor else [*kept, scan.cursor]
