"""What a merchant prefers: accepted tokens, tolerance, finality, the look of the hosted page."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain import money
from pepay_core.domain.assets import canonical_asset, chain_id
from pepay_core.domain.chains import FINALIZED, Finality, FinalityBand
from pepay_core.domain.errors import InvalidInput, Refused, UnknownAsset
from pepay_core.domain.invoices import LatePolicy, Tolerance
from pepay_core.domain.origins import parse_origin
from pepay_core.domain.refunds import ClaimPolicy
from pepay_core.services.branding import branding, branding_object
from pepay_core.services.presenting import finality_bands, seconds
from pepay_core.services.recording import changed_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pepay_core.domain.assets import AssetId, ChainId
    from pepay_core.domain.merchants import Merchant
    from pepay_core.domain.refunds import SelfService
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.callers import Caller
    from pepay_core.services.ports import Store
    from pepay_core.services.recording import Recorder

MAX_NAME: Final = 100
MAX_TOKENS: Final = 200
MAX_BANDS: Final = 10
MAX_CHAINS: Final = 100
MAX_ORIGINS: Final = 20
MAX_BLOCKS: Final = 10_000


class Preferring:
    """Shows and changes a merchant's preferences. Lists of assets show, and change, the caller's environment only."""

    def __init__(self, store: Store, catalogue: Catalogue, recorder: Recorder) -> None:
        self._store = store
        self._catalogue = catalogue
        self._recorder = recorder

    async def get(self, caller: Caller) -> dict[str, Any]:
        """Return the merchant."""
        async with self._store.read() as tx:
            return self._view(await tx.merchants.get(caller.merchant), livemode=caller.livemode)

    async def change(self, caller: Caller, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Apply the given fields, each as the API takes it, and return the merchant; raises InvalidInput naming the field."""
        async with self._store.begin() as tx:
            before = merchant = await tx.merchants.get(caller.merchant)
            for field, value in changes.items():
                merchant = self._changed(merchant, field, value, livemode=caller.livemode)
            await tx.merchants.save(merchant)
            noted = changed_fields(self._view(before, livemode=caller.livemode), self._view(merchant, livemode=caller.livemode))
            await self._recorder.note(tx, caller, "merchant.changed", merchant.id, noted)
        return self._view(merchant, livemode=caller.livemode)

    def _changed(self, merchant: Merchant, field: str, value: Any, *, livemode: bool) -> Merchant:
        readers: dict[str, Callable[[], Any]] = {
            "name": lambda: _name(value),
            "currency": lambda: _currency(value),
            "tokens": lambda: self._tokens(merchant, value, livemode=livemode),
            "settlement_asset": lambda: None if value is None else self._asset(value, "settlement_asset", livemode=livemode),
            "tolerance": lambda: _tolerance(value, merchant.tolerance),
            "late_policy": lambda: LatePolicy(value),
            "finality": lambda: self._finality(merchant, value),
            "branding": lambda: branding(merchant.branding, value),
            "embed_origins": lambda: _origins(value),
            "self_service": lambda: _self_service(value, merchant.self_service),
        }
        return replace(merchant, **{field: readers[field]()})

    def _tokens(self, merchant: Merchant, wanted: Sequence[str] | None, *, livemode: bool) -> tuple[AssetId, ...] | None:
        """Return the accepted assets of both environments; what the other one accepts stays as it is."""
        usual = self._usual(livemode=not livemode)
        others = usual if merchant.tokens is None else [each for each in merchant.tokens if self._is_of(each, livemode=not livemode)]
        if wanted is None:
            return None if set(others) == set(usual) else (*self._usual(livemode=livemode), *others)
        if len(wanted) > MAX_TOKENS:
            raise InvalidInput(f"must have at most {MAX_TOKENS} assets", field="tokens")
        chosen = [self._asset(text, f"tokens.{place}", livemode=livemode) for place, text in enumerate(wanted)]
        return (*dict.fromkeys(chosen), *others)

    def _usual(self, *, livemode: bool) -> list[AssetId]:
        """Return the assets of an environment that are accepted where nothing else is said."""
        return [token.id for token in self._catalogue.tokens.values() if not token.optional and self._is_of(token.id, livemode=livemode)]

    def _is_of(self, asset: AssetId, *, livemode: bool) -> bool:
        token = self._catalogue.tokens.get(asset)
        return token is not None and self._catalogue.chain(token.chain).testnet is not livemode

    def _asset(self, text: str, field: str, *, livemode: bool) -> AssetId:
        try:
            asset = canonical_asset(text)
        except Refused as exc:
            exc.field = field
            raise
        if not self._is_of(asset, livemode=livemode):
            raise UnknownAsset(text, field=field)
        return asset

    def _finality(self, merchant: Merchant, given: Mapping[str, Sequence[Mapping[str, Any]] | None]) -> dict[ChainId, Finality]:
        """Return the rules with the given ones put in; None takes a chain's own rule back."""
        if len(given) > MAX_CHAINS:
            raise InvalidInput(f"must have at most {MAX_CHAINS} chains", field="finality")
        rules = dict(merchant.finality)
        for name, bands in given.items():
            field = f"finality.{name[:60]}"
            try:
                chain = chain_id(name)
            except Refused as exc:
                exc.field = field
                raise
            if chain not in self._catalogue.chains:
                raise InvalidInput("no running plugin knows this chain", field=field)
            if bands is None:
                rules.pop(chain, None)
            else:
                rules[chain] = _rule(bands, field)
        return rules

    def _view(self, merchant: Merchant, *, livemode: bool) -> dict[str, Any]:
        tokens = merchant.tokens
        settlement = merchant.settlement_asset
        return {
            "object": "merchant",
            "id": merchant.id,
            "livemode": livemode,
            "name": merchant.name,
            "currency": merchant.currency,
            "tokens": None if tokens is None else [each for each in tokens if self._is_of(each, livemode=livemode)],
            "settlement_asset": settlement if settlement is not None and self._is_of(settlement, livemode=livemode) else None,
            "tolerance": {"percent": money.plain(merchant.tolerance.percent), "amount": money.plain(merchant.tolerance.amount, places=2)},
            "late_policy": str(merchant.late_policy),
            "finality": {chain: finality_bands(rule) for chain, rule in merchant.finality.items()},
            "branding": branding_object(merchant.branding),
            "embed_origins": list(merchant.embed_origins),
            "self_service": {
                "new_quote": merchant.self_service.new_quote,
                "lookup": merchant.self_service.lookup,
                "claims": str(merchant.self_service.claims),
                "claim_minimum": money.plain(merchant.self_service.claim_minimum, places=2),
            },
            "created_at": seconds(merchant.created_at),
        }


def _name(value: str) -> str:
    if not value.strip() or len(value) > MAX_NAME:
        raise InvalidInput(f"must have 1 to {MAX_NAME} characters", field="name")
    return value


def _currency(value: str) -> str:
    if value not in money.CURRENCIES:
        raise InvalidInput("must be an ISO 4217 currency such as USD", field="currency")
    return value


def _tolerance(value: Mapping[str, str | None], present: Tolerance) -> Tolerance:
    percent, amount = value.get("percent"), value.get("amount")
    tolerance = Tolerance(
        percent=present.percent if percent is None else money.parse_amount(percent, decimals=4, field="tolerance.percent"),
        amount=present.amount if amount is None else money.parse_amount(amount, decimals=3, field="tolerance.amount"),
    )
    if tolerance.percent > Decimal(5):
        raise InvalidInput("must be at most 5", field="tolerance.percent")
    return tolerance


def _rule(bands: Sequence[Mapping[str, Any]], field: str) -> Finality:
    """Return the rule that ``[{"up_to", "blocks"} …]`` writes: limits grow, and the last band has none."""
    if not 1 <= len(bands) <= MAX_BANDS:
        raise InvalidInput(f"must have 1 to {MAX_BANDS} bands", field=field)
    read: list[FinalityBand] = []
    for place, band in enumerate(bands):
        here = f"{field}.{place}"
        limit, blocks, kind = band.get("up_to"), band.get("blocks"), band.get("finality")
        if (blocks is None) == (kind != FINALIZED):
            raise InvalidInput('must have either blocks, or finality "finalized"', field=here)
        if blocks is not None and not 1 <= blocks <= MAX_BLOCKS:
            raise InvalidInput(f"must be between 1 and {MAX_BLOCKS}", field=f"{here}.blocks")
        read.append(FinalityBand(None if limit is None else money.parse_amount(limit, decimals=18, field=f"{here}.up_to"), blocks))
    limits = [each.up_to for each in read[:-1]]
    if read[-1].up_to is not None:
        raise InvalidInput("must not have a limit, so that every amount has a rule", field=f"{field}.{len(read) - 1}.up_to")
    if None in limits or limits != sorted(set(filter(None, limits))):
        raise InvalidInput("the limits must grow from band to band", field=field)
    return Finality(tuple(read))


def _origins(value: Sequence[str]) -> tuple[str, ...]:
    if len(value) > MAX_ORIGINS:
        raise InvalidInput(f"must have at most {MAX_ORIGINS} origins", field="embed_origins")
    origins = [parse_origin(text, field=f"embed_origins.{place}") for place, text in enumerate(value)]
    return tuple(dict.fromkeys(origins))


def _self_service(given: Mapping[str, Any], present: SelfService) -> SelfService:
    changes = {key: value for key, value in given.items() if value is not None}
    if "claims" in changes:
        changes["claims"] = ClaimPolicy(changes["claims"])
    if "claim_minimum" in changes:
        changes["claim_minimum"] = money.parse_amount(changes["claim_minimum"], decimals=3, field="self_service.claim_minimum")
    return replace(present, **changes)
