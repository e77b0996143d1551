"""Watching a chain: looking at every block once, crediting what it brought, walking back when blocks leave.

A pass asks for the tip, then reads which destinations are issued, then scans up to that tip: a destination that was issued later can
only be paid in a later block. What was found, the ranges that are covered now and the checkpoint commit in one transaction, so a pass
that fails has done nothing, and runs again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.domain.chains import Scan
from pepay_core.domain.coverage import Coverage
from pepay_core.domain.errors import ChainUnavailable, Conflict, CursorOrphaned, Unavailable
from pepay_core.domain.watchlist import Watchlist
from pepay_core.services.quoting import quote_of
from pepay_core.services.settling import Change

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from pepay_core.contracts.chain import Chain
    from pepay_core.contracts.context import Clock
    from pepay_core.domain.assets import AssetId
    from pepay_core.domain.chains import Block, Destination, Tip, Transfer
    from pepay_core.domain.coverage import IssuedDestination
    from pepay_core.domain.ids import InvoiceId, MerchantId, PaymentId
    from pepay_core.domain.merchants import Merchant
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.settling import Settling
    from pepay_core.services.valuing import Valuation

log = logging.getLogger(__name__)

KEPT: Final = 256
"""Every one of this many newest blocks stays a checkpoint; of the older ones, each whose height is a multiple of it."""

_CALL: Final = 30.0  # seconds that a driver may take for one answer
_PRICE: Final = 5.0
_REST: Final = timedelta(seconds=2)  # how often an unchanged head is written down again
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
        self._valuation = valuation
        self._catalogue = catalogue
        self._clock = clock
        self._judged: Tip | None = None
        self._rested: datetime | None = None
        self._behind = 0

    async def look(self) -> Look:
        """Make one pass; raises ChainUnavailable, or whatever storage raises, having changed nothing."""
        started = self._clock.now()
        async with asyncio.timeout(_CALL):
            tip = await self.chain.tip()
        async with self._store.read() as tx:
            checkpoints = await tx.chains.checkpoints(self.chain.id)
            issued = await tx.destinations.watched(self.chain.id.partition(":")[0], live=not self.chain.testnet, now=started)
        if not checkpoints:
            await self._begin(tip, started)
            return Look(tip, tip.block, more=False)

        watched = self._by_destination(issued)
        base, scan = await self._scan(checkpoints, Watchlist(watched), tip)
        if scan.cursor == checkpoints[0] and self._judged == tip and not self._rest_is_over(scan, tip, started):
            return Look(tip, scan.cursor, more=False)

        found: dict[InvoiceId, list[Transfer]] = defaultdict(list)
        for transfer in scan.transfers:
            found[watched[transfer.to].invoice].append(transfer)
        prices = await self._prices(found)
        covered_until = self._covered_until(scan, tip, started)
        await self._store.run(lambda tx: self._commit(tx, checkpoints, base, scan, tip, covered_until, found, prices))
        self._judged, self._rested = tip, started
        return Look(tip, scan.cursor, more=scan.cursor.height < tip.block.height)

    # --- the parts of a pass -------------------------------------------------------------

    async def _begin(self, tip: Tip, started: datetime) -> None:
        """Start the record at the tip: nothing was issued on this chain before it was first reached.

        Some older blocks are kept as well, because a reorganisation may reach behind the first one.
        """
        block = tip.block
        older = await self._older(block)
        until = max(block.time, started) if self.chain.idle else block.time

        async def work(tx: Transaction) -> None:
            if await tx.chains.checkpoints(self.chain.id):
                raise Conflict(f"{self.chain.id} was begun by another watcher")
            await tx.chains.add_checkpoints(self.chain.id, [*older, block])
            await tx.chains.set_coverage(Coverage(self.chain.id, block.height + 1, block.height, block.hash, until))

        await self._store.run(work)
        log.info("%s: watching from block %d", self.chain.name, block.height + 1)

    async def _older(self, block: Block) -> list[Block]:
        distances = (KEPT, 128, 64, 32, 16, 8, 4, 2, 1)
        heights = sorted({max(block.height - distance, 0) for distance in distances} - {block.height})
        async with asyncio.timeout(_CALL):
            found = [await self.chain.block(height) for height in heights]
        return [each for each in found if each is not None]

    def _by_destination(self, issued: Sequence[IssuedDestination]) -> dict[Destination, IssuedDestination]:
        own = not self.chain.testnet
        # Where one wallet serves both environments, the chain's own environment is the one that is paid.
        return {each.destination: each for each in sorted(issued, key=lambda each: each.livemode is own)}

    async def _scan(self, checkpoints: Sequence[Block], watched: Watchlist, tip: Tip) -> tuple[Block, Scan]:
        """Return the newest checkpoint that is still on the chain, and what came after it."""
        self._refuse_a_shorter_chain(checkpoints, tip)
        for base in checkpoints:
            if base.height > tip.block.height:
                continue
            if base.height == tip.block.height:
                if base.hash == tip.block.hash:
                    return base, Scan(base)
                continue
            try:
                async with asyncio.timeout(_CALL):
                    return base, await self.chain.scan(watched, base, tip.block)
            except CursorOrphaned:
                log.warning("%s: block %d %s left the chain, walking back", self.chain.name, base.height, base.hash)
        raise ChainUnavailable(f"none of the {len(checkpoints)} blocks that were kept of {self.chain.name} is on the chain that the endpoint serves")

    def _refuse_a_shorter_chain(self, checkpoints: Sequence[Block], tip: Tip) -> None:
        """Tell an endpoint that lags from a chain that was rolled back: only an idle chain stays shorter, with its own past."""
        if tip.block.height >= checkpoints[0].height:
            self._behind = 0
            return
        same_past = any(each.height == tip.block.height and each.hash == tip.block.hash for each in checkpoints)
        self._behind += 1
        if not self.chain.idle or (same_past and self._behind < _BEHIND):
            raise ChainUnavailable(f"the endpoint is at block {tip.block.height}, behind block {checkpoints[0].height} that was already looked at")

    def _covered_until(self, scan: Scan, tip: Tip, started: datetime) -> datetime:
        at_head = scan.cursor == tip.block
        return max(scan.cursor.time, started) if self.chain.idle and at_head else scan.cursor.time

    def _rest_is_over(self, scan: Scan, tip: Tip, now: datetime) -> bool:
        """Tell whether an unchanged head of an idle chain must be written down again, because time passes on it all the same."""
        return self.chain.idle and scan.cursor == tip.block and (self._rested is None or now - self._rested >= _REST)

    async def _prices(self, found: Mapping[InvoiceId, Sequence[Transfer]]) -> dict[InvoiceId, dict[AssetId, Decimal]]:
        """Return what is needed to value transfers that no quote covers; what cannot be priced now is priced later."""
        prices: dict[InvoiceId, dict[AssetId, Decimal]] = {}
        if not found:
            return prices
        async with self._store.read() as tx:
            quotes = await tx.quotes.of(list(found))
            invoices = [await tx.invoices.find(invoice_id) for invoice_id in found]
        for invoice in invoices:
            if invoice is None:
                continue
            own = [quote for quote in quotes if quote.invoice == invoice.id]
            for transfer in found[invoice.id]:
                if quote_of(transfer, own) is not None:
                    continue
                try:
                    async with asyncio.timeout(_PRICE):
                        rate = await self._valuation.price(self._catalogue.token(transfer.asset), invoice.terms.currency)
                except (Unavailable, TimeoutError) as exc:
                    log.warning("%s: no price for %s yet: %s", invoice.id, transfer.asset, exc)
                    continue
                prices.setdefault(invoice.id, {})[transfer.asset] = rate.value
        return prices

    # --- the transaction -----------------------------------------------------------------

    async def _commit(
        self,
        tx: Transaction,
        checkpoints: Sequence[Block],
        base: Block,
        scan: Scan,
        tip: Tip,
        covered_until: datetime,
        found: Mapping[InvoiceId, Sequence[Transfer]],
        prices: Mapping[InvoiceId, Mapping[AssetId, Decimal]],
    ) -> None:
        stored = await tx.chains.checkpoints(self.chain.id)
        if not stored or stored[0] != checkpoints[0]:
            raise Conflict(f"{self.chain.id} was moved on by another watcher")

        left = await self._left(tx, base, scan) if base != checkpoints[0] else {}
        ripe = await self._ripe(tx, tip)
        for invoice_id in sorted({*found, *left, *ripe}):
            change = Change(arrived=found.get(invoice_id, ()), left=frozenset(left.get(invoice_id, ())), prices=prices.get(invoice_id, {}))
            await self._settling.settle(tx, invoice_id, change, {self.chain.id: tip})

        orphaned = [each.height for each in stored if each.height > base.height]
        headers = [each for each in scan.headers if each.height > base.height]
        if scan.cursor.height > base.height and (not headers or headers[-1] != scan.cursor):
            headers.append(scan.cursor)
        await tx.chains.drop_checkpoints(self.chain.id, orphaned)
        await tx.chains.add_checkpoints(self.chain.id, headers)
        await tx.chains.drop_checkpoints(self.chain.id, self._thinned(stored, scan.cursor.height))
        coverage = max(await tx.chains.coverage(self.chain.id), key=lambda each: each.last)
        await tx.chains.set_coverage(Coverage(self.chain.id, coverage.first, scan.cursor.height, scan.cursor.hash, covered_until))

    async def _left(self, tx: Transaction, base: Block, scan: Scan) -> dict[InvoiceId, set[PaymentId]]:
        """Return the payments whose block left the chain, unless this scan has found them again in another block."""
        again = {transfer.key for transfer in scan.transfers}
        left: dict[InvoiceId, set[PaymentId]] = defaultdict(set)
        for payment in await tx.payments.above(self.chain.id, base.height):
            if payment.transfer.key not in again:
                left[payment.invoice].add(payment.id)
        return left

    async def _ripe(self, tx: Transaction, tip: Tip) -> set[InvoiceId]:
        """Return the invoices with a payment that this tip makes final."""
        merchants: dict[MerchantId, Merchant] = {}
        ripe: set[InvoiceId] = set()
        for payment in await tx.payments.confirming(self.chain.id):
            if payment.merchant not in merchants:
                merchants[payment.merchant] = await tx.merchants.get(payment.merchant)
            finality = merchants[payment.merchant].finality.get(self.chain.id, self.chain.finality)
            if finality.reached(height=payment.transfer.block.height, tip=tip, value=payment.value):
                ripe.add(payment.invoice)
        return ripe

    @staticmethod
    def _thinned(stored: Sequence[Block], height: int) -> list[int]:
        return [each.height for each in stored if each.height <= height - KEPT and each.height % KEPT]
