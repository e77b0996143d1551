"""What became of a transaction, and looking at blocks again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pepay_core.domain.errors import ChainUnavailable, Conflict, InvalidInput, UnknownAsset
from pepay_core.services.explanations import explanation_object, rescan_object
from pepay_core.web.operations import operation
from pepay_core.web.schemas import BaseUnits, Money, Nothing, Seconds, Sent

if TYPE_CHECKING:
    from pepay_core.web.operations import Call

_SECONDS: Final = 15.0
"""How long a rescan goes on beginning stretches, so that its answer comes before the request's deadline."""

ChainText = Annotated[str, Meta(min_length=1, max_length=71, description="A CAIP-2 chain id.", examples=["eip155:42161"])]
Height = Annotated[int, Meta(ge=0, lt=2**53)]
AnswerText = Literal["credited", "missed", "unmatched", "not_covered_yet", "before_first_block", "pending", "not_addressed_to_us", "not_on_chain"]


class ExplainQuery(msgspec.Struct, kw_only=True):
    """On which chain; all of the key's environment are asked when none is named."""

    chain: ChainText | UnsetType = UNSET


class Explained(msgspec.Struct):
    """One thing that the transaction brought, or seems to have brought."""

    answer: Literal["credited", "missed", "unmatched"]
    reason: str | None
    asset: str
    symbol: str | None
    amount: Money | None
    amount_base_units: BaseUnits | None
    to: str
    index: int | str
    invoice: str | None
    payment: str | None


class Range(msgspec.Struct):
    """Blocks to be looked at again."""

    from_block: int
    to_block: int


class Asked(msgspec.Struct):
    """A chain, and what it said, or why it said nothing."""

    chain: str
    answer: AnswerText | None
    problem: str | None


class Explanation(msgspec.Struct):
    """What PePay made of a transaction."""

    object: Literal["explanation"]
    transaction: str
    answer: AnswerText
    reason: Annotated[str, Meta(description="Why, where the answer is `unmatched`.")] | None
    message: str
    chain: str | None
    block: int | None
    block_time: Seconds | None
    transfers: list[Explained]
    rescan: Annotated[Range, Meta(description="The blocks to look at again, where that may help.")] | None
    asked: list[Asked]


class RescanBlocks(Sent):
    """Which blocks, and by which endpoint: any, if none is named."""

    from_block: Height
    to_block: Height
    provider: Annotated[str, Meta(min_length=1, max_length=255, description="An endpoint as `covered` names it.")] | None = None


class Credited(msgspec.Struct):
    """A payment that was not known before."""

    payment: str
    invoice: str
    asset: str
    amount_base_units: BaseUnits
    transaction: str
    block: int


class Rescan(msgspec.Struct):
    """What a second look brought. Where `reached` is less than `to_block`, go on above it."""

    object: Literal["rescan"]
    chain: str
    from_block: int
    to_block: int
    reached: int
    seen: Annotated[int, Meta(description="How many transfers to addresses of yours there are in the blocks.")]
    credited: list[Credited]


@operation(
    "GET",
    "/api/v1/transactions/{hash}/explain",
    tag="Operation",
    access="invoices:read",
    query=ExplainQuery,
    gives=Explanation,
    refuses=(InvalidInput, UnknownAsset, ChainUnavailable),
)
async def explain_transaction(call: Call[ExplainQuery, None]) -> dict[str, Any]:
    """Say what became of a transaction, and why.

    Whoever else was paid by it is not told: what went to others is not addressed to you.
    """
    chain, caller = call.query.chain or None, call.caller
    explained = await call.runtime.explaining.explain(call.path["hash"], chain_id=chain, merchant=caller.merchant, livemode=caller.livemode)
    return explanation_object(explained, call.runtime.catalogue)


@operation(
    "POST",
    "/api/v1/chains/{chain}/rescan",
    tag="Operation",
    access="invoices:write",
    body=RescanBlocks,
    gives=Rescan,
    refuses=(InvalidInput, UnknownAsset, ChainUnavailable, Conflict),
)
async def rescan_chain(call: Call[Nothing, RescanBlocks]) -> dict[str, Any]:
    """Look at blocks again, and credit what is new.

    All addresses that were ever given out for your invoices are looked for. Nothing is credited twice, however often you ask.
    """
    chain_id, wanted = call.path["chain"], call.body
    chain = call.runtime.catalogue.chain(chain_id)
    if chain.testnet is call.caller.livemode:
        raise UnknownAsset(chain_id)
    found = await call.runtime.rescanning.rescan(
        chain_id, wanted.from_block, wanted.to_block, source=wanted.provider, merchant=call.caller.merchant, seconds=_SECONDS
    )
    return rescan_object(chain_id, wanted.to_block, found)


OPERATIONS: Final = (explain_transaction, rescan_chain)
