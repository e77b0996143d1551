"""Refunds."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.assets import Address, AssetId
from pepay_core.domain.ids import InvoiceId, MerchantId, RefundId
from pepay_core.domain.refunds import Refund, RefundReason, RefundStatus
from pepay_core.storage.repositories.rows import Repository, filters, missing
from pepay_core.storage.tables import RefundRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_core.services.paging import Page, Slice

_FILTERS: Final[Mapping[str, Any]] = {
    "invoice": lambda value: RefundRow.invoice == value,
    "status": lambda value: RefundRow.status == value,
}


class RefundRepository(Repository):
    """Money that buyers asked back."""

    async def add(self, refund: Refund) -> None:
        await self._insert(RefundRow, _row(refund))

    async def get(self, merchant: MerchantId, refund: RefundId, *, livemode: bool, lock: bool = False) -> Refund:
        return _refund(await self._get(RefundRow, "refund", refund, *_scope(merchant, livemode=livemode), lock=lock))

    async def of(self, invoice: InvoiceId) -> list[Refund]:
        return [_refund(row) for row in await self._select(RefundRow, RefundRow.invoice == invoice, order=[RefundRow.id])]

    async def save(self, refund: Refund) -> None:
        if not await self._update(RefundRow, _row(refund), RefundRow.id == refund.id):
            raise missing("refund", refund.id)

    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page, where: Mapping[str, Any]) -> Slice[Refund]:
        return await self._page(RefundRow, RefundRow.id, page, _refund, *filters(_FILTERS, where), scope=_scope(merchant, livemode=livemode))


def _scope(merchant: MerchantId, *, livemode: bool) -> list[Any]:
    return [RefundRow.merchant == merchant, RefundRow.livemode.eq(livemode)]


def _row(refund: Refund) -> dict[str, Any]:
    return {
        "id": refund.id,
        "invoice": refund.invoice,
        "merchant": refund.merchant,
        "livemode": refund.livemode,
        "reason": refund.reason.value,
        "asset": refund.asset,
        "decimals": refund.decimals,
        "units": refund.units,
        "address": refund.address,
        "status": refund.status.value,
        "created_at": refund.created_at,
        "decided_at": refund.decided_at,
        "completed_at": refund.completed_at,
        "tx": refund.transaction,
        "message": refund.message,
    }


def _refund(row: dict[str, Any]) -> Refund:
    return Refund(
        id=RefundId(row["id"]),
        invoice=InvoiceId(row["invoice"]),
        merchant=MerchantId(row["merchant"]),
        livemode=row["livemode"],
        reason=RefundReason(row["reason"]),
        asset=AssetId(row["asset"]),
        decimals=row["decimals"],
        units=row["units"],
        address=Address(row["address"]),
        status=RefundStatus(row["status"]),
        created_at=row["created_at"],
        decided_at=row["decided_at"],
        completed_at=row["completed_at"],
        transaction=row["tx"],
        message=row["message"],
    )
