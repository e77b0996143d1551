"""One attempt of one delivery: through whatever notifier delivers there, and whatever that makes of it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pepay_core.contracts.notifier import Delivery, Receipt
from pepay_core.domain.errors import ConfigError, GiveUp, Refused, Unavailable
from pepay_core.domain.mails import without_addresses
from pepay_core.services.endpoints import PREVIOUS, PURPOSE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pepay_core.contracts.notifier import Notifier
    from pepay_core.domain.endpoints import Endpoint
    from pepay_core.secrets import Vault
    from pepay_core.services.records import ClaimedDelivery

log = logging.getLogger(__name__)

_ERROR_CHARS: Final = 500
_EXCERPT_CHARS: Final = 2048
_NOTHING: Final = Receipt()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt. ``error`` is None when the receiver accepted; ``ours``: the endpoint is not to blame."""

    error: str | None = None
    receipt: Receipt = _NOTHING
    retry_after: int | None = None
    gone: bool = False
    ours: bool = False


class Attempting:
    """Makes attempts. ``deadline`` is in seconds, and the last resort: a notifier has one of its own."""

    def __init__(self, notifiers: Mapping[str, Notifier], vault: Vault, *, deadline: float) -> None:
        self._notifiers = notifiers
        self._vault = vault
        self._deadline = deadline

    async def __call__(self, claimed: ClaimedDelivery, endpoint: Endpoint, at: datetime) -> Outcome:
        """Make one attempt, with the secrets that sign at a moment; raises nothing, whatever the receiver or the notifier does."""
        notifier = self._notifiers.get(endpoint.scheme)
        if notifier is None:
            return Outcome(f"no running plugin delivers to {endpoint.scheme} endpoints", ours=True)
        try:
            secrets = self._secrets(endpoint, at)
        except ConfigError:
            log.exception("endpoint %s cannot be delivered to", endpoint.id)
            return Outcome("the signing secret cannot be opened", ours=True)
        event = claimed.event
        delivery = Delivery(
            id=claimed.delivery.id,
            event_id=event.id,
            event_type=event.type,
            livemode=event.livemode,
            url=endpoint.url,
            body=event.body,
            attempt=claimed.delivery.attempts + 1,
            at=at,
            secrets=secrets,
        )
        outcome = await self._call(notifier, delivery)
        receipt = replace(outcome.receipt, excerpt=_clean(outcome.receipt.excerpt, _EXCERPT_CHARS, secrets))
        return replace(outcome, receipt=receipt, error=outcome.error and without_addresses(_clean(outcome.error, _ERROR_CHARS, secrets)))

    async def _call(self, notifier: Notifier, delivery: Delivery) -> Outcome:
        try:
            async with asyncio.timeout(self._deadline):
                return Outcome(receipt=_checked(await notifier.deliver(delivery)))
        except GiveUp as exc:
            return Outcome(str(exc) or "the receiver wants no more deliveries", _carried(exc), gone=True)
        except Unavailable as exc:
            return Outcome(exc.message, _carried(exc), _asked_wait(exc))
        except Refused as exc:
            return Outcome(exc.message, _carried(exc))
        except TimeoutError:
            return Outcome(f"no answer within {self._deadline:g} s")
        except (Exception, SystemExit) as exc:
            # A notifier is somebody else's code: what it breaks is this delivery, and not the loop.
            log.exception("the notifier for %s endpoints broke at delivery %s", notifier.scheme, delivery.id)
            return Outcome(f"the notifier broke: {type(exc).__name__}")

    def _secrets(self, endpoint: Endpoint, at: datetime) -> tuple[str, ...]:
        found = [self._vault.open(PURPOSE, endpoint.id, endpoint.secret)]
        if endpoint.previous_secret is not None and endpoint.previous_until is not None and endpoint.previous_until > at:
            found.append(self._vault.open(PREVIOUS, endpoint.id, endpoint.previous_secret))
        return tuple(each.decode() for each in found)


def _carried(error: Exception) -> Receipt:
    return _checked(getattr(error, "receipt", None))


def _asked_wait(error: Unavailable) -> int | None:
    # Every Unavailable has a number here; it counts when there was an answer in which somebody asked for it.
    asked: Any = error.retry_after
    return asked if _carried(error).status is not None and isinstance(asked, int) else None


def _checked(receipt: object) -> Receipt:
    """Return a receipt that can be stored, whatever a notifier took for one."""
    if not isinstance(receipt, Receipt):
        return _NOTHING
    status = receipt.status if isinstance(receipt.status, int) and 0 <= receipt.status < 1000 else None
    return Receipt(status, str(receipt.excerpt))


def _clean(text: str, limit: int, secrets: tuple[str, ...]) -> str:
    """Return the beginning of a text that others wrote, without what a database or a log cannot hold, and without our secrets."""
    for secret in secrets:
        text = text.replace(secret, "[hidden]")
    return "".join(char if char.isprintable() else " " for char in text[:limit])
