"""The append-only ledger: every posting is two rows."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.ledger import Account, Entry, Posting, Reason
from pepay_core.services.paging import Slice
from pepay_core.storage.codecs import from_amount, to_amount
from pepay_core.storage.repositories.rows import Repository, filters, unknown_neighbour
from pepay_core.storage.sessions import is_storable
from pepay_core.storage.tables import EntryRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from piccolo.custom_types import Combinable

    from pepay_core.domain.ids import InvoiceId, MerchantId
    from pepay_core.services.paging import Page

_FILTERS: Final[Mapping[str, Callable[[Any], Combinable]]] = {
    "invoice": lambda value: EntryRow.invoice == value,
    "account": lambda value: EntryRow.account == value,
    "asset": lambda value: EntryRow.asset == value,
}

_ROWS_AT_ONCE: Final = 200


class LedgerRepository(Repository):
    """The ledger. A page is of whole postings, and a posting's id is what the next page starts after."""

    async def post(self, postings: Sequence[Posting]) -> None:
        rows = [row for posting in postings for row in _rows(posting)]
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            await self._insert(EntryRow, *rows[start : start + _ROWS_AT_ONCE])

    async def page(self, merchant: MerchantId, *, livemode: bool, page: Page, where: Mapping[str, Any]) -> Slice[Entry]:
        backwards, neighbour = page.ending_before is not None, page.ending_before or page.starting_after
        scope = [EntryRow.merchant == merchant, EntryRow.livemode.eq(livemode)]
        conditions = [*scope, *filters(_FILTERS, where)]
        if neighbour is not None:
            if not is_storable(neighbour) or not await self._select(EntryRow, *scope, EntryRow.posting == neighbour, limit=1):
                raise unknown_neighbour(page)
            conditions.append(EntryRow.posting > neighbour if backwards else EntryRow.posting < neighbour)
        order = [EntryRow.posting, EntryRow.side]
        rows = await self._select(EntryRow, *conditions, order=order, ascending=backwards, limit=max(page.limit, 2) + 1)
        end = _whole_postings(rows, page.limit)
        kept = rows[:end]
        if backwards:
            kept.reverse()
        return Slice(tuple(_entry(row) for row in kept), len(rows) > end)

    async def of(self, invoice: InvoiceId) -> list[Entry]:
        return [_entry(row) for row in await self._select(EntryRow, EntryRow.invoice == invoice, order=[EntryRow.seq])]

    async def imbalances(self) -> list[str]:
        total = "SUM" if self._session.postgres else "units_sum"
        sql = (
            "SELECT posting FROM pepay_entry GROUP BY posting HAVING COUNT(*) <> 2 OR MIN(asset) <> MAX(asset) "  # noqa: S608
            f"OR {total}(CASE side WHEN 'in' THEN units END) IS DISTINCT FROM {total}(CASE side WHEN 'out' THEN units END) ORDER BY posting"
        )
        return [row["posting"] for row in await self._raw(sql if self._session.postgres else sql.replace("IS DISTINCT FROM", "IS NOT"))]


def _whole_postings(rows: Sequence[dict[str, Any]], limit: int) -> int:
    """Return how many rows to keep, so that a page does not end between the two sides of a posting."""
    end = min(limit, len(rows))
    if 0 < end < len(rows) and rows[end - 1]["posting"] == rows[end]["posting"]:
        return end - 1 or 2
    return end


def _rows(posting: Posting) -> list[dict[str, Any]]:
    shared = {
        "posting": posting.id,
        "merchant": posting.merchant,
        "livemode": posting.livemode,
        "asset": posting.asset,
        "units": posting.units,
        "value": to_amount(posting.value),
        "currency": posting.currency,
        "reason": posting.reason.value,
        "invoice": posting.invoice,
        "payment": posting.payment,
        "made_at": posting.at,
    }
    return [{**shared, "side": "out", "account": posting.source.value}, {**shared, "side": "in", "account": posting.target.value}]


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(
        posting=row["posting"],
        merchant=row["merchant"],
        account=Account(row["account"]),
        asset=row["asset"],
        units=row["units"] if row["side"] == "in" else -row["units"],
        value=from_amount(row["value"]),
        currency=row["currency"],
        reason=Reason(row["reason"]),
        invoice=row["invoice"],
        payment=row["payment"],
        at=row["made_at"],
    )
