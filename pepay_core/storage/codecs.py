"""What has no column of its own, as JSON text that reads back as it was, numbers digit by digit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pepay_core.domain import money
from pepay_core.domain.assets import AssetId, ChainId
from pepay_core.domain.chains import Finality, FinalityBand
from pepay_core.domain.errors import InvalidInput
from pepay_core.domain.invoices import Action, Decision
from pepay_core.domain.jsontext import Number
from pepay_core.domain.rates import Evidence
from pepay_core.domain.refunds import ClaimPolicy, SelfService
from pepay_core.domain.sources import Source, SourceState

if TYPE_CHECKING:
    from collections.abc import Sequence


def to_json(value: Any) -> str:
    """Write JSON in ASCII; a Decimal becomes the number that it was written as. Raises InvalidInput for what JSON cannot say."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(str(key))}:{to_json(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(to_json(each) for each in value) + "]"
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise InvalidInput(f"{value} is not a JSON number")
        return str(value)
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as exc:
        raise InvalidInput(f"{type(value).__name__} is nothing that JSON can say") from exc


def from_json(text: str) -> Any:
    """Read what :func:`to_json` wrote; a number with a fraction or an exponent becomes a Number, which is a Decimal."""
    return json.loads(text, parse_float=Number)


def to_amount(amount: Decimal | None) -> str | None:
    """Write an amount in the one spelling that is stored: no exponent, no trailing zeros."""
    return None if amount is None else money.plain(amount)


def from_amount(text: str | None) -> Decimal | None:
    """Read an amount that may be missing."""
    return None if text is None else Decimal(text)


def from_assets(text: str | None) -> tuple[AssetId, ...] | None:
    """Read a list of assets; None stands for all."""
    return None if text is None else tuple(AssetId(each) for each in from_json(text))


def to_self_service(allowed: SelfService) -> str:
    """Write what buyers may do by themselves."""
    return to_json(
        {
            "new_quote": allowed.new_quote,
            "lookup": allowed.lookup,
            "claims": str(allowed.claims),
            "claim_minimum": money.plain(allowed.claim_minimum),
        }
    )


def from_self_service(text: str) -> SelfService:
    """Read what buyers may do by themselves; nothing written is what is usual."""
    if not text:
        return SelfService()
    read = from_json(text)
    return SelfService(read["new_quote"], read["lookup"], ClaimPolicy(read["claims"]), Decimal(read["claim_minimum"]))


def to_evidence(evidence: Sequence[Evidence]) -> str:
    """Write what rate providers said: any number, even one that is none."""
    return to_json([[each.provider, str(each.value), _to_time(each.at), each.dropped] for each in evidence])


def from_evidence(text: str) -> tuple[Evidence, ...]:
    """Read what rate providers said."""
    return tuple(Evidence(provider, Decimal(value), _from_time(at), dropped) for provider, value, at, dropped in from_json(text))


def to_decisions(decisions: Sequence[Decision]) -> str:
    """Write what the merchant decided."""
    return to_json([[each.action, _to_time(each.at), each.reason, each.by] for each in decisions])


def from_decisions(text: str) -> tuple[Decision, ...]:
    """Read what the merchant decided."""
    return tuple(Decision(Action(action), _from_time(at), reason, by) for action, at, reason, by in from_json(text))


def to_finality(finality: Mapping[ChainId, Finality]) -> str:
    """Write the finality rules of chains."""
    return to_json({chain: [[to_amount(band.up_to), band.blocks] for band in rule.bands] for chain, rule in finality.items()})


def from_finality(text: str) -> dict[ChainId, Finality]:
    """Read the finality rules of chains."""
    return {
        ChainId(chain): Finality(tuple(FinalityBand(from_amount(up_to), blocks) for up_to, blocks in bands))
        for chain, bands in from_json(text).items()
    }


def to_sources(sources: Sequence[Source]) -> str:
    """Write the places that a chain is read from."""
    return to_json([[each.label, each.state, each.reason, each.head] for each in sources])


def from_sources(text: str | None) -> tuple[Source, ...]:
    """Read the places that a chain is read from; None where they were never written down."""
    return tuple(Source(label, SourceState(state), reason, head) for label, state, reason, head in from_json(text or "[]"))


def _to_time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _from_time(text: str) -> datetime:
    return datetime.fromisoformat(text)
