"""Payments: transfers attributed to an invoice, and what they are worth in its currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from pepay_core.domain import money

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from pepay_core.domain.assets import AssetId
    from pepay_core.domain.chains import Finality, Tip, Transfer
    from pepay_core.domain.ids import InvoiceId, MerchantId, PaymentId, QuoteId
    from pepay_core.domain.rates import Evidence


class PaymentStatus(StrEnum):
    """How far a payment has come."""

    CONFIRMING = "confirming"
    CONFIRMED = "confirmed"
    REVERTED = "reverted"


class Mismatch(StrEnum):
    """Why a payment does not count towards its invoice by itself."""

    WRONG_ASSET = "wrong_asset"
    """A registered asset, but none in which this invoice was quoted."""
    WRONG_ENVIRONMENT = "wrong_environment"
    """Test money for a live invoice, or the other way round."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A locked price: ``units`` base units of an asset for ``value`` of the invoice's currency.

    ``units`` was rounded up to a short step; the difference counts as exact. ``remainder`` marks what is left after a partial payment,
    at the rate of the quote that it was made under.
    """

    id: QuoteId
    invoice: InvoiceId
    asset: AssetId
    decimals: int
    value: Decimal
    units: int
    rate: Decimal
    evidence: tuple[Evidence, ...]
    created_at: datetime
    valid_until: datetime
    remainder: bool = False


@dataclass(frozen=True, slots=True)
class Payment:
    """A transfer attributed to an invoice.

    Made under a quote it is worth what the quote says; otherwise ``rate`` is the price of one unit at detection, or None while
    no rate could be had. ``mismatch`` keeps it from counting at all. ``value`` is derived, see :func:`valued`.
    """

    id: PaymentId
    invoice: InvoiceId
    merchant: MerchantId
    livemode: bool
    transfer: Transfer
    decimals: int
    status: PaymentStatus
    detected_at: datetime
    confirmed_at: datetime | None = None
    quote: QuoteId | None = None
    rate: Decimal | None = None
    mismatch: Mismatch | None = None
    value: Decimal | None = None

    @property
    def active(self) -> bool:
        """Whether the transfer is on the chain."""
        return self.status is not PaymentStatus.REVERTED

    @property
    def final(self) -> bool:
        """Whether the chain's finality rule has been met."""
        return self.status is PaymentStatus.CONFIRMED

    @property
    def counts(self) -> bool:
        """Whether it is money towards its invoice."""
        return self.active and self.mismatch is None


def is_deep(payment: Payment, tip: Tip, network: Finality, own: Finality | None) -> bool:
    """Tell whether a payment is deep enough to be final, seen from this tip: by the merchant's own bands, or else by the network's.

    Where only a balance proves the arrival, both must be met, each as for the largest amounts: no transaction can be looked at again.
    """
    height = payment.transfer.block.height
    if payment.transfer.by_balance:
        return all(rule.reached(height=height, tip=tip, value=None) for rule in (network, network.preferring(own)))
    return network.preferring(own).reached(height=height, tip=tip, value=payment.value)


def worth(quote: Quote, units: int, decimals: int) -> Decimal:
    """Return the value of ``units`` paid under a quote, rounded down to the currency's ``decimals``.

    The quoted units are worth the quoted value, whatever rounding added to them, and fewer are never worth more.
    """
    if units < quote.units:
        at_rate = money.multiply(money.from_base_units(units, quote.decimals), quote.rate)
        return money.round_down(min(at_rate, quote.value), decimals)
    excess = money.multiply(money.from_base_units(units - quote.units, quote.decimals), quote.rate)
    return money.round_down(money.add(quote.value, excess), decimals)


def valued(payments: Iterable[Payment], quotes: Mapping[QuoteId, Quote], decimals: int) -> dict[PaymentId, Decimal | None]:
    """Return each payment's value in the invoice's currency; None where no rate is known yet.

    Payments under one quote are valued together, so that their values add up to the worth of their sum. Final ones come first, in the
    order in which they became so: what is final keeps its value when more arrives. A quote is good for its own asset only.
    A payment that left the chain is worth nothing.
    """
    values: dict[PaymentId, Decimal | None] = {}
    spent: dict[QuoteId, int] = {}
    for payment in sorted(payments, key=_precedence):
        quote = quotes.get(payment.quote) if payment.quote is not None and payment.counts else None
        if not payment.active:
            values[payment.id] = Decimal(0)
        elif quote is not None and quote.asset == payment.transfer.asset:
            before = spent.get(quote.id, 0)
            spent[quote.id] = before + payment.transfer.units
            values[payment.id] = money.subtract(worth(quote, spent[quote.id], decimals), worth(quote, before, decimals))
        elif payment.rate is not None:
            at_rate = money.multiply(money.from_base_units(payment.transfer.units, payment.decimals), payment.rate)
            values[payment.id] = money.round_down(at_rate, decimals)
        else:
            values[payment.id] = None
    return values


def _precedence(payment: Payment) -> tuple[bool, datetime, int, str, str, str]:
    transfer = payment.transfer
    return (not payment.final, payment.confirmed_at or payment.detected_at, transfer.block.height, transfer.tx, transfer.index, payment.id)
