"""The ledger, entry by entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pepay_core.domain import money
from pepay_core.services.paging import Slice
from pepay_core.services.presenting import seconds
from pepay_core.web.operations import operation
from pepay_core.web.schemas import AssetText, BaseUnits, Money, Paging, Seconds, given

if TYPE_CHECKING:
    from pepay_core.domain.ledger import Entry
    from pepay_core.web.operations import Call


class EntryFilter(Paging):
    """Which entries. ``starting_after`` and ``ending_before`` name a posting."""

    invoice: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    account: Literal["buyer", "receivable", "wallet", "treasury"] | UnsetType = UNSET
    asset: AssetText | UnsetType = UNSET


class LedgerEntry(msgspec.Struct):
    """One side of a posting: positive where value came in, negative where it went out."""

    object: Literal["ledger_entry"]
    id: Annotated[str, Meta(description="The posting, which has two entries.")]
    livemode: bool
    account: Literal["buyer", "receivable", "wallet", "treasury"]
    asset: str
    amount_base_units: BaseUnits
    value: Money | None
    currency: str
    reason: str
    invoice: str | None
    payment: str | None
    at: Seconds


@operation("GET", "/api/v1/ledger/entries", tag="Reports", access="reports:read", query=EntryFilter, gives=LedgerEntry, many=True)
async def list_ledger_entries(call: Call[EntryFilter, None]) -> Slice[dict[str, Any]]:
    """List ledger entries, newest first."""
    livemode = call.caller.livemode
    where = given(call.query, "invoice", "account", "asset")
    async with call.runtime.store.read() as tx:
        found = await tx.ledger.page(call.caller.merchant, livemode=livemode, page=call.query.page(), where=where)
    return Slice(tuple(_view(entry, livemode=livemode) for entry in found.items), found.has_more)


def _view(entry: Entry, *, livemode: bool) -> dict[str, Any]:
    return {
        "object": "ledger_entry",
        "id": entry.posting,
        "livemode": livemode,
        "account": str(entry.account),
        "asset": entry.asset,
        "amount_base_units": str(entry.units),
        "value": None if entry.value is None else money.plain(entry.value),
        "currency": entry.currency,
        "reason": str(entry.reason),
        "invoice": entry.invoice,
        "payment": entry.payment,
        "at": seconds(entry.at),
    }


OPERATIONS: Final = (list_ledger_entries,)
