"""What the holder of an invoice's client token may do."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta

from pepay_core.domain.errors import AssetNotAccepted, ChainUnavailable, Conflict, InvalidAddress, RateLimited, UnknownAsset
from pepay_core.web.api.buying import NO_QUOTE, of_buyer
from pepay_core.web.api.invoice_objects import ChooseOption, InvoiceForBuyer
from pepay_core.web.asgi.facts import facts
from pepay_core.web.limiting import address_key
from pepay_core.web.schemas import AssetText, Nothing, Sent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from pepay_core.web.operations import Call

_SILENCE: Final = 20.0  # seconds, less than the idle time that proxies allow


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


class Revision(msgspec.Struct):
    """What an invoice's page shows, in a word: it changes with it."""

    revision: str


@of_buyer("GET", "", gives=InvoiceForBuyer)
async def get_checkout(call: Call[Nothing, None]) -> dict[str, Any]:
    """Get an invoice as its buyer sees it."""
    return await call.runtime.invoicing.for_buyer(call.path["invoice"])


@of_buyer("POST", "/payment-options", body=ChooseOption, gives=InvoiceForBuyer, refuses=NO_QUOTE)
async def choose_checkout_option(call: Call[Nothing, ChooseOption]) -> dict[str, Any]:
    """Choose the asset to pay with."""
    return await call.runtime.invoicing.choose_for_buyer(call.path["invoice"], call.body.asset)


@of_buyer(
    "POST",
    "/transaction",
    body=AskTransaction,
    gives=UnsignedTransaction,
    refuses=(UnknownAsset, AssetNotAccepted, InvalidAddress, Conflict, ChainUnavailable),
)
async def get_checkout_transaction(call: Call[Nothing, AskTransaction]) -> dict[str, Any]:
    """Get a transaction for the buyer's wallet to sign."""
    return await call.runtime.invoicing.transaction_for(call.path["invoice"], call.body.asset, call.body.payer)


@of_buyer("POST", "/submitted", body=Submitted, gives=InvoiceForBuyer)
async def submit_checkout_transaction(call: Call[Nothing, Submitted]) -> dict[str, Any]:
    """Say that a transaction was sent: a hint to look sooner, and never a proof."""
    return await call.runtime.invoicing.submitted(call.path["invoice"], call.body.hash)


@of_buyer("GET", "/stream", gives=Revision, streams=True, refuses=(RateLimited,))
async def stream_checkout(call: Call[Nothing, None]) -> AsyncIterator[bytes]:
    """Follow when an invoice's page would look different, as server-sent events.

    The first comes at once, the next ones when something changes: money, a confirmation, a price that runs out, a network in trouble. After 20
    seconds of silence the last one is repeated.
    """
    viewers, invoice = call.runtime.viewers, call.path["invoice"]
    address = address_key(facts(call.request.scope).address)
    if invoice not in viewers:
        # Before anything is sent, so that what is not there is refused as everywhere.
        await call.runtime.invoicing.for_buyer(invoice)
    viewers.check(invoice, address, call.runtime.settings.limits.live_pages)
    return _revisions(viewers.follow(invoice, address, patience=_SILENCE))


async def _revisions(following: AsyncGenerator[str]) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    async with aclosing(following):
        async for revision in following:
            yield b'data: {"revision":"%b"}\n\n' % revision.encode()


OPERATIONS: Final = (get_checkout, choose_checkout_option, get_checkout_transaction, submit_checkout_transaction, stream_checkout)
