"""What a buyer can do without asking anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pepay_core.domain.errors import Conflict, Forbidden, InvalidAddress, InvalidInput, InvoiceClosed, UnknownAsset
from pepay_core.web.api.buying import NO_QUOTE, of_buyer
from pepay_core.web.api.invoice_objects import ChooseOption, InvoiceForBuyer
from pepay_core.web.api.refunds import ReasonText, Refund
from pepay_core.web.schemas import AssetText, BaseUnits, Money, Nothing, Seconds, Sent

if TYPE_CHECKING:
    from pepay_core.web.operations import Call


class Claimable(msgspec.Struct):
    """Money that can be asked back."""

    object: Literal["claimable"]
    reason: ReasonText
    asset: str
    symbol: str | None
    chain: str
    network: str | None
    amount: Money
    amount_base_units: BaseUnits
    value: Annotated[Money, Meta(description="In the invoice's currency, where it has a price.")] | None
    enough: Annotated[bool, Meta(description="Whether it reaches the merchant's minimum.")]


class SelfService(msgspec.Struct):
    """What the buyer of an invoice can do by himself now."""

    object: Literal["self_service"]
    invoice: str
    new_quote: Annotated[bool, Meta(description="Whether the invoice's time is over and it can be opened again.")]
    lookup: Annotated[bool, Meta(description="Whether a transaction can be asked about.")]
    claims: list[Claimable]
    refunds: list[Refund]


class Claim(Sent):
    """Which asset, and where it shall go: an address of the same chain."""

    asset: AssetText
    address: Annotated[str, Meta(min_length=1, max_length=128)]


class LookUp(Sent):
    """The transaction that was sent."""

    hash: Annotated[str, Meta(min_length=32, max_length=140, examples=["0x" + "5e1d" * 16])]


class Sighting(msgspec.Struct):
    """What became of a transaction, as far as this invoice is concerned."""

    object: Literal["sighting"]
    invoice: str
    transaction: str
    answer: Literal[
        "not_found",
        "unreachable",
        "waiting",
        "looking",
        "counting",
        "finalizing",
        "counted",
        "late",
        "closed",
        "wrong_asset",
        "unknown_token",
        "failed",
        "reverted",
        "elsewhere",
    ]
    message: str
    asset: str | None
    symbol: str | None
    network: str | None
    amount: Money | None
    confirmations: int | None
    required: int | None
    asked: Annotated[str, Meta(description="What the invoice was to be paid in.")] | None
    block_time: Seconds | None


@of_buyer("GET", "/self-service", gives=SelfService)
async def get_checkout_self_service(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get what the buyer can do by himself now."""
    return await call.runtime.self_serving.help_for(call.path["invoice"])


@of_buyer("POST", "/new-quote", body=ChooseOption, gives=InvoiceForBuyer, refuses=NO_QUOTE)
async def reopen_checkout(call: Call[Nothing, ChooseOption]) -> dict[str, Any]:
    """Go on with an order whose time is over, at the price of the day.

    The same invoice is open again for an hour, where the merchant allows it, its addresses are watched for long enough, and nothing came late.
    """
    return await call.runtime.self_serving.new_quote(call.path["invoice"], call.body.asset)


@of_buyer("POST", "/expire", gives=InvoiceForBuyer, refuses=(Forbidden, InvoiceClosed))
async def expire_checkout(call: Call[Nothing, None]) -> dict[str, Any]:
    """End the time of a test invoice now, to try out what comes then."""
    return await call.runtime.self_serving.expire(call.path["invoice"])


@of_buyer("POST", "/look-up", body=LookUp, gives=Sighting, refuses=(InvalidInput,))
async def look_up_checkout_transaction(call: Call[Nothing, LookUp]) -> dict[str, Any]:
    """Ask what became of a transaction that was sent for this invoice."""
    return await call.runtime.self_serving.look_up(call.path["invoice"], call.body.hash)


@of_buyer("POST", "/claim", status=201, body=Claim, gives=Refund, refuses=(Conflict, InvalidAddress, UnknownAsset))
async def claim_checkout_money(call: Call[Nothing, Claim]) -> dict[str, Any]:
    """Ask money back that was too much, came late, or came in another asset, to an address of the same chain."""
    return await call.runtime.refunding.claim(call.path["invoice"], call.body.asset, call.body.address)


OPERATIONS: Final = (get_checkout_self_service, reopen_checkout, expire_checkout, look_up_checkout_transaction, claim_checkout_money)
