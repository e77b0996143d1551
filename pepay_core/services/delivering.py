"""Writing down what came of attempts, together with those that end at the same time, and what that does to deliveries and endpoints."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pepay_core.domain.endpoints import Attempt, DeliveryState
from pepay_core.domain.events import WEBHOOK_DISABLED
from pepay_core.services.attempting import Attempting
from pepay_core.services.batching import Batcher
from pepay_core.services.endpoint_objects import endpoint_object
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
    from pepay_core.services.attempting import Outcome
    from pepay_core.services.noticing import Noticing
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.publishing import Outbox
    from pepay_core.services.recording import Recorder
    from pepay_core.services.records import ClaimedDelivery

log = logging.getLogger(__name__)

DISABLED_AS_GONE: Final = "gone"
DISABLED_AS_FAILING: Final = "failing"


@dataclass(frozen=True, slots=True)
class Made:
    """An attempt that was made and is to be written down."""

    claimed: ClaimedDelivery
    outcome: Outcome
    at: datetime
    duration_ms: int


class Deliverer:
    """Has attempts made, and writes them down. ``deadline`` is how many seconds one may take; ``rng`` returns 0 up to 1."""

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
        self._outbox = outbox
        self._clock = clock
        self._rng = rng
        self._noticing = noticing
        self._recorder = recorder
        self._attempt = Attempting(notifiers, vault, deadline=deadline)
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
        await self._records(Made(claimed, outcome, at, duration_ms))
        return outcome

    async def settle(self, seconds: float) -> None:
        """Wait until what was made is written down, for so long."""
        await self._records.settle(seconds)

    async def _read(self, endpoints: Sequence[EndpointId]) -> list[Endpoint | None]:
        async with self._store.read() as tx:
            found = await tx.endpoints.among(set(endpoints))
        return [found.get(each) for each in endpoints]

    async def _write(self, made: Sequence[Made]) -> list[None]:
        await self._store.run(lambda tx: self._record(tx, made))
        return [None] * len(made)

    @staticmethod
    async def _abandon(tx: Transaction, endpoint: Endpoint) -> None:
        # An event that was published while the endpoint was being disabled.
        present = await tx.endpoints.find(endpoint.id, lock=True)
        if present is not None and present.disabled_at is not None:
            await tx.deliveries.abandon(endpoint.id, "the endpoint is disabled")

    async def _record(self, tx: Transaction, made: Sequence[Made]) -> None:
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
