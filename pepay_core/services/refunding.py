"""Money that goes back: buyers ask for it, merchants decide, and say in which transaction they have sent it. PePay moves none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain import events
from pepay_core.domain.assets import chain_of
from pepay_core.domain.errors import Conflict, InvalidAddress, InvalidInput, NotFound
from pepay_core.domain.ids import InvoiceId, RefundId
from pepay_core.domain.invoices import Action, Decision, Resolution
from pepay_core.domain.refunds import Claimable, ClaimPolicy, Refund, RefundReason, RefundStatus, claimable
from pepay_core.services.idempotency import answer
from pepay_core.services.paging import Page, Slice
from pepay_core.services.presenting import amount_text, seconds, units_text
from pepay_core.services.settling import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.assets import Address
    from pepay_core.domain.invoices import Invoice
    from pepay_core.domain.merchants import Merchant
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.callers import Caller
    from pepay_core.services.minting import Ids
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.publishing import Outbox
    from pepay_core.services.recording import Recorder
    from pepay_core.services.settling import Settling

MAX_MESSAGE: Final = 255
_BUYER: Final = "buyer"


class Refunding:
    """The use cases around refunds. Every method returns the objects that the API shows."""

    def __init__(self, store: Store, catalogue: Catalogue, settling: Settling, outbox: Outbox, recorder: Recorder, ids: Ids, clock: Clock) -> None:
        self._store = store
        self._catalogue = catalogue
        self._settling = settling
        self._outbox = outbox
        self._recorder = recorder
        self._ids = ids
        self._clock = clock

    # --- buyers --------------------------------------------------------------------------

    async def of(self, tx: Transaction, invoice: Invoice) -> list[dict[str, Any]]:
        """Return an invoice's refunds, oldest first."""
        return [self._view(each) for each in await tx.refunds.of(invoice.id)]

    async def claims(self, tx: Transaction, invoice: Invoice, merchant: Merchant) -> list[dict[str, Any]]:
        """Return what the buyer can ask back by himself now."""
        if merchant.self_service.claims is ClaimPolicy.OFF:
            return []
        return [self._offered(invoice, merchant, each) for each in await self._claimable(tx, invoice)]

    async def claim(self, invoice_id: str, asset: str, address: str) -> dict[str, Any]:
        """Ask money back as the buyer, to an address of the same chain.

        Raises NotFound, InvalidAddress, and Conflict where there is nothing to ask back, too little, or the merchant does not allow it.
        Who asks back a part of what is still open cancels the order with it.
        """
        async with self._store.read() as tx:
            found = await tx.invoices.find(InvoiceId(invoice_id))
        if found is None:
            raise NotFound("there is no such invoice")

        async def work(tx: Transaction) -> dict[str, Any]:
            invoice = await tx.invoices.find(found.id, lock=True)
            assert invoice is not None
            merchant = await tx.merchants.get(invoice.merchant)
            policy = merchant.self_service
            if policy.claims is ClaimPolicy.OFF:
                raise Conflict("the shop handles refunds itself: please ask the shop")
            wanted = next((each for each in await self._claimable(tx, invoice) if each.asset == asset), None)
            if wanted is None:
                raise Conflict("there is nothing to be sent back, or it was asked for before")
            target = await self._address(tx, invoice, wanted, address)
            if wanted.value is not None and wanted.value < policy.claim_minimum:
                raise Conflict("the amount is too small: sending it would cost about as much")
            now = self._clock.now()
            refund = Refund(
                id=self._ids.refund(),
                invoice=invoice.id,
                merchant=invoice.merchant,
                livemode=invoice.livemode,
                reason=wanted.reason,
                asset=wanted.asset,
                decimals=wanted.decimals,
                units=wanted.units,
                address=target,
                status=RefundStatus.APPROVED if policy.claims is ClaimPolicy.APPROVE else RefundStatus.REQUESTED,
                created_at=now,
                decided_at=now if policy.claims is ClaimPolicy.APPROVE else None,
            )
            await tx.refunds.add(refund)
            await self._tell(tx, refund, events.REFUND_CREATED)
            await _renew(tx, invoice)
            if wanted.reason is RefundReason.PARTIAL and invoice.closed_at is None:
                await self._settling.settle(
                    tx, invoice.id, Change(decision=Decision(Action.CANCEL, now, "the buyer asked the money back", _BUYER)), {}
                )
            return self._view(refund)

        return await answer(self._store, work)

    async def _claimable(self, tx: Transaction, invoice: Invoice) -> Sequence[Claimable]:
        refunds = await tx.refunds.of(invoice.id)
        # What was asked back before the order was canceled is the same money afterwards.
        same = {RefundReason.PARTIAL: RefundReason.CANCELED, RefundReason.LATE: RefundReason.CANCELED}
        if any(each.action is Action.CANCEL for each in invoice.decisions):
            refunds = [replace(each, reason=same.get(each.reason, each.reason)) for each in refunds]
        return claimable(invoice, await tx.payments.of([invoice.id]), refunds)

    async def _address(self, tx: Transaction, invoice: Invoice, wanted: Claimable, text: str) -> Address:
        chain = self._catalogue.chain(chain_of(wanted.asset))
        try:
            address = chain.parse_address(text.strip())
        except InvalidAddress as exc:
            raise InvalidAddress(exc.text, f"not an address on {chain.name}", field="address") from None
        if any(address == each.destination.address for each in await tx.destinations.of([invoice.id])):
            raise InvalidInput("this is the shop's own address, to which you have paid", field="address")
        return address

    def _offered(self, invoice: Invoice, merchant: Merchant, each: Claimable) -> dict[str, Any]:
        return {
            "object": "claimable",
            "reason": str(each.reason),
            **self._money(each.asset, each.units, each.decimals),
            "value": None if each.value is None else amount_text(each.value, invoice.terms.decimals),
            "enough": each.value is None or each.value >= merchant.self_service.claim_minimum,
        }

    # --- merchants -----------------------------------------------------------------------

    async def get(self, caller: Caller, refund_id: str) -> dict[str, Any]:
        """Return a refund; raises NotFound."""
        async with self._store.read() as tx:
            return self._view(await tx.refunds.get(caller.merchant, RefundId(refund_id), livemode=caller.livemode))

    async def page(self, caller: Caller, page: Page, where: Mapping[str, Any]) -> Slice[dict[str, Any]]:
        """Return refunds, newest first."""
        async with self._store.read() as tx:
            found = await tx.refunds.page(caller.merchant, livemode=caller.livemode, page=page, where=where)
        return Slice(tuple(self._view(each) for each in found.items), found.has_more)

    async def approve(self, caller: Caller, refund_id: str) -> dict[str, Any]:
        """Say that the money will go back."""
        return await self._change(caller, refund_id, RefundStatus.APPROVED, lambda _: {})

    async def decline(self, caller: Caller, refund_id: str, reason: str) -> dict[str, Any]:
        """Say that it will not, and why: the buyer reads it."""
        return await self._change(caller, refund_id, RefundStatus.DECLINED, lambda _: {"message": reason}, events.REFUND_FAILED)

    async def complete(self, caller: Caller, refund_id: str, transaction: str) -> dict[str, Any]:
        """Say in which transaction it has gone back. Once all that could go back has, the invoice is refunded."""
        done = {"transaction": transaction, "completed_at": self._clock.now()}
        return await self._change(caller, refund_id, RefundStatus.COMPLETED, lambda _: done, events.REFUND_COMPLETED)

    async def _change(
        self, caller: Caller, refund_id: str, status: RefundStatus, fields: Callable[[Refund], dict[str, Any]], kind: str | None = None
    ) -> dict[str, Any]:
        async def work(tx: Transaction) -> dict[str, Any]:
            # The invoice first: whoever locks both does so in this order.
            known = await tx.refunds.get(caller.merchant, RefundId(refund_id), livemode=caller.livemode)
            invoice = await tx.invoices.get(caller.merchant, known.invoice, livemode=caller.livemode, lock=True)
            refund = await tx.refunds.get(caller.merchant, known.id, livemode=caller.livemode, lock=True)
            now = self._clock.now()
            changed = replace(refund, **{"status": status, "decided_at": refund.decided_at or now, **fields(refund)})
            if refund.over or refund.status is status:
                same = refund.status is status and refund.transaction == changed.transaction and refund.message == changed.message
                if not same:
                    raise Conflict(f"the refund is {refund.status}")
                return self._view(refund)
            await tx.refunds.save(changed)
            await _renew(tx, invoice)
            if kind is not None:
                await self._tell(tx, changed, kind, {"status": str(refund.status)})
            if status is RefundStatus.COMPLETED and await self._all_went_back(tx, invoice):
                await self._settling.settle(tx, invoice.id, Change(decision=Decision(Action.REFUND, now, changed.transaction or "", caller.name)), {})
            told = {"reason": changed.message, "transaction": changed.transaction}
            await self._recorder.note(tx, caller, f"refund.{status}", refund.id, {key: value for key, value in told.items() if value})
            return self._view(changed)

        return await answer(self._store, work)

    async def _all_went_back(self, tx: Transaction, invoice: Invoice) -> bool:
        """Tell whether the invoice waited for a decision, and every refund that it could have has been made."""
        if invoice.assessment.resolution is not Resolution.PENDING or await self._claimable(tx, invoice):
            return False
        return all(each.status is RefundStatus.COMPLETED for each in await tx.refunds.of(invoice.id))

    # --- telling -------------------------------------------------------------------------

    async def _tell(self, tx: Transaction, refund: Refund, kind: str, previous: dict[str, Any] | None = None) -> None:
        await self._outbox.publish(
            tx, kind, merchant=refund.merchant, livemode=refund.livemode, subject=refund.id, obj=self._view(refund), previous=previous
        )

    def _view(self, refund: Refund) -> dict[str, Any]:
        return {
            "object": "refund",
            "id": refund.id,
            "livemode": refund.livemode,
            "invoice": refund.invoice,
            "status": str(refund.status),
            "reason": str(refund.reason),
            **self._money(refund.asset, refund.units, refund.decimals),
            "address": refund.address,
            "transaction": refund.transaction,
            "message": refund.message,
            "created_at": seconds(refund.created_at),
            "decided_at": seconds(refund.decided_at),
            "completed_at": seconds(refund.completed_at),
        }

    def _money(self, asset: Any, units: int, decimals: int) -> dict[str, Any]:
        token = self._catalogue.tokens.get(asset)
        chain = self._catalogue.chains.get(chain_of(asset))
        return {
            "asset": asset,
            "symbol": token.symbol if token else None,
            "chain": chain_of(asset),
            "network": chain.name if chain else None,
            "amount": units_text(units, decimals, stable=bool(token and token.stable)),
            "amount_base_units": str(units),
        }


async def _renew(tx: Transaction, invoice: Invoice) -> None:
    """Make a new version of an invoice whose refunds have changed: its page shows them, and looks again at every version."""
    await tx.invoices.save(replace(invoice, version=invoice.version + 1))
