"""What an asset costs in an invoice's currency, which is a national currency or an asset itself."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from pepay_core.domain import money
from pepay_core.domain.assets import AssetId
from pepay_core.domain.errors import InvalidInput, UnknownAsset
from pepay_core.domain.rates import AgreedRate, Evidence, Pair
from pepay_core.services.quoting import SAME_ASSET

if TYPE_CHECKING:
    from pepay_core.contracts.context import Clock
    from pepay_core.domain.assets import Token
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.pricing import RateDesk


class Valuation:
    """Prices of assets in invoice currencies."""

    def __init__(self, desk: RateDesk, catalogue: Catalogue, clock: Clock) -> None:
        self._desk = desk
        self._catalogue = catalogue
        self._clock = clock

    def decimals(self, currency: str, *, field: str = "currency") -> int:
        """Return the decimals of a currency, an ISO 4217 code or a known asset; raises InvalidInput or UnknownAsset."""
        if "/" in currency:
            return self._asset(currency, field).decimals
        if currency not in money.CURRENCIES:
            raise InvalidInput(f"{currency[:40]!r} is not an ISO 4217 currency code such as USD, nor a CAIP-19 asset", field=field)
        return money.CURRENCIES[currency]

    async def price(self, token: Token, currency: str) -> AgreedRate:
        """Return the price of one unit of a token; raises RatesUnavailable."""
        if "/" not in currency:
            return await self._desk.rate(Pair(token.rate_id, currency))
        if currency == token.id:
            return self._identity()
        other = self._asset(currency, "currency")
        if other.rate_id == token.rate_id:
            return self._identity()
        return await self._desk.cross(token.rate_id, other.rate_id)

    def priced(self, token: Token, currency: str) -> bool:
        """Tell, without asking anybody, whether a recent price is at hand."""
        if "/" not in currency:
            return self._desk.cached(Pair(token.rate_id, currency)) is not None
        other = self._catalogue.tokens.get(AssetId(currency))
        if other is None:
            return False
        if other.rate_id == token.rate_id:
            return True
        return all(self._desk.cached(Pair(each, "USD")) is not None for each in (token.rate_id, other.rate_id))

    async def prepare(self, tokens: list[Token], currency: str) -> None:
        """Ask for the prices of several tokens at once, so that :meth:`priced` knows them afterwards; failures are silent here."""
        wanted = {token.rate_id for token in tokens}
        if "/" in currency:
            wanted.add(self._asset(currency, "currency").rate_id)
            currency = "USD"
        await self._desk.rates([Pair(each, currency) for each in sorted(wanted)])

    async def blame(self, tokens: list[Token], currency: str, *, field: str = "currency") -> None:
        """Raise InvalidInput when it is the currency that has no price: the same assets have one in dollars."""
        if "/" in currency or currency == "USD":
            return
        await self.prepare(tokens, "USD")
        if any(self.priced(token, "USD") for token in tokens):
            raise InvalidInput(f"no running source of rates knows a price in {currency}; in USD there is one", field=field)

    def _asset(self, currency: str, field: str) -> Token:
        try:
            return self._catalogue.token(currency)
        except UnknownAsset:
            raise UnknownAsset(currency, field=field) from None

    def _identity(self) -> AgreedRate:
        now = self._clock.now()
        return AgreedRate(Decimal(1), now, (Evidence(SAME_ASSET, Decimal(1), now),))
