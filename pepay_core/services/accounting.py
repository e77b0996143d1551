"""Ledger postings for what happens to payments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.domain.ledger import Account, Posting, Reason

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.domain.payments import Payment
    from pepay_core.domain.sweeps import Sweep
    from pepay_core.services.minting import Ids


class Bookkeeper:
    """Writes down where value went. The value in currency is the payment's at that moment."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids

    def detected(self, payment: Payment, currency: str, at: datetime) -> Posting:
        """Return the posting for a transfer that was seen."""
        return self._posting(payment, currency, at, Reason.DETECTED, Account.BUYER, Account.RECEIVABLE)

    def final(self, payment: Payment, currency: str, at: datetime) -> Posting:
        """Return the posting for a payment that became final."""
        return self._posting(payment, currency, at, Reason.FINAL, Account.RECEIVABLE, Account.WALLET)

    def reverted(self, payment: Payment, currency: str, at: datetime) -> Posting:
        """Return the posting that takes back a payment, given as it was before it left the chain."""
        source = Account.WALLET if payment.final else Account.RECEIVABLE
        return self._posting(payment, currency, at, Reason.REVERTED, source, Account.BUYER)

    def swept(self, sweep: Sweep, currency: str, at: datetime) -> Posting:
        """Return the posting for money that went on from a deposit to the merchant's own account."""
        return self._sweeping(sweep, currency, at, Reason.SWEPT, Account.WALLET, Account.TREASURY)

    def unswept(self, sweep: Sweep, currency: str, at: datetime) -> Posting:
        """Return the posting that takes back a sweep whose block left the chain."""
        return self._sweeping(sweep, currency, at, Reason.UNSWEPT, Account.TREASURY, Account.WALLET)

    def _sweeping(self, sweep: Sweep, currency: str, at: datetime, reason: Reason, source: Account, target: Account) -> Posting:
        # It changes hands of one owner: what it was worth was written down when it came in.
        return Posting(
            id=self._ids.posting(),
            merchant=sweep.merchant,
            livemode=sweep.livemode,
            asset=sweep.departure.asset,
            source=source,
            target=target,
            units=sweep.departure.units,
            value=None,
            currency=currency,
            reason=reason,
            invoice=sweep.invoice,
            payment=None,
            at=at,
        )

    def _posting(self, payment: Payment, currency: str, at: datetime, reason: Reason, source: Account, target: Account) -> Posting:
        return Posting(
            id=self._ids.posting(),
            merchant=payment.merchant,
            livemode=payment.livemode,
            asset=payment.transfer.asset,
            source=source,
            target=target,
            units=payment.transfer.units,
            value=payment.value,
            currency=currency,
            reason=reason,
            invoice=payment.invoice,
            payment=payment.id,
            at=at,
        )
