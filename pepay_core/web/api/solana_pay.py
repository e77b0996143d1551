"""Transaction requests of Solana Pay: a wallet that was given a link asks what it is about, and then for the transaction to sign.

The two calls and the names of their fields are those of the Solana Pay specification, "Transaction Request". Wallets ask from pages of
their own, so any origin may: the client token in the link is what lets them in, as it does everybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pepay_core.domain.assets import family_of
from pepay_core.domain.errors import AssetNotAccepted, ChainUnavailable, Conflict, InvalidAddress, InvoiceClosed, UnknownAsset
from pepay_core.web.api.buying import of_buyer
from pepay_core.web.checkout.states import chosen
from pepay_core.web.schemas import AssetText, Sent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_core.web.operations import Call

_PATH: Final = "/solana-pay"
_FAMILY: Final = "solana"
_OPEN: Final = frozenset({"unpaid", "underpaid"})


class WhichAsset(msgspec.Struct, kw_only=True):
    """The asset to pay with: the one that was chosen last, if nothing is said."""

    asset: AssetText | UnsetType = UNSET


class AskingWallet(Sent):
    """Who pays."""

    account: Annotated[str, Meta(min_length=1, max_length=128, description="The address of the wallet that will sign.")]


class WhoAsks(msgspec.Struct):
    """Who asks for the payment."""

    label: str
    icon: str


class TransactionToSign(msgspec.Struct):
    """A transaction in base64, and what it does."""

    transaction: str
    message: str


@of_buyer("GET", _PATH, query=WhichAsset, gives=WhoAsks, open_to_origins=True)
async def describe_solana_pay_request(call: Call[WhichAsset, None]) -> dict[str, Any]:
    """Get who asks for the payment, as a Solana Pay wallet shows it."""
    found = await call.runtime.invoicing.for_buyer(call.path["invoice"])
    return {"label": found["merchant_name"], "icon": f"{call.runtime.settings.server.base_url.rstrip('/')}/static/mark.svg"}


@of_buyer(
    "POST",
    _PATH,
    query=WhichAsset,
    body=AskingWallet,
    gives=TransactionToSign,
    refuses=(UnknownAsset, AssetNotAccepted, InvalidAddress, Conflict, InvoiceClosed, ChainUnavailable),
    open_to_origins=True,
)
async def make_solana_pay_transaction(call: Call[WhichAsset, AskingWallet]) -> dict[str, Any]:
    """Get the transaction that pays, for the wallet that asks to sign and send."""
    invoice = call.path["invoice"]
    found = await call.runtime.invoicing.for_buyer(invoice)
    if found["status"] not in _OPEN:
        raise InvoiceClosed(f"the invoice is {found['status']}, so there is nothing to pay")
    option = _option(found, call.query.asset or None)
    unsigned = await call.runtime.invoicing.transaction_for(invoice, option["asset"], call.body.account, field="account")
    message = f"{option['quote']['amount']} {option['symbol']} to {found['merchant_name']}"
    return {"transaction": unsigned["payload"]["transaction"], "message": message}


def _option(invoice: Mapping[str, Any], asset: str | None) -> Mapping[str, Any]:
    ours = [each for each in invoice["payment_options"] if family_of(each["chain"]) == _FAMILY and asset in {None, each["asset"]}]
    option = chosen({**invoice, "payment_options": ours})
    if option is None:
        raise Conflict("choose an asset on Solana first, so that there is an amount and an address")
    return option


OPERATIONS: Final = (describe_solana_pay_request, make_solana_pay_transaction)
