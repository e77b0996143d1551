"""Which events a change causes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain import events
from pepay_core.domain.invoices import Status
from pepay_core.domain.payments import Mismatch
from pepay_core.services.presenting import amount_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_core.domain.ids import PaymentId
    from pepay_core.domain.invoices import Invoice
    from pepay_core.domain.payments import Payment

# How far an invoice has come, to tell a step back from a step forward.
_PROGRESS: Final = {
    Status.UNPAID: 0,
    Status.EXPIRED: 0,
    Status.CANCELED: 0,
    Status.UNDERPAID: 1,
    Status.PROCESSING: 2,
    Status.PAID: 3,
    Status.OVERPAID: 4,
}


def payment_events(was: Payment | None, payment: Payment) -> list[str]:
    """Return the events that a change of a payment causes."""
    kinds: list[str] = []
    if payment.active and (was is None or not was.active):
        unmatched = payment.mismatch is Mismatch.WRONG_ENVIRONMENT
        kinds.append(events.PAYMENT_UNMATCHED if unmatched else events.PAYMENT_DETECTED)
    if payment.final and (was is None or not was.final):
        kinds.append(events.PAYMENT_CONFIRMED)
    if was is not None and was.active and not payment.active:
        kinds.append(events.PAYMENT_REVERTED)
    return kinds


def invoice_events(
    old: Invoice, new: Invoice, before: Mapping[PaymentId, Payment], changed: Mapping[PaymentId, Payment], *, decided: bool
) -> list[str]:
    """Return the events that a change of an invoice causes: one for each change of status, named after the new one.

    One with a later deadline is open again, and told as that. A step back is what only a reorganisation can cause: ``invoice.reverted``.
    """
    kinds: list[str] = []
    was, now = old.assessment, new.assessment
    if new.terms.expires_at > old.terms.expires_at:
        kinds.append(events.INVOICE_REOPENED)
    elif was.status is not now.status:
        back = _PROGRESS[now.status] < _PROGRESS[was.status] and now.status is not Status.CANCELED
        kinds.append(events.INVOICE_REVERTED if back else f"invoice.{now.status}")
    elif now.status is Status.UNDERPAID and any(key not in before and payment.counts for key, payment in changed.items()):
        kinds.append(events.INVOICE_PARTIAL_PAYMENT)
    elif was.fulfil and not now.fulfil:
        # What was accepted has left the chain: the status never was anything else, and still the shop must know.
        kinds.append(events.INVOICE_REVERTED)
    if decided or (now.fulfil and not was.fulfil and was.status is now.status):
        kinds.append(events.INVOICE_RESOLVED)
    return kinds


def previous_attributes(old: Invoice, new: Invoice) -> dict[str, Any]:
    """Return what the state of an invoice was, where it is something else now."""
    was, now = old.assessment, new.assessment
    pairs: dict[str, tuple[Any, Any]] = {
        "status": (str(was.status), str(now.status)),
        "fulfil": (was.fulfil, now.fulfil),
        "timing": (str(was.timing), str(now.timing)),
        "resolution": (str(was.resolution), str(now.resolution)),
        **{
            name: (amount_text(getattr(was, name), old.terms.decimals), amount_text(getattr(now, name), new.terms.decimals))
            for name in ("amount_paid", "amount_remaining", "amount_overpaid")
        },
    }
    return {name: before for name, (before, after) in pairs.items() if before != after}
