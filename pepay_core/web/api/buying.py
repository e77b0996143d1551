"""What all operations of a buyer have in common: the invoice in the path, and its client token as the way in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain import ids
from pepay_core.domain.errors import (
    AssetLocked,
    AssetNotAccepted,
    ChainUnavailable,
    InvoiceClosed,
    NoDestination,
    RatesUnavailable,
    UnknownAsset,
)
from pepay_core.web.access import BUYER
from pepay_core.web.operations import operation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pepay_core.web.operations import Answer, Call, Operation

NO_QUOTE: Final = (UnknownAsset, AssetNotAccepted, NoDestination, InvoiceClosed, AssetLocked, RatesUnavailable, ChainUnavailable)
"""Why an asset cannot be quoted."""


def of_buyer(method: str, path: str, *, gives: type[Any], **more: Any) -> Callable[[Callable[[Call[Any, Any]], Awaitable[Answer]]], Operation]:
    """Make an operation of what the holder of an invoice's client token may do; ``path`` goes on behind the invoice's."""
    return operation(method, f"/api/v1/checkout/{{invoice}}{path}", tag="Checkout", access=BUYER, ids={"invoice": ids.INVOICE}, gives=gives, **more)
