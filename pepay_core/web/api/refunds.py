"""Refunds: what buyers asked back, and what the merchant made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pepay_core.domain import ids
from pepay_core.domain.errors import Conflict
from pepay_core.services.refunding import MAX_MESSAGE
from pepay_core.web.operations import operation
from pepay_core.web.schemas import BaseUnits, Money, Nothing, Paging, Seconds, Sent, given

if TYPE_CHECKING:
    from pepay_core.services.paging import Slice
    from pepay_core.web.operations import Call

_READ: Final = "refunds:read"
_WRITE: Final = "refunds:write"
_REFUND: Final = {"refund": ids.REFUND}

StatusText = Literal["requested", "approved", "completed", "declined"]
ReasonText = Literal["excess", "late", "partial", "wrong_asset", "canceled"]


class Refund(msgspec.Struct):
    """Money that a buyer asked back. PePay moves none: the merchant sends it, and says in which transaction."""

    object: Literal["refund"]
    id: str
    livemode: bool
    invoice: str
    status: StatusText
    reason: ReasonText
    asset: str
    symbol: str | None
    chain: str
    network: str | None
    amount: Money
    amount_base_units: BaseUnits
    address: Annotated[str, Meta(description="Where it is to be sent, on the same chain.")]
    transaction: str | None
    message: str | None
    created_at: Seconds
    decided_at: Seconds | None
    completed_at: Seconds | None


class RefundsQuery(Paging):
    """Which refunds."""

    invoice: Annotated[str, Meta(max_length=60)] | UnsetType = UNSET
    status: StatusText | UnsetType = UNSET


class CompleteRefund(Sent):
    """In which transaction the money was sent."""

    transaction: Annotated[str, Meta(pattern=r"^[0-9A-Za-z]{32,128}$", examples=["0x" + "5e1d" * 16])]


class DeclineRefund(Sent):
    """Why it is not sent; the buyer reads this."""

    reason: Annotated[str, Meta(min_length=1, max_length=MAX_MESSAGE)]


@operation("GET", "/api/v1/refunds", tag="Refunds", access=_READ, query=RefundsQuery, gives=Refund, many=True)
async def list_refunds(call: Call[RefundsQuery, None]) -> Slice[dict[str, Any]]:
    """List refunds, newest first."""
    return await call.runtime.refunding.page(call.caller, call.query.page(), given(call.query, "invoice", "status"))


@operation("GET", "/api/v1/refunds/{refund}", tag="Refunds", access=_READ, ids=_REFUND, gives=Refund)
async def get_refund(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get a refund."""
    return await call.runtime.refunding.get(call.caller, call.path["refund"])


@operation("POST", "/api/v1/refunds/{refund}/approve", tag="Refunds", access=_WRITE, ids=_REFUND, gives=Refund, refuses=(Conflict,))
async def approve_refund(call: Call[Nothing, None]) -> dict[str, Any]:
    """Say that the money will go back. The buyer sees it."""
    return await call.runtime.refunding.approve(call.caller, call.path["refund"])


@operation(
    "POST", "/api/v1/refunds/{refund}/complete", tag="Refunds", access=_WRITE, ids=_REFUND, body=CompleteRefund, gives=Refund, refuses=(Conflict,)
)
async def complete_refund(call: Call[Nothing, CompleteRefund]) -> dict[str, Any]:
    """Say in which transaction the money has gone back.

    PePay moves no money: send it first, from wherever you keep it. Once everything that waited for a decision has gone back, the invoice
    is `refunded`.
    """
    return await call.runtime.refunding.complete(call.caller, call.path["refund"], call.body.transaction)


@operation(
    "POST", "/api/v1/refunds/{refund}/decline", tag="Refunds", access=_WRITE, ids=_REFUND, body=DeclineRefund, gives=Refund, refuses=(Conflict,)
)
async def decline_refund(call: Call[Nothing, DeclineRefund]) -> dict[str, Any]:
    """Say that the money will not go back, and why."""
    return await call.runtime.refunding.decline(call.caller, call.path["refund"], call.body.reason)


OPERATIONS: Final = (list_refunds, get_refund, approve_refund, complete_refund, decline_refund)
