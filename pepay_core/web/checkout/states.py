"""In which state an invoice is shown: one word for everything that a buyer can find on the page."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class State(StrEnum):
    """What the page shows."""

    NOTHING = "nothing"
    """The merchant has no way to be paid."""
    CHOOSE = "choose"
    AWAITING = "awaiting"
    SUBMITTED = "submitted"
    """The buyer says that it was sent; no chain has shown it yet."""
    REQUOTE = "requote"
    """The price has run out, the invoice has not."""
    UNDERPAID = "underpaid"
    DETECTED = "detected"
    CONFIRMING = "confirming"
    PAID = "paid"
    OVERPAID = "overpaid"
    CHECKING = "checking"
    """The time is over by the clock, and the chains have not been looked at up to then."""
    EXPIRED = "expired"
    PARTIAL = "partial"
    """The time ended with a part of the amount."""
    LATE = "late"
    HELD = "held"
    """Money came, and what it is worth is not known yet."""
    WRONG = "wrong"
    """Another asset came than the one that was asked for."""
    CANCELED = "canceled"
    STRAY = "stray"
    """Money came for a canceled order."""
    ACCEPTED = "accepted"
    REFUNDED = "refunded"
    CLOSED = "closed"


_DECIDED: Final = {"accepted": State.ACCEPTED, "refunded": State.REFUNDED, "written_off": State.CLOSED}
SETTLED: Final = frozenset({State.PAID, State.OVERPAID, State.CANCELED, State.ACCEPTED, State.REFUNDED, State.CLOSED})
"""Nothing more happens by itself."""

ENDED: Final = SETTLED | {State.CHECKING, State.EXPIRED, State.PARTIAL, State.LATE, State.STRAY}
"""The buyer is asked for no money any more."""

HELPED: Final = frozenset(
    {
        State.UNDERPAID,
        State.OVERPAID,
        State.CHECKING,
        State.EXPIRED,
        State.PARTIAL,
        State.LATE,
        State.HELD,
        State.WRONG,
        State.CANCELED,
        State.STRAY,
        State.REQUOTE,
        State.SUBMITTED,
        State.REFUNDED,
    }
)
"""The buyer may be in trouble, and is shown what he can do by himself."""


def chosen(invoice: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the option that was quoted last, or that something was paid with, or None when none was chosen."""
    quoted = [each for each in invoice["payment_options"] if each["quote"] and each["destination"]]
    paid = {each["asset"] for each in invoice["payments"] if each["status"] != "reverted" and each["mismatch"] is None}
    return max(quoted, key=lambda each: (each["asset"] in paid, each["quote"]["valid_until"]), default=None)


def active(invoice: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the payments that are on their chains."""
    return [each for each in invoice["payments"] if each["status"] != "reverted"]


def reverted(invoice: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the newest payment that its network has taken back, and that has not come again."""
    there = {each["transaction"] for each in active(invoice)}
    return next((each for each in reversed(invoice["payments"]) if each["status"] == "reverted" and each["transaction"] not in there), None)


def misdirected(invoice: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the newest payment in an asset that was not asked for."""
    return next((each for each in reversed(active(invoice)) if each["mismatch"] is not None), None)


def confirmations(invoice: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return how many confirmations the payment with the furthest to go has, and needs; None where no number says it."""
    waiting = [each for each in active(invoice) if each["status"] == "confirming" and each["mismatch"] is None]
    counted = [each for each in waiting if each["confirmations_required"]]
    if not counted or len(counted) < len(waiting):
        return None
    slowest = min(counted, key=lambda each: each["confirmations"] - each["confirmations_required"])
    return min(slowest["confirmations"], slowest["confirmations_required"]), slowest["confirmations_required"]


def is_open(invoice: Mapping[str, Any], now: int) -> bool:
    """Tell whether a buyer can still be asked for money."""
    return invoice["status"] in {"unpaid", "underpaid"} and invoice["resolution"] not in _DECIDED and now < invoice["expires_at"]


def is_asking(invoice: Mapping[str, Any], now: int) -> bool:
    """Tell whether there is an address to send to, at a price that still holds."""
    option = chosen(invoice)
    return is_open(invoice, now) and option is not None and now < option["quote"]["valid_until"]


def state_of(invoice: Mapping[str, Any], now: int, *, changing: bool = False, sent: bool = False) -> State:
    """Return the state of an invoice. ``changing``: the buyer wants another way to pay; ``sent``: the buyer says that it is on its way."""
    status, resolution, opened = invoice["status"], invoice["resolution"], is_open(invoice, now)
    if resolution in _DECIDED:
        return _DECIDED[resolution]
    if status in {"paid", "overpaid"}:
        return State(status)
    if status == "processing":
        return State.CONFIRMING if (counted := confirmations(invoice)) and counted[0] > 1 else State.DETECTED
    if resolution == "pending":
        return _pending(invoice, opened=opened)
    if status in {"canceled", "expired"}:
        return State(status)
    if not opened:
        return State.CHECKING
    return _open(invoice, now, changing=changing, sent=sent)


def _pending(invoice: Mapping[str, Any], *, opened: bool) -> State:
    late = invoice["timing"] == "late"
    if misdirected(invoice) is not None:
        return State.WRONG
    if invoice["status"] == "canceled":
        return State.STRAY
    if late and not Decimal(invoice["amount_remaining"]):
        return State.LATE
    if invoice["status"] == "underpaid" and opened:
        return State.UNDERPAID
    return State.PARTIAL if late or invoice["status"] == "underpaid" else State.HELD


def _open(invoice: Mapping[str, Any], now: int, *, changing: bool, sent: bool) -> State:
    option = chosen(invoice)
    if not invoice["payment_options"]:
        return State.NOTHING
    if option is None or (changing and not active(invoice)):
        return State.CHOOSE
    if now >= option["quote"]["valid_until"]:
        return State.REQUOTE
    if invoice["status"] == "underpaid":
        return State.UNDERPAID
    return State.SUBMITTED if sent else State.AWAITING
