"""What a buyer can do without asking anybody: go on with an order whose time is over, and learn what became of a transaction."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.errors import ChainUnavailable, Forbidden, InvoiceClosed, NotFound
from pepay_core.domain.ids import InvoiceId
from pepay_core.domain.invoices import RESOLVING, Action, Decision, Status
from pepay_core.services.idempotency import answer
from pepay_core.services.requesting import pick
from pepay_core.services.settling import Change
from pepay_core.services.sightings import sighting

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.invoices import Invoice
    from pepay_core.domain.merchants import Merchant
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.choosing import Choosing
    from pepay_core.services.explaining import Explaining
    from pepay_core.services.invoicing import Invoicing
    from pepay_core.services.offering import Offering
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.refunding import Refunding
    from pepay_core.services.settling import Settling

MOST: Final = 3
"""How often an invoice can be opened again."""

_PERIOD: Final = timedelta(hours=1)
_SHORTEST: Final = timedelta(minutes=15)
_WATCHED_LONGER: Final = timedelta(days=1)  # than the new deadline: late money must be seen after that one too


class SelfServing:
    """The use cases of a buyer in trouble, each within the merchant's policy."""

    def __init__(
        self,
        *,
        store: Store,
        catalogue: Catalogue,
        offering: Offering,
        choosing: Choosing,
        settling: Settling,
        invoicing: Invoicing,
        explaining: Explaining,
        refunding: Refunding,
        clock: Clock,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._offering = offering
        self._choosing = choosing
        self._settling = settling
        self._invoicing = invoicing
        self._explaining = explaining
        self._refunding = refunding
        self._clock = clock

    async def help_for(self, invoice_id: str) -> dict[str, Any]:
        """Return what the buyer of an invoice can do by himself now."""
        async with self._store.read() as tx:
            invoice, merchant = await _found(tx, invoice_id)
            return {
                "object": "self_service",
                "invoice": invoice.id,
                "new_quote": await self._reopenable_until(tx, invoice, merchant) is not None,
                "lookup": merchant.self_service.lookup,
                "claims": await self._refunding.claims(tx, invoice, merchant),
                "refunds": await self._refunding.of(tx, invoice),
            }

    # --- an order whose time is over ------------------------------------------------------

    async def new_quote(self, invoice_id: str, asset: str) -> dict[str, Any]:
        """Open an expired invoice again, at the price of the day, and return it as the buyer sees it.

        Raises InvoiceClosed where the merchant does not allow it or the invoice does not, and what choosing an asset raises.
        """
        async with self._store.read() as tx:
            known, merchant = await _found(tx, invoice_id)
        accepted = self._offering.accepted(merchant, known.tokens, livemode=known.livemode)
        token = pick(asset, accepted, self._offering.known(livemode=known.livemode), field="asset")
        rate = await self._choosing.price(token, known.terms.currency)

        async def work(tx: Transaction) -> dict[str, Any]:
            invoice = await tx.invoices.find(known.id, lock=True)
            assert invoice is not None
            until = await self._reopenable_until(tx, invoice, merchant)
            if until is None:
                raise InvoiceClosed("this order cannot be opened again: please ask the shop")
            decision = Decision(Action.REOPEN, self._clock.now(), f"until {int(until.timestamp())}", "buyer")
            opened = await self._settling.settle(tx, invoice.id, Change(decision=decision, until=until), {})
            chosen = await self._choosing.choose(tx, opened, token, rate)
            if chosen != opened:
                await tx.invoices.save(chosen)
            return await self._invoicing.shown_to_buyer(tx, chosen)

        return await answer(self._store, work)

    async def _reopenable_until(self, tx: Transaction, invoice: Invoice, merchant: Merchant) -> datetime | None:
        """Return the deadline that the invoice would get, or None where it cannot be opened again.

        Nothing that has arrived may become something else by it: so nothing may have come late, been refused or been decided about.
        Its addresses must be watched for longer than the new deadline, as they are: no watch is made longer.
        """
        state, now = invoice.assessment, self._clock.now()
        if not merchant.self_service.new_quote or invoice.closed_at is None or state.status not in {Status.EXPIRED, Status.UNDERPAID}:
            return None
        actions = [each.action for each in invoice.decisions]
        if RESOLVING & set(actions) or actions.count(Action.REOPEN) >= MOST:
            return None
        payments = await tx.payments.of([invoice.id])
        if any(each.active and (each.mismatch is not None or each.transfer.block.time > invoice.terms.expires_at) for each in payments):
            return None
        if await tx.refunds.of(invoice.id):
            return None
        watched = min((each.watch_until for each in await tx.destinations.of([invoice.id])), default=None)
        until = now + _PERIOD if watched is None else min(now + _PERIOD, watched - _WATCHED_LONGER)
        return until if until - now >= _SHORTEST else None

    async def expire(self, invoice_id: str) -> dict[str, Any]:
        """End the time of a test invoice now, and return it as the buyer sees it; it is closed when its chains were looked at.

        For trying out what comes then. Raises Forbidden for a live one, and InvoiceClosed where its time is over already.
        """

        async def work(tx: Transaction) -> dict[str, Any]:
            invoice = await tx.invoices.find(InvoiceId(invoice_id), lock=True)
            if invoice is None:
                raise NotFound("there is no such invoice")
            if invoice.livemode:
                raise Forbidden("the time of a real order cannot be ended")
            now = self._clock.now()
            # Block times are whole seconds: the next block comes after it, and what came before stays on time.
            times = [each.transfer.block.time for each in await tx.payments.of([invoice.id])]
            until = max([now.replace(microsecond=0) - timedelta(seconds=1), *times])
            if invoice.closed_at is not None or until >= invoice.terms.expires_at:
                raise InvoiceClosed(f"the invoice is {invoice.assessment.status}, and its time is over")
            decision = Decision(Action.EXPIRE, now, f"at {int(until.timestamp())}", "buyer")
            expired = await self._settling.settle(tx, invoice.id, Change(decision=decision, until=until), {})
            return await self._invoicing.shown_to_buyer(tx, expired)

        return await answer(self._store, work)

    # --- a transaction that was sent -------------------------------------------------------

    async def look_up(self, invoice_id: str, transaction: str) -> dict[str, Any]:
        """Say in words what became of a transaction that was sent for an invoice; raises InvalidInput where the text names none."""
        async with self._store.read() as tx:
            invoice, merchant = await _found(tx, invoice_id)
        if not merchant.self_service.lookup:
            raise NotFound("the shop looks for payments itself: please ask the shop")
        # A look at the chains now: what is there already is credited before it is explained.
        shown = await self._invoicing.submitted(invoice_id, transaction)
        try:
            explained = await self._explaining.explain(transaction, merchant=invoice.merchant, livemode=invoice.livemode)
        except ChainUnavailable:
            explained = None
        return sighting(explained, transaction, shown, self._catalogue)


async def _found(tx: Transaction, invoice_id: str) -> tuple[Invoice, Merchant]:
    invoice = await tx.invoices.find(InvoiceId(invoice_id))
    if invoice is None:
        raise NotFound("there is no such invoice")
    return invoice, await tx.merchants.get(invoice.merchant)
