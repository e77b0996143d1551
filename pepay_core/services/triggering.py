"""`pepay trigger`: an event of a type, brought about in the test environment, or told as an example where that cannot be done at once."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain import events, money
from pepay_core.domain.errors import Conflict, InvalidInput, NoDestination, Unavailable
from pepay_core.domain.ids import EndpointId
from pepay_core.services.examples import chain_example, invoice_example, payment_example, refund_example
from pepay_core.services.paging import Page
from pepay_core.services.requesting import InvoiceRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pepay_core.contracts.context import Clock
    from pepay_core.services.callers import Caller
    from pepay_core.services.endpoints import Endpoints
    from pepay_core.services.invoicing import Invoicing
    from pepay_core.services.minting import Ids
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.publishing import Outbox

    Pay = Callable[[dict[str, Any], str], Awaitable[None]]
    """Sends an amount, as decimal text, to where a payment option says."""

_AMOUNT: Final = "25.00"
_SHARES: Final = {
    "invoice.processing": Decimal(1),
    "invoice.paid": Decimal(1),
    "invoice.overpaid": Decimal("1.25"),
    "invoice.underpaid": Decimal("0.5"),
    events.PAYMENT_DETECTED: Decimal(1),
    events.PAYMENT_CONFIRMED: Decimal(1),
}
_PAYMENTS: Final = {
    events.PAYMENT_DETECTED: "confirming",
    events.PAYMENT_CONFIRMED: "confirmed",
    events.PAYMENT_REVERTED: "reverted",
    events.PAYMENT_UNMATCHED: "confirming",
}
_REFUNDS: Final = {events.REFUND_CREATED: "requested", events.REFUND_COMPLETED: "completed", events.REFUND_FAILED: "declined"}
_CHAINS: Final = {events.CHAIN_DEGRADED: "degraded", events.CHAIN_RECOVERED: "healthy"}
_NOBODY_SENDS: Final = ("conversion.",)

TRIGGERS: Final = tuple(kind for kind in events.TYPES if not kind.startswith(_NOBODY_SENDS))
"""Every type that can be triggered."""

PAYABLE: Final = tuple(_SHARES)
"""The types that a payment brings about."""


@dataclass(frozen=True, slots=True)
class Triggered:
    """What was done: ``real`` tells an event that comes because something happened from one that is an example. ``subject`` is what it is about."""

    kind: str
    real: bool
    subject: str
    done: str


class Triggering:
    """Brings events about, for a merchant's test environment and for nothing else."""

    def __init__(self, store: Store, invoicing: Invoicing, endpoints: Endpoints, outbox: Outbox, ids: Ids, clock: Clock) -> None:
        self._store = store
        self._invoicing = invoicing
        self._endpoints = endpoints
        self._outbox = outbox
        self._ids = ids
        self._clock = clock

    async def trigger(self, caller: Caller, kind: str, *, asset: str | None = None, pay: Pay | None = None) -> Triggered:
        """Bring an event of a type about; ``pay`` pays a test invoice for real, in ``asset``. Raises InvalidInput, and whatever creating one does."""
        if caller.livemode:
            raise InvalidInput("events are triggered in the test environment only")
        if kind not in TRIGGERS:
            raise InvalidInput(f"must be one of {', '.join(TRIGGERS)}", field="event")
        if kind == events.TEST_PING:
            return await self._ping(caller)
        if kind == events.WEBHOOK_DISABLED:
            return await self._disabled(caller)
        if pay is not None:
            if kind not in _SHARES:
                raise InvalidInput(f"is not brought about by a payment; {', '.join(PAYABLE)} are", field="event")
            return await self._paid(caller, kind, asset, pay)
        invoice = await self._invoice(caller, kind, asset)
        if kind == events.INVOICE_CREATED:
            return Triggered(kind, True, invoice["id"], "an invoice was created")
        if kind == "invoice.canceled":
            await self._invoicing.cancel(caller, invoice["id"], "pepay trigger")
            return Triggered(kind, True, invoice["id"], "an invoice was created and canceled")
        return await self._example(caller, kind, invoice)

    async def _invoice(self, caller: Caller, kind: str, asset: str | None) -> dict[str, Any]:
        request = InvoiceRequest(amount=_AMOUNT, currency="USD", description=f"pepay trigger {kind}", pay_with=asset, metadata={"trigger": kind})
        return await self._invoicing.create(caller, request)

    async def _paid(self, caller: Caller, kind: str, asset: str | None, pay: Pay) -> Triggered:
        invoice = await self._invoice(caller, kind, asset)
        if asset is None:
            usable = [each for each in invoice["payment_options"] if each["available"]]
            if not usable:
                raise NoDestination("nothing can be paid with: `pepay doctor` says why")
            invoice = await self._invoicing.choose(caller, invoice["id"], usable[0]["asset"])
        option = next(each for each in invoice["payment_options"] if each["quote"])
        units = int(Decimal(option["quote"]["amount_base_units"]) * _SHARES[kind])
        await pay(option, money.plain(money.from_base_units(units, option["decimals"])))
        return Triggered(kind, True, invoice["id"], f"an invoice was created and paid in {option['symbol']}")

    async def _ping(self, caller: Caller) -> Triggered:
        async with self._store.read() as tx:
            endpoints = await tx.endpoints.active(caller.merchant, livemode=False)
        if not endpoints:
            raise Conflict("there is no webhook endpoint to ping: register one with POST /api/v1/webhooks")
        for each in endpoints:
            await self._endpoints.test(caller, EndpointId(each.id))
        return Triggered(events.TEST_PING, True, endpoints[0].id, f"{len(endpoints)} endpoints are pinged")

    async def _disabled(self, caller: Caller) -> Triggered:
        shown = (await self._endpoints.page(caller, Page(limit=1))).items
        now = int(self._clock.now().timestamp())
        obj = {
            "object": "webhook_endpoint",
            "id": self._ids.endpoint(),
            "livemode": False,
            "url": "https://shop.example/hook",
            "enabled_events": ["*"],
            "description": None,
            "failing_since": now - 72 * 3600,
            "previous_until": None,
            "created_at": now - 72 * 3600,
            **(shown[0] if shown else {}),
            "disabled": True,
            "disabled_at": now,
            "disabled_reason": "failing",
        }
        return await self._tell(caller, events.WEBHOOK_DISABLED, obj, {"disabled": False, "disabled_at": None, "disabled_reason": None})

    async def _example(self, caller: Caller, kind: str, invoice: dict[str, Any]) -> Triggered:
        if not invoice["payment_options"]:
            raise Unavailable("no network is configured, so there is nothing to make an example of")
        now = int(self._clock.now().timestamp())
        previous: dict[str, Any] = {}
        if kind in _PAYMENTS:
            obj = payment_example(_PAYMENTS[kind], invoice, invoice["amount"], self._ids, now)
            obj |= {"mismatch": "wrong_environment"} if kind == events.PAYMENT_UNMATCHED else {}
        elif kind in _REFUNDS:
            obj = refund_example(_REFUNDS[kind], invoice, self._ids.refund(), now)
        elif kind in _CHAINS:
            obj = chain_example(_CHAINS[kind], invoice)
        else:
            obj, previous = invoice_example(kind, invoice, self._ids, now)
        return await self._tell(caller, kind, obj, previous)

    async def _tell(self, caller: Caller, kind: str, obj: dict[str, Any], previous: dict[str, Any]) -> Triggered:
        async def work(tx: Transaction) -> None:
            await self._outbox.publish(
                tx, kind, merchant=caller.merchant, livemode=False, subject=obj["id"], obj=obj, previous=previous, example=True
            )

        await self._store.run(work)
        return Triggered(kind, False, obj["id"], "an example was told; nothing of the kind has happened")
