"""Receiving wallets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pepay_core.domain import ids
from pepay_core.domain.errors import Conflict, InvalidAddress, NoDestination
from pepay_core.services.receiving import MAX_ADDRESSES, MAX_LABEL
from pepay_core.web.operations import operation
from pepay_core.web.schemas import BaseUnits, Money, Nothing, Paging, Seconds, Sent

if TYPE_CHECKING:
    from pepay_core.services.paging import Slice
    from pepay_core.web.operations import Call

_READ: Final = "wallets:read"
_WRITE: Final = "wallets:write"
_WALLET: Final = {"wallet": ids.WALLET}

Material = Annotated[str, Meta(min_length=1, max_length=4_000, description="An extended public key, or an address.")]
Addresses = Annotated[list[Annotated[str, Meta(min_length=1, max_length=128)]], Meta(min_length=1, max_length=MAX_ADDRESSES)]


class CreateWallet(Sent):
    """Public receiving material: never a private key."""

    chain_family: Annotated[str, Meta(min_length=1, max_length=20, examples=["eip155"])]
    kind: Annotated[str, Meta(min_length=1, max_length=40, examples=["xpub"])]
    value: Material | Addresses
    label: Annotated[str, Meta(min_length=1, max_length=MAX_LABEL)] | None = None


class WalletBalance(msgspec.Struct):
    """What came to a wallet's addresses in one asset, final payments only, and what went on from them to the merchant's own account.

    ``swept`` and ``waiting`` are null where that cannot be seen, because the owner's own wallet moves the money.
    """

    asset: str
    received: Money | None
    received_base_units: BaseUnits
    swept: Money | None
    swept_base_units: BaseUnits | None
    waiting: Money | None
    waiting_base_units: BaseUnits | None


class MissingAccount(msgspec.Struct):
    """An asset in which a wallet cannot be paid yet, and what its owner can do."""

    asset: str
    symbol: str
    remedy: str


class Wallet(msgspec.Struct):
    """Receiving material. Compare ``first_address`` with what your own wallet shows."""

    object: Literal["wallet"]
    id: str
    livemode: bool
    chain_family: str
    kind: str
    value: str | list[str]
    label: str | None
    first_address: str | None
    addresses_issued: int
    recovery: Annotated[str | None, Meta(description="Keep it: with it alone the deposits are found again if the database is lost.")]
    balances: list[WalletBalance]
    missing_accounts: Annotated[list[MissingAccount], Meta(description="What cannot be paid to this wallet yet; not offered until it can.")]
    warnings: list[str]
    created_at: Seconds
    archived_at: Seconds | None


@operation(
    "POST",
    "/api/v1/wallets",
    tag="Wallets",
    access=_WRITE,
    fresh=True,
    status=201,
    body=CreateWallet,
    gives=Wallet,
    refuses=(InvalidAddress, Conflict, NoDestination),
)
async def create_wallet(call: Call[Nothing, CreateWallet]) -> dict[str, Any]:
    """Add receiving material; the first address that it gives is shown, to compare."""
    sent = call.body
    return await call.runtime.receiving.create(call.caller, sent.chain_family, sent.kind, sent.value, sent.label)


@operation("GET", "/api/v1/wallets", tag="Wallets", access=_READ, query=Paging, gives=Wallet, many=True)
async def list_wallets(call: Call[Paging, None]) -> Slice[dict[str, Any]]:
    """List the wallets in use, newest first."""
    return await call.runtime.receiving.page(call.caller, call.query.page())


@operation("GET", "/api/v1/wallets/{wallet}", tag="Wallets", access=_READ, ids=_WALLET, gives=Wallet)
async def get_wallet(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get a wallet that is in use."""
    return await call.runtime.receiving.get(call.caller, call.path["wallet"])


@operation("DELETE", "/api/v1/wallets/{wallet}", tag="Wallets", access=_WRITE, fresh=True, ids=_WALLET, gives=Wallet)
async def archive_wallet(call: Call[Nothing, None]) -> dict[str, Any]:
    """Archive a wallet: no new addresses come from it, and those that were issued stay watched."""
    return await call.runtime.receiving.archive(call.caller, call.path["wallet"])


OPERATIONS: Final = (create_wallet, list_wallets, get_wallet, archive_wallet)
