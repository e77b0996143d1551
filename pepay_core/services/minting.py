"""New ids: sortable by the injected clock, unguessable by the operating system's randomness."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from pepay_core.domain import ids

if TYPE_CHECKING:
    from collections.abc import Callable

    from pepay_core.contracts.context import Clock


class Ids:
    """Makes ids of every kind; ``randbits`` is replaced only where a test needs to know what comes."""

    def __init__(self, clock: Clock, randbits: Callable[[int], int] = secrets.randbits) -> None:
        self._clock = clock
        self._randbits = randbits

    def _make(self, prefix: str) -> str:
        return ids.make_id(prefix, int(self._clock.now().timestamp() * 1000), self._randbits(80))

    def invoice(self) -> ids.InvoiceId:
        """Return a new invoice id."""
        return ids.InvoiceId(self._make(ids.INVOICE))

    def payment(self) -> ids.PaymentId:
        """Return a new payment id."""
        return ids.PaymentId(self._make(ids.PAYMENT))

    def event(self) -> ids.EventId:
        """Return a new event id."""
        return ids.EventId(self._make(ids.EVENT))

    def endpoint(self) -> ids.EndpointId:
        """Return a new webhook endpoint id."""
        return ids.EndpointId(self._make(ids.ENDPOINT))

    def delivery(self) -> ids.DeliveryId:
        """Return a new delivery id."""
        return ids.DeliveryId(self._make(ids.DELIVERY))

    def key(self) -> ids.KeyId:
        """Return a new API key id."""
        return ids.KeyId(self._make(ids.KEY))

    def merchant(self) -> ids.MerchantId:
        """Return a new merchant id."""
        return ids.MerchantId(self._make(ids.MERCHANT))

    def wallet(self) -> ids.WalletId:
        """Return a new wallet id."""
        return ids.WalletId(self._make(ids.WALLET))

    def quote(self) -> ids.QuoteId:
        """Return a new quote id."""
        return ids.QuoteId(self._make(ids.QUOTE))

    def refund(self) -> ids.RefundId:
        """Return a new refund id."""
        return ids.RefundId(self._make(ids.REFUND))

    def mail(self) -> ids.MailId:
        """Return a new mail id."""
        return ids.MailId(self._make(ids.MAIL))

    def user(self) -> ids.UserId:
        """Return a new user id."""
        return ids.UserId(self._make(ids.USER))

    def session(self) -> ids.SessionId:
        """Return a new session id, which opens nothing."""
        return ids.SessionId(self._make(ids.SESSION))

    def invitation(self) -> ids.InvitationId:
        """Return a new invitation id, which opens nothing."""
        return ids.InvitationId(self._make(ids.INVITATION))

    def passkey(self) -> ids.PasskeyId:
        """Return a new passkey id."""
        return ids.PasskeyId(self._make(ids.PASSKEY))

    def replay(self) -> ids.ReplayId:
        """Return a new replay id."""
        return ids.ReplayId(self._make(ids.REPLAY))

    def posting(self) -> str:
        """Return a new ledger posting id."""
        return self._make("pst")
