"""Invoices, and the one function that says what state they are in.

The rules are in :func:`assess`. Nothing else writes a status, and it reads no clock: the caller says how far the invoice's
chains have been covered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain import money
from pepay_core.domain.payments import valued

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from pepay_core.domain.assets import AssetId
    from pepay_core.domain.ids import InvoiceId, MerchantId, PaymentId, QuoteId
    from pepay_core.domain.payments import Payment, Quote


class Status(StrEnum):
    """One word for people."""

    UNPAID = "unpaid"
    PROCESSING = "processing"
    UNDERPAID = "underpaid"
    PAID = "paid"
    OVERPAID = "overpaid"
    EXPIRED = "expired"
    CANCELED = "canceled"


class Timing(StrEnum):
    """Whether enough money came before the deadline, by its block's time, or only with what came later."""

    ON_TIME = "on_time"
    LATE = "late"


class Resolution(StrEnum):
    """What became of an invoice that is not simply paid."""

    NONE = "none"
    PENDING = "pending"
    ACCEPTED = "accepted"
    REFUNDED = "refunded"
    WRITTEN_OFF = "written_off"


class LatePolicy(StrEnum):
    """What a full payment after the deadline does."""

    ACCEPT = "accept"
    HOLD = "hold"


class Action(StrEnum):
    """What a merchant can decide."""

    CANCEL = "cancel"
    ACCEPT = "accept"
    WRITE_OFF = "write_off"
    REFUND = "refund"
    REOPEN = "reopen"
    """The buyer's, within the merchant's policy: a later deadline, which stands in the terms."""
    EXPIRE = "expire"
    """Of test invoices: an earlier one."""


_RESOLUTIONS: Final = {
    Action.ACCEPT: Resolution.ACCEPTED,
    Action.WRITE_OFF: Resolution.WRITTEN_OFF,
    Action.REFUND: Resolution.REFUNDED,
}

RESOLVING: Final = frozenset(_RESOLUTIONS)
"""The decisions by which a merchant resolves an invoice."""

# However a tolerance is configured, at least this much of the amount must arrive.
_MAX_TOLERANCE: Final = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much less or more still counts as the amount: the larger of a percentage and a fixed amount, at most 5 %."""

    percent: Decimal = Decimal("0.5")
    amount: Decimal = Decimal("0.10")

    def of(self, amount: Decimal) -> Decimal:
        """Return the tolerance for an amount, in its currency."""
        share = money.multiply(amount, self.percent.scaleb(-2))
        return min(max(share, self.amount), money.multiply(amount, _MAX_TOLERANCE))


@dataclass(frozen=True, slots=True)
class Terms:
    """What is owed, until when, and how strictly. ``decimals`` are the currency's."""

    amount: Decimal
    currency: str
    decimals: int
    expires_at: datetime
    tolerance: Tolerance = field(default_factory=Tolerance)
    late_policy: LatePolicy = LatePolicy.ACCEPT

    @property
    def due(self) -> Decimal:
        """The least that pays the invoice."""
        return money.subtract(self.amount, self.tolerance.of(self.amount))

    @property
    def limit(self) -> Decimal:
        """The most that is not too much."""
        return money.add(self.amount, self.tolerance.of(self.amount))


@dataclass(frozen=True, slots=True)
class Decision:
    """An act of the merchant; decisions are only ever added."""

    action: Action
    at: datetime
    reason: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What :func:`assess` found. Amounts are in the invoice's currency."""

    status: Status
    timing: Timing
    resolution: Resolution
    amount_paid: Decimal
    amount_remaining: Decimal
    amount_overpaid: Decimal
    values: Mapping[PaymentId, Decimal | None] = field(default_factory=dict["PaymentId", "Decimal | None"])

    @property
    def fulfil(self) -> bool:
        """The one boolean a shop acts on."""
        return self.status in {Status.PAID, Status.OVERPAID} or self.resolution is Resolution.ACCEPTED


def assess(
    terms: Terms,
    payments: Iterable[Payment],
    quotes: Mapping[QuoteId, Quote],
    decisions: Sequence[Decision],
    covered_until: datetime,
) -> Assessment:
    """Return the state of an invoice from its terms, payments and decisions, and the time up to which its chains were looked at.

    A payment is late by its block's time. Late money counts by the merchant's policy: under ``hold`` it waits for a decision.
    """
    payments = list(payments)
    values = valued(payments, quotes, terms.decimals)
    # Valued for themselves: what came in time must not depend, by a cent of rounding, on what came later.
    on_time = [p for p in payments if p.transfer.block.time <= terms.expires_at]
    values_on_time = valued(on_time, quotes, terms.decimals)
    in_time = _total(on_time, values_on_time)
    came_late = any(p.counts for p in payments if p.transfer.block.time > terms.expires_at)
    held = came_late and terms.late_policy is LatePolicy.HOLD

    seen = in_time if held else _total(payments, values)
    final = _total((p for p in on_time if p.final), values_on_time) if held else _total((p for p in payments if p.final), values)
    everything = _total(payments, values)
    received = _total((p for p in payments if p.final), values)
    passed = covered_until > terms.expires_at

    canceled = any(each.action is Action.CANCEL for each in decisions)
    status = _status(terms, seen, final, passed=passed, canceled=canceled)
    late = came_late and in_time < terms.due

    exceptional = (
        any(p.active and (p.mismatch is not None or values[p.id] is None) for p in payments)
        or held
        or (status is Status.UNDERPAID and passed)
        or (status is Status.CANCELED and any(p.counts for p in payments))
    )
    enough = seen >= terms.due
    return Assessment(
        status=status,
        timing=Timing.LATE if late else Timing.ON_TIME,
        resolution=_resolution(payments, decisions, exceptional=exceptional),
        amount_paid=received,
        amount_remaining=Decimal(0) if enough else max(Decimal(0), money.subtract(terms.amount, everything)),
        amount_overpaid=money.subtract(received, terms.amount) if received > terms.limit else Decimal(0),
        values=values,
    )


def _total(payments: Iterable[Payment], values: Mapping[PaymentId, Decimal | None]) -> Decimal:
    return money.add(*(value for p in payments if p.counts and (value := values[p.id]) is not None))


def _status(terms: Terms, seen: Decimal, final: Decimal, *, passed: bool, canceled: bool) -> Status:
    if canceled:
        return Status.CANCELED
    if seen >= terms.due:
        if final < terms.due:
            return Status.PROCESSING
        return Status.OVERPAID if final > terms.limit else Status.PAID
    if seen > 0:
        return Status.UNDERPAID
    return Status.EXPIRED if passed else Status.UNPAID


def _resolution(payments: Sequence[Payment], decisions: Sequence[Decision], *, exceptional: bool) -> Resolution:
    decided = [each for each in decisions if each.action in _RESOLUTIONS]
    if not decided:
        return Resolution.PENDING if exceptional else Resolution.NONE
    last = decided[-1]
    newer = any(p.active and p.detected_at > last.at for p in payments)
    if last.action is Action.ACCEPT:
        # An accepted invoice stays accepted whatever comes, but not when all that was accepted has left the chain again.
        return Resolution.ACCEPTED if any(p.active for p in payments) else Resolution.PENDING
    # After the other decisions, new money asks for a new one.
    if exceptional and newer:
        return Resolution.PENDING
    return _RESOLUTIONS[last.action]


OPEN: Final = frozenset({Status.UNPAID, Status.UNDERPAID})
"""The states in which a buyer can still be asked for money, until the deadline."""


@dataclass(frozen=True, slots=True)
class InvoiceDraft:
    """An invoice before it exists, as plugins may review it."""

    merchant: MerchantId
    livemode: bool
    amount: Decimal
    currency: str
    decimals: int
    expires_in: int
    tolerance: Tolerance
    late_policy: LatePolicy
    tokens: tuple[AssetId, ...] | None = None
    settlement_asset: AssetId | None = None
    description: str | None = None
    customer_id: str | None = None
    customer_email: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    return_url: str | None = None
    title: str | None = None
    footer: str | None = None
    line_items: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Invoice:
    """What a buyer owes a merchant. ``assessment`` is as of the last change; ``version`` grows with every one.

    ``tokens`` are the assets it accepts, in order; None stands for whatever the merchant accepts.
    """

    id: InvoiceId
    merchant: MerchantId
    livemode: bool
    terms: Terms
    tokens: tuple[AssetId, ...] | None
    assessment: Assessment
    created_at: datetime
    version: int = 1
    paid_at: datetime | None = None
    closed_at: datetime | None = None
    """When its chains were found to be covered past its deadline."""
    decisions: tuple[Decision, ...] = ()
    settlement_asset: AssetId | None = None
    description: str | None = None
    customer_id: str | None = None
    customer_email: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    return_url: str | None = None
    title: str | None = None
    footer: str | None = None
    line_items: tuple[Mapping[str, Any], ...] = ()
