"""Issued destinations, quotes, and the payments that arrived."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.assets import Address, AssetId, ChainId
from pepay_core.domain.chains import Block, Destination, Transfer
from pepay_core.domain.coverage import Issued, IssuedDestination
from pepay_core.domain.errors import Conflict
from pepay_core.domain.payments import Mismatch, Payment, PaymentStatus, Quote
from pepay_core.storage.codecs import from_amount, from_evidence, to_amount, to_evidence
from pepay_core.storage.repositories.rows import Repository, filters, missing
from pepay_core.storage.sessions import is_storable
from pepay_core.storage.tables import DestinationRow, PaymentRow, QuoteRow

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from piccolo.custom_types import Combinable

    from pepay_core.domain.ids import InvoiceId, MerchantId, PaymentId, WalletId
    from pepay_core.services.paging import Page, Slice
    from pepay_core.services.records import TransferKey

_FILTERS: Final[Mapping[str, Callable[[Any], Combinable]]] = {
    "invoice": lambda value: PaymentRow.invoice == value,
    "status": lambda value: PaymentRow.status == value,
    "asset": lambda value: PaymentRow.asset == value,
    "transaction": lambda value: PaymentRow.tx == value,
    "created_from": lambda value: PaymentRow.detected_at >= value,
    "created_to": lambda value: PaymentRow.detected_at <= value,
}


class DestinationRepository(Repository):
    """Issued destinations.

    SQLite has one writer, so whoever knows the highest number has seen all lower ones. On PostgreSQL a transaction that took its number
    early may commit late, so the mark is the oldest transaction that was still open: all before it had been seen.
    """

    async def add(self, issued: IssuedDestination) -> None:
        row = {
            "invoice": issued.invoice,
            "merchant": issued.merchant,
            "livemode": issued.livemode,
            "family": issued.family,
            "address": issued.destination.address,
            "reference": issued.destination.reference or "",
            "wallet": issued.wallet,
            "wallet_index": issued.index,
            "issued_at": issued.issued_at,
            "watch_until": issued.watch_until,
        }
        if not await self._insert_new(DestinationRow, row):
            raise Conflict("this destination was issued before")

    async def of(self, invoices: Collection[InvoiceId]) -> list[IssuedDestination]:
        return [_issued(row) for row in await self._of(DestinationRow, DestinationRow.invoice, invoices, order=[DestinationRow.seq])]

    async def watched(self, family: str, *, live: bool, now: datetime, since: int | None = None) -> Issued:
        if self._session.postgres:
            mark, newer = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS mark", "d.xid >= {}::bigint::text::xid8"
            table = "pepay_destination AS d"
        else:
            # By its number, and not through the index on families, which would go through all of them.
            mark, newer, table = "SELECT COALESCE(MAX(seq), 0) AS mark FROM pepay_destination", "d.seq > {}", "pepay_destination AS d NOT INDEXED"
        # One statement, so that the mark and the rows are of one moment.
        sql = (
            f"SELECT h.mark, d.* FROM ({mark}) AS h LEFT JOIN {table} ON {newer} AND d.family = {{}} {_environments(live=live)} "  # noqa: S608
            "AND (d.watch_until > {} OR d.invoice IN (SELECT id FROM pepay_invoice WHERE closed_at IS NULL)) ORDER BY d.seq"
        )
        rows = await self._raw(sql, since or 0, family, now)
        reached = int(rows[0]["mark"])
        if since is not None and reached < since:
            # Another database has taken the place of the one that the mark is of: a backup, or a new cluster.
            return await self.watched(family, live=live, now=now)
        return Issued(tuple(_issued(row) for row in rows if row["seq"] is not None), reached, whole=since is None)

    async def at(self, family: str, *, live: bool, places: Collection[str]) -> list[IssuedDestination]:
        found: dict[int, dict[str, Any]] = {}
        for column in (DestinationRow.address, DestinationRow.reference):
            rows = await self._of(DestinationRow, column, {place for place in places if place})
            found |= {row["seq"]: row for row in rows if row["family"] == family and (live or not row["livemode"])}
        return [_issued(found[seq]) for seq in sorted(found)]

    async def ever(
        self, family: str, *, live: bool, after: int, limit: int, cold: tuple[datetime, datetime] | None = None
    ) -> tuple[list[IssuedDestination], int]:
        closed = "AND d.watch_until > {} AND d.watch_until <= {} AND d.invoice NOT IN (SELECT id FROM pepay_invoice WHERE closed_at IS NULL)"
        sql = (
            f"SELECT d.* FROM pepay_destination AS d WHERE d.seq > {{}} AND d.family = {{}} {_environments(live=live)} "  # noqa: S608
            f"{closed if cold else ''} ORDER BY d.seq LIMIT {{}}"
        )
        rows = await self._raw(sql, after, family, *(cold or ()), limit)
        return [_issued(row) for row in rows], rows[-1]["seq"] if rows else after

    async def from_wallets(self, wallets: Collection[WalletId]) -> list[IssuedDestination]:
        return [_issued(row) for row in await self._of(DestinationRow, DestinationRow.wallet, wallets, order=[DestinationRow.seq])]


class QuoteRepository(Repository):
    """Locked prices."""

    async def add(self, quote: Quote) -> None:
        await self._insert(
            QuoteRow,
            {
                "id": quote.id,
                "invoice": quote.invoice,
                "asset": quote.asset,
                "decimals": quote.decimals,
                "value": to_amount(quote.value),
                "units": quote.units,
                "rate": to_amount(quote.rate),
                "evidence": to_evidence(quote.evidence),
                "created_at": quote.created_at,
                "valid_until": quote.valid_until,
                "remainder": quote.remainder,
            },
        )

    async def of(self, invoices: Collection[InvoiceId]) -> list[Quote]:
        return [_quote(row) for row in await self._of(QuoteRow, QuoteRow.invoice, invoices, order=[QuoteRow.id])]


class PaymentRepository(Repository):
    """Attributed transfers; ``created_from`` and ``created_to`` are about their detection."""

    async def add(self, payment: Payment) -> bool:
        return await self._insert_new(PaymentRow, _row(payment))

    async def known(self, keys: Collection[TransferKey]) -> dict[TransferKey, Payment]:
        wanted = set(keys)
        rows = await self._of(PaymentRow, PaymentRow.tx, {tx for _, tx, _, _ in wanted})
        found = {payment.transfer.key: payment for payment in map(_payment, rows)}
        return {key: payment for key, payment in found.items() if key in wanted}

    async def of(self, invoices: Collection[InvoiceId]) -> list[Payment]:
        return [_payment(row) for row in await self._of(PaymentRow, PaymentRow.invoice, invoices, order=[PaymentRow.id])]

    async def get(self, merchant: MerchantId, payment: PaymentId, *, livemode: bool) -> Payment:
        return _payment(await self._get(PaymentRow, "payment", payment, PaymentRow.merchant == merchant, PaymentRow.livemode.eq(livemode)))

    async def save(self, payment: Payment) -> None:
        if not await self._update(PaymentRow, _row(payment), PaymentRow.id == payment.id):
            raise missing("payment", payment.id)

    async def above(self, chain: ChainId, height: int) -> list[Payment]:
        return await self._active(PaymentRow.chain == chain, PaymentRow.height > height)

    async def made_by(self, chain: ChainId, transaction: str) -> list[Payment]:
        if not is_storable(transaction):
            return []
        where = [PaymentRow.chain == chain, PaymentRow.tx == transaction]
        return [_payment(row) for row in await self._select(PaymentRow, *where, order=[PaymentRow.id])]

    async def within(self, chain: ChainId, first: int, last: int) -> list[Payment]:
        return await self._active(PaymentRow.chain == chain, PaymentRow.height >= first, PaymentRow.height <= last)

    async def confirming(self, chain: ChainId) -> list[Payment]:
        where = [PaymentRow.chain == chain, PaymentRow.status == PaymentStatus.CONFIRMING.value]
        return [_payment(row) for row in await self._select(PaymentRow, *where, order=[PaymentRow.id])]

    async def without_value(self, limit: int) -> list[Payment]:
        return await self._active(PaymentRow.rate.is_null(), PaymentRow.quote.is_null(), limit=limit)

    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page, where: Mapping[str, Any]) -> Slice[Payment]:
        scope = [PaymentRow.merchant == merchant, PaymentRow.livemode.eq(livemode)]
        return await self._page(PaymentRow, PaymentRow.id, page, _payment, *filters(_FILTERS, where), scope=scope)

    async def _active(self, *where: Combinable, limit: int | None = None) -> list[Payment]:
        active = PaymentRow.status != PaymentStatus.REVERTED.value
        return [_payment(row) for row in await self._select(PaymentRow, *where, active, order=[PaymentRow.id], limit=limit)]


def _environments(*, live: bool) -> str:
    return "" if live else "AND NOT d.livemode"


def _issued(row: dict[str, Any]) -> IssuedDestination:
    return IssuedDestination(
        invoice=row["invoice"],
        merchant=row["merchant"],
        livemode=row["livemode"],
        family=row["family"],
        destination=Destination(Address(row["address"]), row["reference"] or None),
        wallet=row["wallet"],
        index=row["wallet_index"],
        issued_at=row["issued_at"],
        watch_until=row["watch_until"],
    )


def _quote(row: dict[str, Any]) -> Quote:
    return Quote(**{**row, "value": Decimal(row["value"]), "rate": Decimal(row["rate"]), "evidence": from_evidence(row["evidence"])})


def _row(payment: Payment) -> dict[str, Any]:
    transfer = payment.transfer
    return {
        "id": payment.id,
        "invoice": payment.invoice,
        "merchant": payment.merchant,
        "livemode": payment.livemode,
        "chain": transfer.chain,
        "tx": transfer.tx,
        "position": transfer.index,
        "asset": transfer.asset,
        "address": transfer.to.address,
        "reference": transfer.to.reference,
        "units": transfer.units,
        "height": transfer.block.height,
        "block_hash": transfer.block.hash,
        "block_time": transfer.block.time,
        "sender": transfer.sender,
        "decimals": payment.decimals,
        "status": payment.status.value,
        "detected_at": payment.detected_at,
        "confirmed_at": payment.confirmed_at,
        "quote": payment.quote,
        "rate": to_amount(payment.rate),
        "mismatch": None if payment.mismatch is None else payment.mismatch.value,
        "value": to_amount(payment.value),
    }


def _payment(row: dict[str, Any]) -> Payment:
    return Payment(
        id=row["id"],
        invoice=row["invoice"],
        merchant=row["merchant"],
        livemode=row["livemode"],
        transfer=Transfer(
            chain=ChainId(row["chain"]),
            tx=row["tx"],
            index=row["position"],
            asset=AssetId(row["asset"]),
            to=Destination(Address(row["address"]), row["reference"]),
            units=row["units"],
            block=Block(row["height"], row["block_hash"], row["block_time"]),
            sender=row["sender"],
        ),
        decimals=row["decimals"],
        status=PaymentStatus(row["status"]),
        detected_at=row["detected_at"],
        confirmed_at=row["confirmed_at"],
        quote=row["quote"],
        rate=from_amount(row["rate"]),
        mismatch=None if row["mismatch"] is None else Mismatch(row["mismatch"]),
        value=from_amount(row["value"]),
    )
