"""The merchant's preferences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pepay_core.domain.errors import InvalidAmount, UnknownAsset
from pepay_core.domain.images import MAX_BYTES
from pepay_core.domain.languages import LANGUAGES
from pepay_core.services.preferring import MAX_BANDS, MAX_BLOCKS, MAX_NAME, MAX_ORIGINS, MAX_TOKENS
from pepay_core.web.api.invoice_objects import Tolerance, ToleranceSent
from pepay_core.web.decoding import amount_text
from pepay_core.web.operations import operation
from pepay_core.web.schemas import Amount, AssetText, Money, Nothing, Seconds, Sent

if TYPE_CHECKING:
    from pepay_core.web.operations import Call

_READ: Final = "merchant:read"
_WRITE: Final = "merchant:write"

ChainText = Annotated[str, Meta(min_length=1, max_length=41, examples=["eip155:1"])]


ColorText = Annotated[str, Meta(max_length=7, examples=["#4f46e5"])]
LanguageCode = Annotated[str, Meta(max_length=8, examples=["en"])]


class BandSent(Sent):
    """Payments worth up to ``up_to`` (null: any) are final after ``blocks``, or when the chain says ``finalized``."""

    up_to: Amount = msgspec.field(default_factory=msgspec.Raw)
    blocks: Annotated[int, Meta(ge=1, le=MAX_BLOCKS)] | None = None
    finality: Literal["confirmations", "finalized"] | None = None


class BrandingSent(Sent):
    """The look of the hosted page."""

    accent: ColorText | UnsetType | None = UNSET
    accent_dark: ColorText | UnsetType | None = UNSET
    color: Annotated[str, Meta(max_length=7, description="The older name of `accent`.")] | UnsetType | None = UNSET
    radius: Literal["none", "small", "medium", "large"] | UnsetType | None = UNSET
    font: Literal["inter", "system", "serif"] | UnsetType | None = UNSET
    scheme: Literal["auto", "light", "dark"] | UnsetType | None = UNSET
    languages: Annotated[list[LanguageCode], Meta(min_length=1, max_length=len(LANGUAGES))] | UnsetType | None = UNSET
    code: Literal["address", "amount"] | UnsetType | None = UNSET
    auto_return: bool | UnsetType | None = UNSET
    support_email: Annotated[str, Meta(max_length=255)] | UnsetType | None = UNSET
    support_url: Annotated[str, Meta(max_length=700)] | UnsetType | None = UNSET
    logo: Annotated[str, Meta(max_length=100, description="As read: another one has an address of its own.")] | UnsetType | None = UNSET


class PutLogo(Sent):
    """A logo."""

    image: Annotated[str, Meta(max_length=MAX_BYTES * 4 // 3 + 4, description="The PNG or WebP image in base64.")]


class SelfServiceSent(Sent):
    """What buyers may do by themselves."""

    new_quote: bool | UnsetType = UNSET
    lookup: bool | UnsetType = UNSET
    claims: Literal["off", "review", "approve"] | UnsetType = UNSET
    claim_minimum: Amount = msgspec.field(default_factory=msgspec.Raw)


class ChangeMerchant(Sent):
    """What shall be different; what is left out stays. Lists of assets are those of the key's environment."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)] | UnsetType = UNSET
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", examples=["USD"])] | UnsetType = UNSET
    tokens: Annotated[list[AssetText], Meta(max_length=MAX_TOKENS)] | UnsetType | None = UNSET
    settlement_asset: AssetText | UnsetType | None = UNSET
    tolerance: ToleranceSent | UnsetType = UNSET
    late_policy: Literal["accept", "hold"] | UnsetType = UNSET
    finality: dict[ChainText, Annotated[list[BandSent], Meta(min_length=1, max_length=MAX_BANDS)] | None] | UnsetType = UNSET
    branding: BrandingSent | UnsetType = UNSET
    embed_origins: Annotated[list[Annotated[str, Meta(max_length=300)]], Meta(max_length=MAX_ORIGINS)] | UnsetType = UNSET
    self_service: SelfServiceSent | UnsetType = UNSET


class Band(msgspec.Struct):
    """One band of a rule of finality."""

    up_to: Money | None
    finality: Literal["confirmations", "finalized"]
    blocks: int | None


class Branding(msgspec.Struct):
    """The look of the hosted page."""

    accent: Annotated[str | None, Meta(description="The colour of buttons and of what goes on.")]
    accent_dark: Annotated[str | None, Meta(description="The same on a dark page; made from `accent` where it is null.")]
    color: Annotated[str | None, Meta(description="The older name of `accent`.")]
    radius: Annotated[str | None, Meta(description="How round corners are.")]
    font: str | None
    scheme: Annotated[str | None, Meta(description="`auto` follows the buyer's device.")]
    languages: Annotated[list[str] | None, Meta(description="The languages offered, the preferred one first; null: all of them.")]
    code: Annotated[str | None, Meta(description="The QR code in front; null: what wallets read best.")]
    auto_return: Annotated[bool | None, Meta(description="Whether a buyer who has paid is taken to `return_url` after five seconds.")]
    logo: Annotated[str | None, Meta(description="The file of the logo.")]
    support_email: str | None
    support_url: str | None


class SelfServiceRules(msgspec.Struct):
    """What buyers may do by themselves."""

    new_quote: Annotated[bool, Meta(description="Go on with an order whose time is over, at the price of the day.")]
    lookup: Annotated[bool, Meta(description="Ask what became of a transaction.")]
    claims: Annotated[Literal["off", "review", "approve"], Meta(description="Ask money back; `approve` needs no decision of yours.")]
    claim_minimum: Annotated[Money, Meta(description="In the invoice's currency.")]


class Merchant(msgspec.Struct):
    """Who is paid, and how they want to be; ``tokens`` null stands for every known asset."""

    object: Literal["merchant"]
    id: str
    livemode: bool
    name: str
    currency: str
    tokens: list[str] | None
    settlement_asset: str | None
    tolerance: Tolerance
    late_policy: Literal["accept", "hold"]
    finality: dict[str, list[Band]]
    branding: Branding
    embed_origins: list[str]
    self_service: SelfServiceRules
    created_at: Seconds


@operation("GET", "/api/v1/merchant", tag="Merchant", access=_READ, gives=Merchant)
async def get_merchant(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get the merchant's preferences."""
    return await call.runtime.preferring.get(call.caller)


@operation("PATCH", "/api/v1/merchant", tag="Merchant", access=_WRITE, body=ChangeMerchant, gives=Merchant, refuses=(InvalidAmount, UnknownAsset))
async def change_merchant(call: Call[Nothing, ChangeMerchant]) -> dict[str, Any]:
    """Change the merchant's preferences."""
    return await call.runtime.preferring.change(call.caller, _changes(call.body))


@operation("POST", "/api/v1/merchant/logo", tag="Merchant", access=_WRITE, body=PutLogo, gives=Merchant)
async def put_logo(call: Call[Nothing, PutLogo]) -> dict[str, Any]:
    """Give the hosted page a logo, in place of the one before.

    A PNG or WebP image of at most 48,000 bytes and 2,000 pixels a side; square ones look best.
    """
    await call.runtime.logos.put(call.caller, call.body.image)
    return await call.runtime.preferring.get(call.caller)


@operation("DELETE", "/api/v1/merchant/logo", tag="Merchant", access=_WRITE, gives=Merchant)
async def remove_logo(call: Call[Nothing, None]) -> dict[str, Any]:
    """Take the logo away."""
    await call.runtime.logos.remove(call.caller)
    return await call.runtime.preferring.get(call.caller)


def _changes(sent: ChangeMerchant) -> dict[str, Any]:
    """Return the given fields, amounts as texts."""
    changes = {name: value for name in sent.__struct_fields__ if (value := getattr(sent, name)) is not UNSET}
    if isinstance(sent.tolerance, ToleranceSent):
        changes["tolerance"] = {
            "percent": amount_text(sent.tolerance.percent, "tolerance.percent"),
            "amount": amount_text(sent.tolerance.amount, "tolerance.amount"),
        }
    if isinstance(sent.branding, BrandingSent):
        changes["branding"] = {name: value for name in sent.branding.__struct_fields__ if (value := getattr(sent.branding, name)) is not UNSET}
    if isinstance(sent.self_service, SelfServiceSent):
        given = {name: value for name in sent.self_service.__struct_fields__ if (value := getattr(sent.self_service, name)) is not UNSET}
        changes["self_service"] = given | {"claim_minimum": amount_text(sent.self_service.claim_minimum, "self_service.claim_minimum")}
    if isinstance(sent.finality, dict):
        changes["finality"] = {chain: None if bands is None else _bands(chain, bands) for chain, bands in sent.finality.items()}
    return changes


def _bands(chain: str, bands: list[BandSent]) -> list[dict[str, Any]]:
    return [
        {"up_to": amount_text(band.up_to, f"finality.{chain}.{place}.up_to"), "blocks": band.blocks, "finality": band.finality}
        for place, band in enumerate(bands)
    ]


OPERATIONS: Final = (get_merchant, change_merchant, put_logo, remove_logo)
