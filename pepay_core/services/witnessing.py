"""What more than one source says: before money is final, and about everything that two looks at a range do not show alike."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import ChainUnavailable
from pepay_core.domain.recognising import recognised
from pepay_core.domain.sources import Testimony
from pepay_core.services.reviewing import Review

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pepay_core.contracts.chain import Chain
    from pepay_core.domain.chains import Block, Destination, Scan, Transfer
    from pepay_core.domain.ids import InvoiceId, PaymentId
    from pepay_core.domain.payments import Payment
    from pepay_core.domain.watchlist import Watchlist
    from pepay_core.services.ports import Store
    from pepay_core.services.records import TransferKey

log = logging.getLogger(__name__)

_CALL: Final = 30.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What a pass may act on.

    ``arrived`` is what was found, by either look, and is not refuted; ``refuted`` are the payments that the chain does not hold, of
    which those in ``replaced`` arrived with another content; ``covered`` is the block up to which time counts as covered, and ``again``
    one above which must be looked at once more, because what was found there was wrong.
    """

    arrived: tuple[Transfer, ...]
    covered: Block
    second: Scan | None = None
    again: Block | None = None
    testimonies: Mapping[TransferKey, Testimony | None] = field(default_factory=dict["TransferKey", "Testimony | None"])
    refuted: Mapping[InvoiceId, frozenset[PaymentId]] = field(default_factory=dict["InvoiceId", "frozenset[PaymentId]"])
    replaced: Mapping[InvoiceId, frozenset[PaymentId]] = field(default_factory=dict["InvoiceId", "frozenset[PaymentId]"])


class Witnesses:
    """Asks the other sources of one chain, and remembers who agreed for as long as the payment waits."""

    def __init__(self, chain: Chain, store: Store) -> None:
        self._chain = chain
        self._store = store
        self._agreed: dict[TransferKey, Transfer] = {}
        self.review = Review(chain)
        self.waiting = False

    async def follow(self, newest: Block, base: Block, scan: Scan) -> bool:
        """Take note of what a pass has looked at, and tell whether there is something to hear even if it found nothing new.

        The record ended with ``newest`` before the pass: if not this watcher has brought it there, what is remembered may have left the chain.
        """
        if not self.review.follows(newest):
            async with self._store.read() as tx:
                until = max((each.until for each in await tx.chains.coverage(self._chain.id)), default=base.time)
                checkpoints = await tx.chains.checkpoints(self._chain.id)
            self.review.begin(newest, next((each for each in checkpoints if each.time <= until), base))
        self.review.follow(base, scan)
        return self.waiting or self.review.due

    async def hear(self, watched: Watchlist, base: Block, scan: Scan) -> Heard:
        """Ask about everything that this pass could make final, and about everything that the second look does not confirm."""
        looked = await self.review.look(watched)
        async with self._store.read() as tx:
            waiting = {each.transfer.key: each for each in await tx.payments.confirming(self._chain.id)}
            reviewed = await tx.payments.above(self._chain.id, looked[0].height) if looked else []
        scan, second = await self._recognised(base, scan, looked)
        doubted = _missing(reviewed, second) if second else {}
        # Above the base the scan says where things are now.
        moved = {transfer.key for transfer in scan.transfers}
        stored = {key: each for key, each in {**waiting, **doubted}.items() if key not in moved and each.transfer.block.height <= base.height}
        questions = [*(each.transfer for each in stored.values()), *scan.transfers, *(second.transfers if second else ())]
        said = await self._ask(questions)

        arrived = _merged(
            transfer for transfer in (*scan.transfers, *(second.transfers if second else ())) if said[transfer] is not Testimony.REFUTED
        )
        refuted = [each for each in stored.values() if said[each.transfer] is Testimony.REFUTED]
        for each in refuted:
            log.error("%s: %s is not on the chain, as most of its sources say: %s is taken back", self._chain.name, each.transfer.tx, each.id)
        gone = {each.transfer.key for each in refuted}
        arrived = tuple(each for each in arrived if each.key not in stored or each.key in gone or stored[each.key].transfer == each)
        testimonies = {each.transfer.key: said[each.transfer] for each in stored.values()}
        testimonies |= {transfer.key: said[transfer] for transfer in arrived}
        self.waiting = any(each not in {None, Testimony.AGREED} for each in testimonies.values())
        keys = {transfer.key for transfer in arrived}
        lowest = min((each.transfer.block.height for each in refuted if each.transfer.key not in keys), default=0)
        refuted += await self._changed(arrived)
        return Heard(
            arrived=arrived,
            covered=self.review.covered(scan.cursor, second),
            second=second,
            again=await self._below(lowest),
            testimonies=testimonies,
            refuted=_by_invoice(each for each in refuted if each.transfer.key not in keys),
            replaced=_by_invoice(each for each in refuted if each.transfer.key in keys),
        )

    def heeded(self, heard: Heard, cursor: Block) -> None:
        """Go on from what was heard, once it is written down."""
        self.review.passed(cursor, heard.second)
        if heard.again is not None:
            self.review.return_to(heard.again, cursor)

    async def _recognised(self, base: Block, scan: Scan, looked: tuple[Block, Scan] | None) -> tuple[Scan, Scan | None]:
        """Return both looks with money that is credited under another name, or found under another by the first, under that one name."""
        second = looked[1] if looked else None
        if not any(each.by_balance or each.internal for each in (*scan.transfers, *(second.transfers if second else ()))):
            return scan, second
        height = min(base.height, looked[0].height) if looked else base.height
        async with self._store.read() as tx:
            known = [each.transfer for each in await tx.payments.above(self._chain.id, height)]
        scan = replace(scan, transfers=recognised(scan.transfers, known))
        return scan, replace(second, transfers=recognised(second.transfers, [*known, *scan.transfers])) if second else None

    async def _below(self, height: int) -> Block | None:
        if not height:
            return None
        async with self._store.read() as tx:
            return await tx.chains.checkpoint(self._chain.id, below=height - 1)

    async def _changed(self, arrived: Iterable[Transfer]) -> list[Payment]:
        """Return the payments that arrived again with another content: what was credited goes before the new is."""
        by_key = {transfer.key: transfer for transfer in arrived}
        if not by_key:
            return []
        async with self._store.read() as tx:
            known = await tx.payments.known(list(by_key))
        return [each for key, each in known.items() if each.active and _content(each.transfer) != _content(by_key[key])]

    async def _ask(self, transfers: Iterable[Transfer]) -> dict[Transfer, Testimony | None]:
        """Return what is said of each; two that claim the same identity are asked about one after the other."""
        said: dict[Transfer, Testimony | None] = {}
        rest = list(dict.fromkeys(transfers))
        while rest:
            turn: dict[TransferKey, Transfer] = {}
            later: list[Transfer] = []
            for transfer in rest:
                if self._agreed.get(transfer.key) == transfer:
                    said[transfer] = Testimony.AGREED
                elif transfer.key in turn:
                    later.append(transfer)
                else:
                    turn[transfer.key] = transfer
            answers = await self._answers(list(turn.values()))
            said |= {transfer: answers.get(key) for key, transfer in turn.items()}
            rest = later
        self._agreed = {transfer.key: transfer for transfer, testimony in said.items() if testimony is Testimony.AGREED}
        return said

    async def _answers(self, transfers: list[Transfer]) -> Mapping[TransferKey, Testimony]:
        if not transfers:
            return {}
        try:
            async with asyncio.timeout(_CALL):
                return await self._chain.corroborate(transfers)
        except (ChainUnavailable, TimeoutError) as exc:
            log.info("%s: nobody could be asked about %d transfers: %s", self._chain.name, len(transfers), exc)
            return {transfer.key: Testimony.AWAITED for transfer in transfers}


def _content(transfer: Transfer) -> tuple[Destination, int]:
    return transfer.to, transfer.units


def _missing(payments: Iterable[Payment], second: Scan) -> dict[TransferKey, Payment]:
    """Return the payments of a range that the second look at it does not show as they are."""
    shown = {transfer.key: transfer for transfer in second.transfers}
    inside = (each for each in payments if each.transfer.block.height <= second.cursor.height)
    return {each.transfer.key: each for each in inside if shown.get(each.transfer.key) != each.transfer}


def _merged(transfers: Iterable[Transfer]) -> tuple[Transfer, ...]:
    """Return each transfer once, the first one of those that claim the same identity."""
    by_key: dict[TransferKey, Transfer] = {}
    for transfer in transfers:
        by_key.setdefault(transfer.key, transfer)
    return tuple(by_key.values())


def _by_invoice(payments: Iterable[Payment]) -> dict[InvoiceId, frozenset[PaymentId]]:
    found: dict[InvoiceId, set[PaymentId]] = defaultdict(set)
    for payment in payments:
        found[payment.invoice].add(payment.id)
    return {invoice: frozenset(each) for invoice, each in found.items()}
