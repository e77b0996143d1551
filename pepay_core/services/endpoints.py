"""Webhook endpoints, as their merchant manages them."""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.endpoints import DeliveryState, Endpoint
from pepay_core.domain.errors import Conflict, InvalidInput, Refused, Unavailable
from pepay_core.domain.events import TEST_PING, is_filter
from pepay_core.services.endpoint_objects import delivery_object, endpoint_object
from pepay_core.services.feeding import event_object
from pepay_core.services.idempotency import answer
from pepay_core.services.paging import Page, Slice
from pepay_core.services.people.addressing import Emails
from pepay_core.services.recording import Recorder, changed_fields
from pepay_core.services.waking import DELIVERIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import EllipsisType

    from pepay_core.contracts.context import Clock
    from pepay_core.contracts.notifier import Notifier
    from pepay_core.domain.endpoints import Attempt
    from pepay_core.domain.ids import DeliveryId, EndpointId
    from pepay_core.secrets import Vault
    from pepay_core.services.callers import Caller
    from pepay_core.services.minting import Ids
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.publishing import Outbox

log = logging.getLogger(__name__)

PURPOSE: Final = "webhook-secret"
"""What the present signing secret is sealed for, under its endpoint's id."""
PREVIOUS: Final = "webhook-secret-previous"
"""The same of the one before."""

MAILTO: Final = "mailto"
"""The scheme of endpoints that are told by mail."""

MAX_ENDPOINTS: Final = 50
MAX_FILTERS: Final = 50
MAX_URL: Final = 2000
MAX_DESCRIPTION: Final = 255
MAX_OVERLAP: Final = timedelta(days=7)

DISABLED_BY_MERCHANT: Final = "merchant"

_CHECK_SECONDS: Final = 10
_SECRET_BYTES: Final = 32


class Endpoints:
    """What a merchant does with the endpoints of one environment. Scopes are checked before, by the web layer.

    Everything raises NotFound for an endpoint or a delivery that is not there, and Conflict where a disabled endpoint would have
    to be delivered to.
    """

    def __init__(self, store: Store, notifiers: Mapping[str, Notifier], vault: Vault, outbox: Outbox, ids: Ids, clock: Clock) -> None:
        self._store = store
        self._notifiers = notifiers
        self._vault = vault
        self._outbox = outbox
        self._ids = ids
        self._clock = clock
        self._recorder = Recorder(clock, vault)
        self._emails = Emails(vault)

    async def create(
        self, caller: Caller, url: str, events: Sequence[str], description: str | None = None, *, scheme: str = "webhook"
    ) -> dict[str, Any]:
        """Register an endpoint, and return it with its ``secret``: the only time that it is shown."""
        filters = _filters(events)
        _check_description(description)
        await self._check_url(caller, scheme, url)
        secret = _new_secret()
        new = self._ids.endpoint()
        endpoint = Endpoint(
            id=new,
            merchant=caller.merchant,
            livemode=caller.livemode,
            scheme=scheme,
            url=url,
            events=filters,
            secret=self._seal(new, secret),
            created_at=self._clock.now(),
            description=description,
        )

        async def work(tx: Transaction) -> dict[str, Any]:
            present = await tx.endpoints.page(caller.merchant, livemode=caller.livemode, page=Page(limit=MAX_ENDPOINTS))
            if len(present.items) >= MAX_ENDPOINTS:
                raise Conflict(f"there are {MAX_ENDPOINTS} endpoints already, which is the most there can be; delete one first")
            await tx.endpoints.add(endpoint)
            await self._recorder.note(tx, caller, "webhook.created", new, {"url": url, "enabled_events": list(filters)})
            return {**endpoint_object(endpoint), "secret": secret}

        return await answer(self._store, work)

    async def get(self, caller: Caller, endpoint: EndpointId) -> dict[str, Any]:
        """Return an endpoint."""
        return endpoint_object(await self._find(caller, endpoint))

    async def page(self, caller: Caller, page: Page) -> Slice[dict[str, Any]]:
        """Return endpoints, in the order of the repository."""
        async with self._store.read() as tx:
            found = await tx.endpoints.page(caller.merchant, livemode=caller.livemode, page=page)
        return Slice(tuple(endpoint_object(each) for each in found.items), found.has_more)

    async def update(
        self,
        caller: Caller,
        endpoint: EndpointId,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        description: str | EllipsisType | None = ...,
        disabled: bool | None = None,
    ) -> dict[str, Any]:
        """Change what is given and return the endpoint; enabling it again forgets its failures, disabling it gives up what is pending."""
        changes: dict[str, Any] = {}
        if events is not None:
            changes["events"] = _filters(events)
        if description is not ...:
            _check_description(description)
            changes["description"] = description
        if url is not None:
            await self._check_url(caller, (await self._find(caller, endpoint)).scheme, url)
            changes |= {"url": url, "failing_since": None}
        if disabled is False:
            changes |= {"failing_since": None, "disabled_at": None, "disabled_reason": None}

        async def work(tx: Transaction) -> Endpoint:
            stored = await tx.endpoints.get(caller.merchant, endpoint, livemode=caller.livemode, lock=True)
            changed = replace(stored, **changes)
            if disabled and stored.disabled_at is None:
                changed = replace(changed, disabled_at=self._clock.now(), disabled_reason=DISABLED_BY_MERCHANT)
                await tx.deliveries.abandon(endpoint, "the endpoint was disabled")
            await tx.endpoints.save(changed)
            noted = changed_fields(endpoint_object(stored), endpoint_object(changed))
            await self._recorder.note(tx, caller, "webhook.changed", endpoint, noted)
            return changed

        return endpoint_object(await self._store.run(work))

    async def delete(self, caller: Caller, endpoint: EndpointId) -> None:
        """Remove an endpoint with its deliveries; what was pending is not delivered any more."""

        async def work(tx: Transaction) -> None:
            await tx.endpoints.delete(caller.merchant, endpoint, livemode=caller.livemode)
            await self._recorder.note(tx, caller, "webhook.deleted", endpoint)

        await self._store.run(work)

    async def rotate(self, caller: Caller, endpoint: EndpointId, overlap_seconds: int) -> dict[str, Any]:
        """Return the endpoint with a new ``secret``, shown this once; the old one signs too for so many seconds, 0 to a week."""
        overlap = timedelta(seconds=overlap_seconds) if 0 <= overlap_seconds <= MAX_OVERLAP.total_seconds() else None
        if overlap is None:
            raise InvalidInput(f"must be between 0 and {int(MAX_OVERLAP.total_seconds())} seconds", field="overlap_seconds")
        secret = _new_secret()
        sealed = self._seal(endpoint, secret)

        async def work(tx: Transaction) -> dict[str, Any]:
            stored = await tx.endpoints.get(caller.merchant, endpoint, livemode=caller.livemode, lock=True)
            previous, until = (self._as_previous(stored), self._clock.now() + overlap) if overlap else (None, None)
            rotated = replace(stored, secret=sealed, previous_secret=previous, previous_until=until)
            await tx.endpoints.save(rotated)
            await self._recorder.note(tx, caller, "webhook.secret_rotated", endpoint, {"overlap_seconds": overlap_seconds})
            return {**endpoint_object(rotated), "secret": secret}

        return await answer(self._store, work)

    async def test(self, caller: Caller, endpoint: EndpointId) -> dict[str, Any]:
        """Publish a ``test.ping`` to this endpoint alone, whatever its filters, and return the event."""

        async def work(tx: Transaction) -> dict[str, Any]:
            target = await tx.endpoints.get(caller.merchant, endpoint, livemode=caller.livemode)
            insist_on_enabled(target)
            event = await self._outbox.publish(
                tx,
                TEST_PING,
                merchant=caller.merchant,
                livemode=caller.livemode,
                subject=target.id,
                obj=endpoint_object(target),
                only=target.id,
            )
            return event_object(event)

        return await answer(self._store, work)

    async def deliveries(self, caller: Caller, endpoint: EndpointId, page: Page) -> Slice[dict[str, Any]]:
        """Return what was, and is to be, delivered to an endpoint, newest first."""
        async with self._store.read() as tx:
            await tx.endpoints.get(caller.merchant, endpoint, livemode=caller.livemode)
            found = await tx.deliveries.page(endpoint, page=page)
            attempts = await tx.deliveries.attempts([each.id for each in found.items])
        made: dict[DeliveryId, list[Attempt]] = {each.id: [] for each in found.items}
        for attempt in attempts:
            made[attempt.delivery].append(attempt)
        return Slice(tuple(delivery_object(each, made[each.id], livemode=caller.livemode) for each in found.items), found.has_more)

    async def redeliver(self, caller: Caller, delivery: DeliveryId) -> dict[str, Any]:
        """Make a delivery due now, whatever became of it, and return it; the event keeps its id."""

        async def work(tx: Transaction) -> dict[str, Any]:
            stored = await tx.deliveries.get(caller.merchant, delivery, livemode=caller.livemode)
            # The endpoint's lock keeps this apart from an attempt that is being recorded, so the delivery is read after it.
            insist_on_enabled(await tx.endpoints.get(caller.merchant, stored.endpoint, livemode=caller.livemode, lock=True))
            stored = await tx.deliveries.get(caller.merchant, delivery, livemode=caller.livemode)
            again = replace(stored, state=DeliveryState.PENDING, next_at=self._clock.now(), delivered_at=None)
            await tx.deliveries.save(again)
            tx.wake(DELIVERIES)
            return delivery_object(again, await tx.deliveries.attempts([delivery]), livemode=caller.livemode)

        return await answer(self._store, work)

    async def _find(self, caller: Caller, endpoint: EndpointId) -> Endpoint:
        async with self._store.read() as tx:
            return await tx.endpoints.get(caller.merchant, endpoint, livemode=caller.livemode)

    def _seal(self, endpoint: EndpointId, secret: str) -> bytes:
        return self._vault.seal(PURPOSE, endpoint, secret.encode())

    def _as_previous(self, endpoint: Endpoint) -> bytes:
        return self._vault.seal(PREVIOUS, endpoint.id, self._vault.open(PURPOSE, endpoint.id, endpoint.secret))

    async def _check_url(self, caller: Caller, scheme: str, url: str) -> None:
        if len(url) > MAX_URL:
            raise InvalidInput(f"has more than {MAX_URL} characters", field="url")
        notifier = self._notifiers.get(scheme)
        if notifier is None:
            raise Unavailable(f"no running plugin delivers to {scheme} endpoints")
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await notifier.check(url)
        except Refused as exc:
            exc.field = exc.field or "url"
            raise
        except TimeoutError:
            raise Unavailable("the URL could not be checked in time") from None
        except Unavailable:
            raise
        except Exception as exc:
            log.exception("the notifier for %s endpoints failed to check a URL", scheme)
            raise Unavailable("the URL cannot be checked now") from exc
        if scheme == MAILTO:
            await self._insist_on_member(caller, url)

    async def _insist_on_member(self, caller: Caller, url: str) -> None:
        """Refuse to write to anybody but the merchant's own people: nobody else has asked for it."""
        wanted = self._emails.digest(url[len(MAILTO) + 1 :])
        async with self._store.read() as tx:
            for member in await tx.members.of(caller.merchant):
                user = await tx.users.find(member.user)
                if user is not None and user.email_digest == wanted:
                    return
        raise InvalidInput("must be the address of a member of this merchant", field="url")


def _new_secret() -> str:
    """Return a signing secret as Standard Webhooks writes it."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


def _filters(events: Sequence[str]) -> tuple[str, ...]:
    if not 1 <= len(events) <= MAX_FILTERS:
        raise InvalidInput(f"must name between 1 and {MAX_FILTERS} event types", field="enabled_events")
    for each in events:
        if not is_filter(each):
            raise InvalidInput(f"{each[:80]!r} is neither an event type, nor the beginning of one followed by `.*`, nor `*`", field="enabled_events")
    return tuple(dict.fromkeys(events))


def _check_description(description: str | None) -> None:
    if description is not None and (len(description) > MAX_DESCRIPTION or "\0" in description):
        raise InvalidInput(f"must be a text of at most {MAX_DESCRIPTION} characters", field="description")


def insist_on_enabled(endpoint: Endpoint) -> None:
    """Raise Conflict for an endpoint that is disabled."""
    if endpoint.disabled_at is not None:
        raise Conflict("the endpoint is disabled; enable it first")
