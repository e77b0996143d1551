"""What can be paid with: tokens, chains, rates; and the plugins that bring them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pepay_core.domain.errors import InvalidInput, RatesUnavailable, UnknownAsset
from pepay_core.web.api.invoice_objects import Evidence  # noqa: TC001 - msgspec reads the annotations
from pepay_core.web.api.merchant import Band  # noqa: TC001
from pepay_core.web.operations import operation
from pepay_core.web.schemas import AssetText, Money, Nothing, Seconds, Time, moment

if TYPE_CHECKING:
    from pepay_core.services.paging import Slice
    from pepay_core.web.operations import Call

_READ: Final = "invoices:read"
_DAY: Final = timedelta(days=1)

Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", examples=["USD"])]


class RateQuery(msgspec.Struct, kw_only=True):
    """Of what, in what."""

    base: AssetText
    quote: Currency = "USD"


class RateHistoryQuery(msgspec.Struct, kw_only=True):
    """Of what, in what, and when: the last day, if nothing else is said."""

    base: AssetText
    quote: Currency = "USD"
    start: Time | UnsetType = msgspec.field(name="from", default=UNSET)
    end: Time | UnsetType = msgspec.field(name="to", default=UNSET)
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class Token(msgspec.Struct):
    """An asset that some running plugin knows."""

    object: Literal["token"]
    asset: str
    chain: str
    network: str
    symbol: str
    name: str
    decimals: int
    native: bool
    livemode: bool
    accepted: bool
    available: bool
    unavailable_reason: str | None
    price: Money | None
    currency: str


class Covered(msgspec.Struct):
    """Blocks that were looked at without a gap."""

    from_block: int
    to_block: int
    to_hash: str
    until: Seconds
    source: Annotated[str, Meta(description="The endpoint that answered, where it has a name.")] | None


class CatchingUp(msgspec.Struct):
    """How far a watcher is behind the tip, and how fast it gets nearer."""

    blocks_behind: int
    blocks_per_second: int
    eta: Annotated[int, Meta(description="Seconds until the tip is reached, about; null while the tip gets away.")] | None


class SourceSeen(msgspec.Struct):
    """A place that a chain is read from, by its address without any key."""

    endpoint: str
    state: Literal["serving", "standby", "resting", "quarantined"]
    reason: str | None
    head: int | None


class Chain(msgspec.Struct):
    """A chain, and how its watcher fares."""

    object: Literal["chain"]
    id: str
    name: str
    livemode: bool
    native: str
    state: Literal["starting", "healthy", "impaired", "degraded"]
    reason: str | None
    tip: int | None
    tip_time: Seconds | None
    lag: Annotated[int, Meta(description="Blocks between the tip and the last one looked at.")] | None
    checked_at: Seconds | None
    covered: list[Covered]
    catching_up: CatchingUp | None
    finality: list[Band]
    alone_up_to: Annotated[Money | None, Meta(description="What one endpoint is believed alone, while no other answers; null: anything.")]
    endpoints: list[SourceSeen]


class Rate(msgspec.Struct):
    """A price that enough providers agree on, with what each of them said."""

    object: Literal["rate"]
    base: str
    quote: str
    rate: Money
    at: Seconds
    evidence: list[Evidence]


class PastRate(msgspec.Struct):
    """A price as it was agreed on then; null, with a reason, where there was none."""

    object: Literal["rate"]
    base: str
    quote: str
    rate: Money | None
    reason: str | None
    at: Seconds
    evidence: list[Evidence]


class Plugin(msgspec.Struct):
    """An installed plugin, and how far it came."""

    object: Literal["plugin"]
    name: str
    distribution: str
    version: str
    state: str
    stage: str
    reason: str
    hint: str
    contributes: list[str]


@operation("GET", "/api/v1/tokens", tag="Offers", access=_READ, gives=Token, many=True)
async def list_tokens(call: Call[Nothing, None]) -> list[dict[str, Any]]:
    """List every known asset of the key's environment, with its price."""
    return await call.runtime.offering.tokens(call.caller)


@operation("GET", "/api/v1/chains", tag="Offers", access=_READ, gives=Chain, many=True)
async def list_chains(call: Call[Nothing, None]) -> list[dict[str, Any]]:
    """List the chains of the key's environment, and how far each was looked at."""
    return await call.runtime.offering.chains(call.caller)


@operation("GET", "/api/v1/rates", tag="Offers", access=_READ, query=RateQuery, gives=Rate, refuses=(UnknownAsset, RatesUnavailable))
async def get_rate(call: Call[RateQuery, None]) -> dict[str, Any]:
    """Get the price of an asset."""
    return await call.runtime.offering.rates(call.query.base, call.query.quote)


@operation("GET", "/api/v1/rates/history", tag="Offers", access=_READ, query=RateHistoryQuery, gives=PastRate, many=True, refuses=(UnknownAsset,))
async def list_past_rates(call: Call[RateHistoryQuery, None]) -> Slice[dict[str, Any]]:
    """List the prices of an asset as they were agreed on, newest first; older ones are had by ``to``."""
    query = call.query
    end = moment(query.end, "to") if query.end else call.runtime.clock.now()
    start = moment(query.start, "from") if query.start else end - _DAY
    if start >= end:
        raise InvalidInput("must be before `to`", field="from")
    return await call.runtime.offering.rate_history(query.base, query.quote, start, end, query.limit)


@operation("GET", "/api/v1/plugins", tag="Operation", access="merchant:read", gives=Plugin, many=True)
async def list_plugins(call: Call[Nothing, None]) -> list[dict[str, Any]]:
    """List the plugins, with a reason and a next step for each that does not run."""
    return [
        {
            "object": "plugin",
            "name": status.name,
            "distribution": status.distribution,
            "version": status.version,
            "state": str(status.state),
            "stage": str(status.stage),
            "reason": status.reason,
            "hint": status.hint,
            "contributes": list(status.contributes),
        }
        for status in call.runtime.assembly.statuses.values()
    ]


OPERATIONS: Final = (list_tokens, list_chains, get_rate, list_past_rates, list_plugins)
