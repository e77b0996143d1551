"""The notifier of ``webhook`` endpoints: one POST per attempt, signed twice, judged by its status."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from pepay_core.api import GiveUp, Notifier, Receipt, Refused, Unavailable
from pepay_webhook_hmac.signing import pepay_signature, standard_signature

if TYPE_CHECKING:
    from pepay_core.api import Clock, Delivery, Http, HttpResponse

DEADLINE: Final = 10
"""Seconds within which a receiver must have answered."""
LONGEST_WAIT: Final = 4 * 60 * 60
"""Seconds: a receiver that asks for more by Retry-After is tried again after this long all the same."""
EXCERPT_BYTES: Final = 2048
_ANSWER_BYTES: Final = 16_384
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS: Final = re.compile(r"[0-9]+")


class DeliveryFailed(Unavailable):
    """Not accepted this time. ``retry_after`` is what the receiver asked for, or 0 when it asked for nothing."""

    def __init__(self, message: str, receipt: Receipt, *, retry_after: int = 0) -> None:
        super().__init__(message, retry_after=retry_after)
        self.receipt = receipt


class EndpointGone(GiveUp):
    """The receiver answered 410: it wants no deliveries any more."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__("the receiver answered 410: it wants no more deliveries")
        self.receipt = receipt


class WebhookNotifier(Notifier):
    """POSTs the stored bytes with the headers of both signature schemes. ``deadline`` is in seconds."""

    scheme = "webhook"

    def __init__(self, http: Http, clock: Clock, *, deadline: float = DEADLINE) -> None:
        self._http = http
        self._clock = clock
        self._deadline = deadline

    async def check(self, url: str) -> None:
        """Raise InvalidInput or EgressRefused when the URL is none, or leads to an address that is not public."""
        await self._http.check_public(url)

    async def deliver(self, delivery: Delivery) -> Receipt:
        """Return the receipt of a 2xx; raises DeliveryFailed, or EndpointGone for 410. Redirects are not followed."""
        try:
            answer = await self._http.post_public(delivery.url, delivery.body, headers=headers(delivery), timeout=self._deadline, limit=_ANSWER_BYTES)
        except (Refused, Unavailable) as exc:
            raise DeliveryFailed(exc.message, Receipt(excerpt=exc.message)) from None
        receipt = Receipt(answer.status, _excerpt(answer.body, delivery.secrets))
        if 200 <= answer.status < 300:
            return receipt
        if answer.status == 410:
            raise EndpointGone(receipt)
        redirect = "; redirects are not followed" if 300 <= answer.status < 400 else ""
        raise DeliveryFailed(f"the receiver answered {answer.status}{redirect}", receipt, retry_after=self._asked_wait(answer))

    def _asked_wait(self, answer: HttpResponse) -> int:
        """Return the seconds of Retry-After (RFC 9110 §10.2.3), a number or a date, or 0."""
        asked = next((value.strip() for name, value in answer.headers.items() if name.lower() == "retry-after"), "")
        if _DIGITS.fullmatch(asked):
            return LONGEST_WAIT if len(asked) > 9 else min(int(asked), LONGEST_WAIT)
        try:
            until = parsedate_to_datetime(asked)
        except (ValueError, TypeError, OverflowError):
            return 0
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        return max(0, min((until - self._clock.now()) // timedelta(seconds=1), LONGEST_WAIT))


def headers(delivery: Delivery) -> dict[str, str]:
    """Return what identifies, times and signs an attempt; raises ValueError when there is no well-formed secret to sign with."""
    if not delivery.secrets:
        raise ValueError("a webhook is never sent unsigned: the endpoint has no secret")
    milliseconds = (delivery.at - _EPOCH) // timedelta(milliseconds=1)
    seconds = milliseconds // 1000
    signatures = [standard_signature(secret, delivery.event_id, seconds, delivery.body) for secret in delivery.secrets]
    current, *previous = [pepay_signature(secret, milliseconds, delivery.body) for secret in delivery.secrets]
    return {
        "Content-Type": "application/json",
        "webhook-id": delivery.event_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(signatures),
        "X-Pepay-Event-ID": delivery.event_id,
        "X-Pepay-Event": delivery.event_type,
        "X-Pepay-Timestamp": str(milliseconds),
        "X-Pepay-Signature": current,
        **({"X-Pepay-Signature-Previous": previous[0]} if previous else {}),
        "X-Pepay-Network-Environment": "mainnet" if delivery.livemode else "devnet",
    }


def _excerpt(body: bytes, secrets: tuple[str, ...]) -> str:
    """Return the beginning of an answer as harmless text on one line: a receiver's error page may show anything, its secret included."""
    text = " ".join("".join(char if char.isprintable() else " " for char in body.decode(errors="ignore")).split())
    for secret in secrets:
        text = text.replace(secret, "[secret]")
    return text.encode()[:EXCERPT_BYTES].decode(errors="ignore")
