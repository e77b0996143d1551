"""What the holder of an invoice's client token may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta

from pepay_core.domain import ids
from pepay_core.domain.errors import (
    AssetLocked,
    AssetNotAccepted,
    ChainUnavailable,
    Conflict,
    InvalidAddress,
    InvoiceClosed,
    NoDestination,
    RatesUnavailable,
    UnknownAsset,
)
from pepay_core.web.api.invoice_objects import ChooseOption, InvoiceForBuyer
from pepay_core.web.guards import BUYER
from pepay_core.web.operations import operation
from pepay_core.web.schemas import AssetText, Nothing, Sent

if TYPE_CHECKING:
    from pepay_core.web.operations import Call

_INVOICE: Final = {"invoice": ids.INVOICE}


class AskTransaction(Sent):
    """Which asset, and who pays."""

    asset: AssetText
    payer: Annotated[str, Meta(min_length=1, max_length=128)]


class Submitted(Sent):
    """What was sent, as the buyer's wallet says."""

    hash: Annotated[str, Meta(pattern=r"^[0-9A-Za-z]{32,128}$", examples=["0x" + "5e1d" * 16])]


class UnsignedTransaction(msgspec.Struct):
    """A transaction for the buyer's wallet to sign."""

    object: str
    family: str
    payload: dict[str, Any]
    requests: Annotated[dict[str, list[Any]], Meta(description="What the wallet can be asked, by its method, with the parameters that it takes.")]


@operation("GET", "/api/v1/checkout/{invoice}", tag="Checkout", access=BUYER, ids=_INVOICE, gives=InvoiceForBuyer)
async def get_checkout(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get an invoice as its buyer sees it."""
    return await call.runtime.invoicing.for_buyer(call.path["invoice"])


@operation(
    "POST",
    "/api/v1/checkout/{invoice}/payment-options",
    tag="Checkout",
    access=BUYER,
    ids=_INVOICE,
    body=ChooseOption,
    gives=InvoiceForBuyer,
    refuses=(UnknownAsset, AssetNotAccepted, NoDestination, InvoiceClosed, AssetLocked, RatesUnavailable, ChainUnavailable),
)
async def choose_checkout_option(call: Call[Nothing, ChooseOption]) -> dict[str, Any]:
    """Choose the asset to pay with."""
    return await call.runtime.invoicing.choose_for_buyer(call.path["invoice"], call.body.asset)


@operation(
    "POST",
    "/api/v1/checkout/{invoice}/transaction",
    tag="Checkout",
    access=BUYER,
    ids=_INVOICE,
    body=AskTransaction,
    gives=UnsignedTransaction,
    refuses=(UnknownAsset, AssetNotAccepted, InvalidAddress, Conflict, ChainUnavailable),
)
async def get_checkout_transaction(call: Call[Nothing, AskTransaction]) -> dict[str, Any]:
    """Get a transaction for the buyer's wallet to sign."""
    return await call.runtime.invoicing.transaction_for(call.path["invoice"], call.body.asset, call.body.payer)


@operation("POST", "/api/v1/checkout/{invoice}/submitted", tag="Checkout", access=BUYER, ids=_INVOICE, body=Submitted, gives=InvoiceForBuyer)
async def submit_checkout_transaction(call: Call[Nothing, Submitted]) -> dict[str, Any]:
    """Say that a transaction was sent: a hint to look sooner, and never a proof."""
    return await call.runtime.invoicing.submitted(call.path["invoice"], call.body.hash)


OPERATIONS: Final = (get_checkout, choose_checkout_option, get_checkout_transaction, submit_checkout_transaction)
