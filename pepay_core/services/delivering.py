"""One attempt of one delivery, and writing down what came of it, together with the others that end at the same time."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pepay_core.contracts.notifier import Delivery, Receipt
from pepay_core.domain.endpoints import Attempt, DeliveryState
from pepay_core.domain.errors import ConfigError, GiveUp, Refused, Unavailable
from pepay_core.domain.events import WEBHOOK_DISABLED
from pepay_core.domain.mails import without_addresses
from pepay_core.services.batching import Batcher
from pepay_core.services.endpoint_objects import endpoint_object
from pepay_core.services.endpoints import PREVIOUS, PURPOSE
from pepay_core.services.recording import system
from pepay_core.services.schedules import WINDOW, next_attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from pepay_core.contracts.context import Clock
    from pepay_core.contracts.notifier import Notifier
    from pepay_core.domain.endpoints import Endpoint, EventDelivery
    from pepay_core.domain.ids import EndpointId
    from pepay_core.secrets import Vault
    from pepay_core.services.noticing import Noticing
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.publishing import Outbox
    from pepay_core.services.recording import Recorder
    from pepay_core.services.records import ClaimedDelivery

log = logging.getLogger(__name__)

DISABLED_AS_GONE: Final = "gone"
DISABLED_AS_FAILING: Final = "failing"

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


@dataclass(frozen=True, slots=True)
class _Made:
    """An attempt that was made and is to be written down."""

    claimed: ClaimedDelivery
    outcome: Outcome
    at: datetime
    duration_ms: int


class Deliverer:
    """Makes attempts. ``deadline`` is in seconds, and the last resort: a notifier has one of its own. ``rng`` returns 0 up to 1."""

    def __init__(
        self,
        store: Store,
        notifiers: Mapping[str, Notifier],
        vault: Vault,
        outbox: Outbox,
        clock: Clock,
        *,
        deadline: float,
        rng: Callable[[], float],
        noticing: Noticing | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._store = store
        self._notifiers = notifiers
        self._vault = vault
        self._outbox = outbox
        self._clock = clock
        self._deadline = deadline
        self._rng = rng
        self._noticing = noticing
        self._recorder = recorder
        self._endpoints = Batcher(self._read)
        self._records = Batcher(self._write)

    async def deliver(self, claimed: ClaimedDelivery) -> Outcome | None:
        """Make one attempt and record it, unless the endpoint was deleted or disabled since the claim: then there is no outcome."""
        endpoint = await self._endpoints(claimed.endpoint.id)
        if endpoint is None:
            return None
        if endpoint.disabled_at is not None:
            await self._store.run(lambda tx: self._abandon(tx, endpoint))
            return None
        at, started = self._clock.now(), self._clock.monotonic()
        outcome = await self._attempt(claimed, endpoint, at)
        duration_ms = round((self._clock.monotonic() - started) * 1000)
        await self._records(_Made(claimed, outcome, at, duration_ms))
        return outcome

    async def settle(self, seconds: float) -> None:
        """Wait until what was made is written down, for so long."""
        await self._records.settle(seconds)

    async def _read(self, endpoints: Sequence[EndpointId]) -> list[Endpoint | None]:
        async with self._store.read() as tx:
            found = await tx.endpoints.among(set(endpoints))
        return [found.get(each) for each in endpoints]

    async def _write(self, made: Sequence[_Made]) -> list[None]:
        await self._store.run(lambda tx: self._record(tx, made))
        return [None] * len(made)

    async def _attempt(self, claimed: ClaimedDelivery, endpoint: Endpoint, at: datetime) -> Outcome:
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

    @staticmethod
    async def _abandon(tx: Transaction, endpoint: Endpoint) -> None:
        # An event that was published while the endpoint was being disabled.
        present = await tx.endpoints.find(endpoint.id, lock=True)
        if present is not None and present.disabled_at is not None:
            await tx.deliveries.abandon(endpoint.id, "the endpoint is disabled")

    async def _record(self, tx: Transaction, made: Sequence[_Made]) -> None:
        # The lock orders everything that changes these endpoints or their deliveries: other attempts, rotation, redelivery, removal.
        endpoints = await tx.endpoints.hold({each.claimed.endpoint.id for each in made})
        present = [each for each in made if each.claimed.endpoint.id in endpoints]
        deliveries = await tx.deliveries.hold({each.claimed.delivery.id for each in present})
        attempts: list[Attempt] = []
        changed: dict[EndpointId, Endpoint] = {}
        disabled: dict[EndpointId, str | None] = {}
        now = self._clock.now()
        for each in present:
            stored, outcome = deliveries.get(each.claimed.delivery.id), each.outcome
            if stored is None:
                continue
            after = replace(stored, attempts=stored.attempts + 1, last_status=outcome.receipt.status, last_error=outcome.error)
            attempts.append(
                Attempt(stored.id, after.attempts, each.at, outcome.receipt.status, outcome.error, outcome.receipt.excerpt, each.duration_ms)
            )
            if outcome.error is None:
                after = replace(after, state=DeliveryState.DELIVERED, next_at=None, delivered_at=stored.delivered_at or now)
            else:
                after = self._after_failure(stored, after, outcome, now)
            deliveries[stored.id] = after
            endpoint = endpoints[stored.endpoint]
            if endpoint.disabled_at is None:
                judged = self._judged(endpoint, outcome, each.at, now)
                if judged is not endpoint:
                    endpoints[endpoint.id] = changed[endpoint.id] = judged
                if judged.disabled_at is not None:
                    disabled[endpoint.id] = outcome.error
        await tx.deliveries.record(*attempts)
        await tx.deliveries.save(*deliveries.values())
        for endpoint in changed.values():
            await tx.endpoints.save(endpoint)
        for gone, error in disabled.items():
            await self._disable(tx, endpoints[gone], error)
        # Last, because writers of the audit log wait for each other from their note to the end of the transaction.
        if self._recorder is not None:
            for gone in disabled:
                await _note(self._recorder, tx, endpoints[gone])

    def _after_failure(self, stored: EventDelivery, made: EventDelivery, outcome: Outcome, now: datetime) -> EventDelivery:
        if stored.state is DeliveryState.DELIVERED:
            # Another process took over after the lease, and was accepted: this failure changes nothing.
            return replace(stored, attempts=made.attempts)
        if stored.state is DeliveryState.FAILED:
            return made
        due = next_attempt(stored.created_at, made.attempts, now, jitter=self._rng(), retry_after=outcome.retry_after)
        return replace(made, state=DeliveryState.PENDING if due else DeliveryState.FAILED, next_at=due)

    @staticmethod
    def _judged(endpoint: Endpoint, outcome: Outcome, at: datetime, now: datetime) -> Endpoint:
        """Return an endpoint as it is after an attempt: one success clears it of all that failed before."""
        if outcome.error is None:
            return endpoint if endpoint.failing_since is None else replace(endpoint, failing_since=None)
        if outcome.ours:
            return endpoint
        since = endpoint.failing_since or at
        reason = DISABLED_AS_GONE if outcome.gone else DISABLED_AS_FAILING if now - since >= WINDOW else None
        if reason is not None:
            return replace(endpoint, failing_since=since, disabled_at=now, disabled_reason=reason)
        return endpoint if endpoint.failing_since is not None else replace(endpoint, failing_since=at)

    async def _disable(self, tx: Transaction, endpoint: Endpoint, error: str | None) -> None:
        await tx.deliveries.abandon(endpoint.id, "the endpoint was disabled")
        await self._outbox.publish(
            tx,
            WEBHOOK_DISABLED,
            merchant=endpoint.merchant,
            livemode=endpoint.livemode,
            subject=endpoint.id,
            obj=endpoint_object(endpoint),
            previous={"disabled": False, "disabled_at": None, "disabled_reason": None},
        )
        if self._noticing is not None:
            await self._noticing.endpoint_disabled(tx, endpoint)
        log.warning("endpoint %s was disabled: %s", endpoint.id, error)


async def _note(recorder: Recorder, tx: Transaction, endpoint: Endpoint) -> None:
    by = system("webhooks", endpoint.merchant, livemode=endpoint.livemode)
    await recorder.note(tx, by, "webhook.disabled", endpoint.id, {"reason": endpoint.disabled_reason})


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
