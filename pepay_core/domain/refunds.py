"""Money that is to go back to a buyer: what can be asked back of an invoice, and what became of asking.

PePay moves none of it. A refund says what is owed to whom and where to, and in which transaction the merchant has sent it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from pepay_core.domain import money
from pepay_core.domain.invoices import Resolution, Status
from pepay_core.domain.payments import Mismatch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pepay_core.domain.assets import Address, AssetId
    from pepay_core.domain.ids import InvoiceId, MerchantId, RefundId
    from pepay_core.domain.invoices import Invoice
    from pepay_core.domain.payments import Payment


class RefundStatus(StrEnum):
    """How far a refund has come; the last two are ends."""

    REQUESTED = "requested"
    APPROVED = "approved"
    COMPLETED = "completed"
    DECLINED = "declined"


class RefundReason(StrEnum):
    """Why money may go back."""

    EXCESS = "excess"
    """More came than was asked."""
    LATE = "late"
    """It came after the deadline, and the merchant holds late money."""
    PARTIAL = "partial"
    """Less came than was asked, and the buyer will not send the rest."""
    WRONG_ASSET = "wrong_asset"
    """It came in an asset that was not asked for."""
    CANCELED = "canceled"
    """It came for an invoice that was canceled."""


class ClaimPolicy(StrEnum):
    """What becomes of a buyer's claim."""

    OFF = "off"
    REVIEW = "review"
    APPROVE = "approve"


@dataclass(frozen=True, slots=True)
class SelfService:
    """What a merchant lets buyers do by themselves. ``claim_minimum`` is in the invoice's currency."""

    new_quote: bool = True
    """Go on with an order whose time is over, at the price of the day."""
    lookup: bool = True
    """Ask what became of a transaction."""
    claims: ClaimPolicy = ClaimPolicy.REVIEW
    claim_minimum: Decimal = Decimal("1.00")


@dataclass(frozen=True, slots=True)
class Claimable:
    """What a buyer can ask back, in one asset and for one reason; ``value`` is in the invoice's currency, None where nothing has a price."""

    reason: RefundReason
    asset: AssetId
    decimals: int
    units: int
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that somebody asked back."""

    id: RefundId
    invoice: InvoiceId
    merchant: MerchantId
    livemode: bool
    reason: RefundReason
    asset: AssetId
    decimals: int
    units: int
    address: Address
    status: RefundStatus
    created_at: datetime
    decided_at: datetime | None = None
    completed_at: datetime | None = None
    transaction: str | None = None
    """In which the merchant has sent it, as the merchant says."""
    message: str | None = None
    """What the merchant told the buyer."""

    @property
    def over(self) -> bool:
        """Whether nothing more will become of it."""
        return self.status in {RefundStatus.COMPLETED, RefundStatus.DECLINED}


@dataclass(slots=True)
class _Sum:
    decimals: int
    units: int = 0
    values: list[Decimal | None] = field(default_factory=list["Decimal | None"])


# Money that the merchant took, or gave up, is not asked back any more.
_KEPT: Final = frozenset({Resolution.ACCEPTED, Resolution.WRITTEN_OFF})


def claimable(invoice: Invoice, payments: Iterable[Payment], refunds: Iterable[Refund]) -> tuple[Claimable, ...]:
    """Return what can be asked back of an invoice now: final money only, less what was asked back before, whatever became of that."""
    final = [payment for payment in payments if payment.final]
    sums: dict[tuple[RefundReason, AssetId], _Sum] = {}
    for payment in final:
        reason = _reason(invoice, payment)
        if reason is not None:
            _add(sums, reason, payment, payment.transfer.units, payment.value)
    _add_excess(sums, invoice, final)
    asked: dict[tuple[RefundReason, AssetId], int] = {}
    for refund in refunds:
        asked[refund.reason, refund.asset] = asked.get((refund.reason, refund.asset), 0) + refund.units
    found: list[Claimable] = []
    for (reason, asset), total in sorted(sums.items()):
        left = total.units - asked.get((reason, asset), 0)
        if left > 0:
            value = None if None in total.values else money.add(*filter(None, total.values))
            share = (
                None
                if value is None
                else money.round_down(money.multiply(value, money.divide(Decimal(left), Decimal(total.units))), invoice.terms.decimals)
            )
            found.append(Claimable(reason, asset, total.decimals, left, share))
    return tuple(found)


def _reason(invoice: Invoice, payment: Payment) -> RefundReason | None:
    """Return why a whole payment may go back, or None where it may not."""
    state = invoice.assessment
    if payment.mismatch is Mismatch.WRONG_ENVIRONMENT or state.resolution in _KEPT:
        return None
    if payment.mismatch is Mismatch.WRONG_ASSET:
        return RefundReason.WRONG_ASSET
    if state.status is Status.CANCELED:
        return RefundReason.CANCELED
    if state.status is Status.UNDERPAID:
        return RefundReason.PARTIAL
    if state.status is Status.EXPIRED and payment.transfer.block.time > invoice.terms.expires_at:
        return RefundReason.LATE
    return None


def _add_excess(sums: dict[tuple[RefundReason, AssetId], _Sum], invoice: Invoice, final: Iterable[Payment]) -> None:
    """Take what is too much from the newest payments: what came first has paid the invoice."""
    left = invoice.assessment.amount_overpaid
    if invoice.assessment.status is not Status.OVERPAID:
        return
    for payment in sorted(final, key=lambda each: (each.transfer.block.height, each.detected_at, each.id), reverse=True):
        if not payment.counts or not payment.value or left <= 0:
            continue
        part = min(left, payment.value)
        left = money.subtract(left, part)
        _add(sums, RefundReason.EXCESS, payment, int(payment.transfer.units * Fraction(part) / Fraction(payment.value)), part)


def _add(sums: dict[tuple[RefundReason, AssetId], _Sum], reason: RefundReason, payment: Payment, units: int, value: Decimal | None) -> None:
    total = sums.setdefault((reason, payment.transfer.asset), _Sum(payment.decimals))
    total.units += units
    total.values.append(value)
