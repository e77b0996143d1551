"""Asking a buyer for an amount: price, rounding, and how long both are promised."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.domain import money
from pepay_core.domain.payments import Quote

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from decimal import Decimal

    from pepay_core.domain.assets import Token
    from pepay_core.domain.chains import Transfer
    from pepay_core.domain.invoices import Invoice, Terms
    from pepay_core.domain.rates import AgreedRate
    from pepay_core.services.minting import Ids

SAME_ASSET: Final = "identity"
"""What stands for a provider in the evidence where an asset is paid with itself."""

VOLATILE_VALIDITY: Final = timedelta(minutes=15)

# A block's time may be a little before the moment at which its payment was asked for: clocks differ, and blocks have whole seconds.
_CLOCK_GRACE: Final = timedelta(minutes=2)


def units_for(value: Decimal, rate: Decimal, token: Token, *, exact: bool) -> int:
    """Return the base units that are worth at least ``value``, rounded up to the token's step, or only to one base unit where ``exact``."""
    amount = money.divide(value, rate)
    rounded = money.round_up(amount, token.decimals) if exact else money.round_up_to_step(amount, token.step)
    return money.to_base_units(rounded, token.decimals)


def make_quote(ids: Ids, invoice: Invoice, token: Token, value: Decimal, rate: AgreedRate, now: datetime) -> Quote:
    """Return a locked price for ``value`` of the invoice's currency: for 15 minutes, or until expiry where the price does not move."""
    steady = token.stable is not None or any(each.provider == SAME_ASSET for each in rate.evidence)
    exact = invoice.terms.currency == token.id
    return Quote(
        id=ids.quote(),
        invoice=invoice.id,
        asset=token.id,
        decimals=token.decimals,
        value=value,
        units=units_for(value, rate.value, token, exact=exact),
        rate=rate.value,
        evidence=rate.evidence,
        created_at=now,
        valid_until=_valid_until(invoice.terms, now, steady=steady),
    )


def make_remainder(ids: Ids, invoice: Invoice, token: Token, value: Decimal, locked: Quote, now: datetime, *, remainder: bool) -> Quote:
    """Return a quote for what is left to pay, at the rate of the quote that the buyer was given."""
    return Quote(
        id=ids.quote(),
        invoice=invoice.id,
        asset=token.id,
        decimals=token.decimals,
        value=value,
        units=units_for(value, locked.rate, token, exact=invoice.terms.currency == token.id),
        rate=locked.rate,
        evidence=locked.evidence,
        # The newest quote is the one that holds, so no two are of one moment.
        created_at=max(now, locked.created_at + timedelta(microseconds=1)),
        valid_until=max(locked.valid_until, _valid_until(invoice.terms, now, steady=token.stable is not None)),
        remainder=remainder,
    )


def _valid_until(terms: Terms, now: datetime, *, steady: bool) -> datetime:
    return terms.expires_at if steady else min(terms.expires_at, now + VOLATILE_VALIDITY)


def quote_of(transfer: Transfer, quotes: Iterable[Quote]) -> Quote | None:
    """Return the quote under which a transfer was made: the newest of its asset that was promised at the time of its block."""
    valid = [each for each in quotes if each.asset == transfer.asset and transfer.block.time <= each.valid_until]
    if not valid:
        return None
    promised = [each for each in valid if each.created_at <= transfer.block.time + _CLOCK_GRACE]
    return max(promised, key=lambda each: (each.created_at, each.id)) if promised else min(valid, key=lambda each: (each.created_at, each.id))
