"""What a merchant asks for when creating an invoice, and turning it into a draft that is sound."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pepay_core.domain import money
from pepay_core.domain.assets import canonical_asset
from pepay_core.domain.errors import AmountOutOfRange, AssetNotAccepted, InvalidInput, PePayError, UnknownAsset
from pepay_core.domain.invoices import InvoiceDraft, Tolerance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pepay_core.domain.assets import AssetId, Token
    from pepay_core.domain.merchants import Merchant
    from pepay_core.services.callers import Caller
    from pepay_core.services.offering import Offering
    from pepay_core.services.valuing import Valuation

SMALLEST: Final = Decimal("0.01")
LARGEST: Final = Decimal(1_000_000)
SHORTEST: Final = 60
LONGEST: Final = 2_592_000
USUAL: Final = 3600
_TOLERANCE_DECIMALS: Final = 18


@dataclass(frozen=True, slots=True)
class InvoiceRequest:
    """An invoice as it was asked for: amounts as the texts that were sent, assets as they were typed.

    Of ``amount_usd`` and ``amount`` one is given.
    """

    amount_usd: str | None = None
    amount: str | None = None
    currency: str | None = None
    description: str | None = None
    customer_id: str | None = None
    customer_email: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    expires_in: int | None = None
    tokens: Sequence[str] | None = None
    settlement_asset: str | None = None
    tolerance_percent: str | None = None
    tolerance_amount: str | None = None
    pay_with: str | None = None
    return_url: str | None = None
    title: str | None = None
    footer: str | None = None
    line_items: Sequence[Mapping[str, Any]] = ()


class Requests:
    """Checks requests against what the merchant and the plugins know."""

    def __init__(self, offering: Offering, valuation: Valuation) -> None:
        self._offering = offering
        self._valuation = valuation

    def draft(self, request: InvoiceRequest, merchant: Merchant, caller: Caller) -> InvoiceDraft:
        """Return a sound draft; raises InvalidInput, InvalidAmount, AmountOutOfRange or UnknownAsset with the field's name."""
        currency, decimals, amount = self._amount(request, merchant, caller)
        expires_in = USUAL if request.expires_in is None else request.expires_in
        if not SHORTEST <= expires_in <= LONGEST:
            raise InvalidInput(f"expires_in must be from {SHORTEST} to {LONGEST} seconds", field="expires_in")
        known = self._offering.accepted(merchant, None, livemode=caller.livemode)
        everything = self._offering.known(livemode=caller.livemode)
        return InvoiceDraft(
            merchant=merchant.id,
            livemode=caller.livemode,
            amount=amount,
            currency=currency,
            decimals=decimals,
            expires_in=expires_in,
            tolerance=_tolerance(request, merchant, currency),
            late_policy=merchant.late_policy,
            tokens=None if request.tokens is None else _tokens(request.tokens, known, everything),
            settlement_asset=_settlement(request.settlement_asset, everything) or merchant.settlement_asset,
            description=request.description,
            customer_id=request.customer_id,
            customer_email=_email(request.customer_email),
            metadata=request.metadata,
            return_url=_return_url(request.return_url),
            title=request.title,
            footer=request.footer,
            line_items=tuple(request.line_items),
        )

    def pay_with(self, request: InvoiceRequest, draft: InvoiceDraft, merchant: Merchant) -> Token | None:
        """Return the asset to quote at once; raises UnknownAsset or AssetNotAccepted."""
        if request.pay_with is None:
            return None
        accepted = self._offering.accepted(merchant, draft.tokens, livemode=draft.livemode)
        return pick(request.pay_with, accepted, self._offering.known(livemode=draft.livemode), field="pay_with")

    def _amount(self, request: InvoiceRequest, merchant: Merchant, caller: Caller) -> tuple[str, int, Decimal]:
        if request.amount_usd is not None:
            if request.amount is not None:
                raise InvalidInput("give amount_usd, or amount with currency, not both", field="amount")
            if request.currency not in {None, "USD"}:
                raise InvalidInput("amount_usd is in USD; give amount with another currency", field="currency")
            currency, text, name = "USD", request.amount_usd, "amount_usd"
        elif request.amount is not None:
            currency, text, name = request.currency or merchant.currency, request.amount, "amount"
        else:
            raise InvalidInput("give amount_usd, or amount with currency", field="amount")
        if "/" in currency:
            currency = _named(currency, self._offering.known(livemode=caller.livemode), field="currency").id
        decimals = self._valuation.decimals(currency)
        amount = money.parse_amount(text, decimals=decimals, field=name)
        if not SMALLEST <= amount <= LARGEST:
            raise AmountOutOfRange(f"an invoice asks from {SMALLEST} to {LARGEST} {currency if '/' not in currency else 'units'}", field=name)
        return currency, decimals, amount


def pick(text: str, accepted: Sequence[Token], known: Sequence[Token], *, field: str) -> Token:
    """Return the accepted token that a text names; raises UnknownAsset or AssetNotAccepted."""
    token = _named(text, known, field=field)
    if token not in accepted:
        raise AssetNotAccepted(f"{token.symbol} ({token.id}) is not among the assets that this invoice accepts", field=field)
    return token


def _named(text: str, known: Sequence[Token], *, field: str) -> Token:
    try:
        asset = canonical_asset(text)
    except PePayError:
        raise InvalidInput(f"{text[:160]!r} is not a CAIP-19 asset id such as eip155:1/slip44:60", field=field) from None
    token = next((each for each in known if each.id == asset), None)
    if token is None:
        raise UnknownAsset(asset, field=field)
    return token


def _tokens(texts: Sequence[str], accepted: Sequence[Token], known: Sequence[Token]) -> tuple[AssetId, ...]:
    if not texts:
        raise InvalidInput("tokens must name at least one asset, or be left out", field="tokens")
    chosen = [pick(text, accepted, known, field=f"tokens[{place}]").id for place, text in enumerate(texts)]
    return tuple(dict.fromkeys(chosen))


def _settlement(text: str | None, known: Sequence[Token]) -> AssetId | None:
    return None if text is None else _named(text, known, field="settlement_asset").id


def _tolerance(request: InvoiceRequest, merchant: Merchant, currency: str) -> Tolerance:
    given = request.tolerance_percent is not None or request.tolerance_amount is not None
    if not given:
        # Ten cents mean nothing in bitcoin: a fixed part is for national currencies.
        return merchant.tolerance if "/" not in currency else Tolerance(merchant.tolerance.percent, Decimal(0))
    return parse_tolerance(request.tolerance_percent, request.tolerance_amount)


def parse_tolerance(percent: str | None, amount: str | None) -> Tolerance:
    """Return the tolerance that two texts write; what is left out is zero. Raises InvalidAmount, or InvalidInput above 5 %."""
    share = money.parse_amount(percent or "0", decimals=_TOLERANCE_DECIMALS, field="tolerance.percent")
    if share > 5:
        raise InvalidInput("a tolerance is at most 5 percent", field="tolerance.percent")
    return Tolerance(share, money.parse_amount(amount or "0", decimals=_TOLERANCE_DECIMALS, field="tolerance.amount"))


def _email(text: str | None) -> str | None:
    if text is None:
        return None
    name, at, domain = text.rpartition("@")
    if not at or not name or "." not in domain.strip(".") or any(each.isspace() for each in text):
        raise InvalidInput("customer_email is not a mail address", field="customer_email")
    return text


def _return_url(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        sound = parts.scheme in {"https", "http"} and bool(parts.hostname) and "@" not in parts.netloc and not any(each.isspace() for each in text)
    except ValueError:
        sound = False
    if not sound:
        raise InvalidInput("return_url must be an https or http URL", field="return_url")
    return text
