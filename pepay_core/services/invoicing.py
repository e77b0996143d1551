"""Invoices as merchants and buyers use them: create, choose how to pay, look, cancel, resolve."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain import events
from pepay_core.domain.errors import (
    ChainUnavailable,
    Conflict,
    InvalidAddress,
    InvalidInput,
    InvoiceClosed,
    MerchantSuspended,
    NotFound,
    RatesUnavailable,
)
from pepay_core.domain.ids import InvoiceId, PaymentId
from pepay_core.domain.invoices import Action, Assessment, Decision, Invoice, Resolution, Status, Terms, Timing
from pepay_core.services.idempotency import answer
from pepay_core.services.paging import Page, Slice
from pepay_core.services.presenting import amount_text
from pepay_core.services.requesting import InvoiceRequest, Requests, pick
from pepay_core.services.settling import Change, chains_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.assets import ChainId, Token
    from pepay_core.domain.invoices import InvoiceDraft
    from pepay_core.domain.merchants import Merchant
    from pepay_core.domain.rates import AgreedRate
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.assembling import Assembler
    from pepay_core.services.callers import Caller
    from pepay_core.services.choosing import Choosing
    from pepay_core.services.minting import Ids
    from pepay_core.services.offering import Offering
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.presenting import Dossier, Presenter
    from pepay_core.services.publishing import Outbox
    from pepay_core.services.recording import Recorder
    from pepay_core.services.settling import Settling
    from pepay_core.services.valuing import Valuation

_LOOKING: Final = 15.0

# What a merchant can decide in which situation, besides whatever is pending.
_DECIDABLE: Final = {
    Action.ACCEPT: {Status.UNDERPAID},
    Action.WRITE_OFF: {Status.UNDERPAID},
    Action.REFUND: {Status.UNDERPAID, Status.OVERPAID},
}


class Invoicing:
    """The use cases around an invoice. Every method returns the objects that the API shows."""

    def __init__(
        self,
        *,
        store: Store,
        catalogue: Catalogue,
        offering: Offering,
        valuation: Valuation,
        choosing: Choosing,
        settling: Settling,
        assembler: Assembler,
        presenter: Presenter,
        outbox: Outbox,
        review: Callable[[InvoiceDraft], Awaitable[InvoiceDraft]],
        look: Callable[[ChainId], Awaitable[None]],
        ids: Ids,
        clock: Clock,
        recorder: Recorder,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._offering = offering
        self._valuation = valuation
        self._requests = Requests(offering, valuation)
        self._choosing = choosing
        self._settling = settling
        self._assembler = assembler
        self._presenter = presenter
        self._outbox = outbox
        self._review = review
        self._look = look
        self._ids = ids
        self._clock = clock
        self._recorder = recorder

    # --- creating ------------------------------------------------------------------------

    async def create(self, caller: Caller, request: InvoiceRequest) -> dict[str, Any]:
        """Create an invoice; raises Refused with the field's name, or RatesUnavailable when nothing that it accepts has a price."""
        async with self._store.read() as tx:
            merchant = await tx.merchants.get(caller.merchant)
        if merchant.suspended_at is not None:
            raise MerchantSuspended
        draft = await self._review(self._requests.draft(request, merchant, caller))
        token = self._requests.pay_with(request, draft, merchant)
        await self._insist_on_a_price(draft, merchant)
        rate = await self._choosing.price(token, draft.currency) if token else None
        return await answer(self._store, lambda tx: self._create(tx, draft, merchant, token, rate))

    async def _insist_on_a_price(self, draft: InvoiceDraft, merchant: Merchant) -> None:
        accepted = self._offering.accepted(merchant, draft.tokens, livemode=draft.livemode)
        await self._valuation.prepare(accepted, draft.currency)
        if accepted and not any(self._valuation.priced(token, draft.currency) for token in accepted):
            await self._valuation.blame(accepted, draft.currency)
            raise RatesUnavailable(f"no accepted asset has an exchange rate in {draft.currency} at the moment")

    async def _create(self, tx: Transaction, draft: InvoiceDraft, merchant: Merchant, token: Token | None, rate: AgreedRate | None) -> dict[str, Any]:
        invoice = self._new(draft)
        await tx.invoices.add(invoice)
        if token is not None and rate is not None:
            # The version stays at one: nobody has seen the invoice without its quote.
            await self._choosing.choose(tx, invoice, token, rate)
        obj = self._presenter.invoice(await self._assembler.dossier(tx, invoice, merchant))
        await self._outbox.publish(tx, events.INVOICE_CREATED, merchant=invoice.merchant, livemode=invoice.livemode, subject=invoice.id, obj=obj)
        return obj

    def _new(self, draft: InvoiceDraft) -> Invoice:
        now = self._clock.now()
        zero = Decimal(0)
        return Invoice(
            id=self._ids.invoice(),
            merchant=draft.merchant,
            livemode=draft.livemode,
            terms=Terms(
                amount=draft.amount,
                currency=draft.currency,
                decimals=draft.decimals,
                expires_at=now + timedelta(seconds=draft.expires_in),
                tolerance=draft.tolerance,
                late_policy=draft.late_policy,
            ),
            tokens=draft.tokens,
            assessment=Assessment(Status.UNPAID, Timing.ON_TIME, Resolution.NONE, zero, draft.amount, zero),
            created_at=now,
            settlement_asset=draft.settlement_asset,
            description=draft.description,
            customer_id=draft.customer_id,
            customer_email=draft.customer_email,
            metadata=draft.metadata,
            return_url=draft.return_url,
            title=draft.title,
            footer=draft.footer,
            line_items=draft.line_items,
        )

    # --- looking -------------------------------------------------------------------------

    async def get(self, caller: Caller, invoice_id: str) -> dict[str, Any]:
        """Return an invoice; raises NotFound."""
        async with self._store.read() as tx:
            invoice = await tx.invoices.get(caller.merchant, InvoiceId(invoice_id), livemode=caller.livemode)
            return self._presenter.invoice(await self._assembler.dossier(tx, invoice))

    async def status(self, caller: Caller, invoice_id: str) -> dict[str, Any]:
        """Return the few fields that a shop polls for."""
        async with self._store.read() as tx:
            invoice = await tx.invoices.get(caller.merchant, InvoiceId(invoice_id), livemode=caller.livemode)
        state = invoice.assessment
        return {
            "object": "invoice_status",
            "id": invoice.id,
            "status": str(state.status),
            "fulfil": state.fulfil,
            "timing": str(state.timing),
            "resolution": str(state.resolution),
            "version": invoice.version,
        }

    async def page(self, caller: Caller, page: Page, where: Mapping[str, Any]) -> Slice[dict[str, Any]]:
        """Return invoices, newest first."""
        async with self._store.read() as tx:
            found = await tx.invoices.page(caller.merchant, livemode=caller.livemode, page=page, where=where)
            dossiers = await self._assembler.dossiers(tx, found.items)
        return Slice(tuple(self._presenter.invoice(each) for each in dossiers), found.has_more)

    async def totals(self, caller: Caller, where: Mapping[str, Any]) -> dict[str, Any]:
        """Return how many invoices there are in each status and currency, and what they ask and have received."""
        async with self._store.read() as tx:
            totals = await tx.invoices.totals(caller.merchant, livemode=caller.livemode, where=where)
        return {
            "object": "invoice_totals",
            "data": [
                {
                    "status": status,
                    "currency": currency,
                    "count": count,
                    "amount": amount_text(Decimal(amount), self._valuation.decimals(currency)),
                    "amount_paid": amount_text(Decimal(paid), self._valuation.decimals(currency)),
                }
                for (status, currency), (count, amount, paid) in sorted(totals.items())
            ],
        }

    async def by_transaction(self, caller: Caller, transaction: str) -> list[dict[str, Any]]:
        """Return the invoices that a transaction paid."""
        async with self._store.read() as tx:
            # Hashes of the EVM family are stored as nodes write them, in lower case; those of others mean what they say.
            where = {"transaction": transaction.lower() if transaction[:2] in {"0x", "0X"} else transaction}
            payments = await tx.payments.page(caller.merchant, livemode=caller.livemode, page=Page(limit=100), where=where)
            ids = dict.fromkeys(each.invoice for each in payments.items)
            invoices = [await tx.invoices.get(caller.merchant, each, livemode=caller.livemode) for each in ids]
            dossiers = await self._assembler.dossiers(tx, invoices)
        return [self._presenter.invoice(each) for each in dossiers]

    async def payment(self, caller: Caller, payment_id: str) -> dict[str, Any]:
        """Return a payment; raises NotFound."""
        async with self._store.read() as tx:
            payment = await tx.payments.get(caller.merchant, PaymentId(payment_id), livemode=caller.livemode)
            merchant = await tx.merchants.get(caller.merchant)
            invoice = await tx.invoices.find(payment.invoice)
        return self._presenter.payment(payment, merchant, invoice.terms.decimals if invoice else 2)

    async def payments(self, caller: Caller, page: Page, where: Mapping[str, Any]) -> Slice[dict[str, Any]]:
        """Return payments, newest first."""
        async with self._store.read() as tx:
            found = await tx.payments.page(caller.merchant, livemode=caller.livemode, page=page, where=where)
            merchant = await tx.merchants.get(caller.merchant)
            invoices = {each: await tx.invoices.find(each) for each in {payment.invoice for payment in found.items}}
        written: list[dict[str, Any]] = []
        for payment in found.items:
            invoice = invoices[payment.invoice]
            written.append(self._presenter.payment(payment, merchant, invoice.terms.decimals if invoice else 2))
        return Slice(tuple(written), found.has_more)

    async def verify(self, caller: Caller, invoice_id: str) -> dict[str, Any]:
        """Look at the invoice's chains again now, and return what is known afterwards; raises ChainUnavailable."""
        async with self._store.read() as tx:
            invoice = await tx.invoices.get(caller.merchant, InvoiceId(invoice_id), livemode=caller.livemode)
            chains = chains_of(await tx.quotes.of([invoice.id]))
        try:
            async with asyncio.timeout(_LOOKING):
                for chain in sorted(chains):
                    await self._look(chain)
        except TimeoutError:
            raise ChainUnavailable("the chain did not answer in time") from None
        return await self.get(caller, invoice_id)

    # --- choosing and deciding -------------------------------------------------------------

    async def choose(self, caller: Caller, invoice_id: str, asset: str) -> dict[str, Any]:
        """Quote an asset and issue an address; raises Refused or Unavailable. Choosing again quotes again."""
        async with self._store.read() as tx:
            invoice = await tx.invoices.get(caller.merchant, InvoiceId(invoice_id), livemode=caller.livemode)
        return await self._choose(invoice, asset, self._presenter.invoice)

    async def _choose(self, invoice: Invoice, asset: str, show: Callable[[Dossier], dict[str, Any]]) -> dict[str, Any]:
        async with self._store.read() as tx:
            merchant = await tx.merchants.get(invoice.merchant)
        accepted = self._offering.accepted(merchant, invoice.tokens, livemode=invoice.livemode)
        token = pick(asset, accepted, self._offering.known(livemode=invoice.livemode), field="asset")
        rate = await self._choosing.price(token, invoice.terms.currency)

        async def work(tx: Transaction) -> dict[str, Any]:
            current = await tx.invoices.find(invoice.id, lock=True)
            if current is None:
                raise NotFound("there is no such invoice")
            chosen = await self._choosing.choose(tx, current, token, rate)
            if chosen != current:
                await tx.invoices.save(chosen)
            return show(await self._assembler.dossier(tx, chosen, merchant))

        return await answer(self._store, work)

    async def cancel(self, caller: Caller, invoice_id: str, reason: str = "") -> dict[str, Any]:
        """Cancel an invoice that nobody has paid; raises InvoiceClosed."""
        return await self._decide(caller, invoice_id, Action.CANCEL, reason)

    async def resolve(self, caller: Caller, invoice_id: str, action: str, reason: str = "") -> dict[str, Any]:
        """Decide about an invoice that is not simply paid: ``accept``, ``write_off`` or ``refund``; raises Conflict when nothing waits."""
        try:
            chosen = Action(action)
        except ValueError:
            chosen = Action.CANCEL
        if chosen is Action.CANCEL:
            raise InvalidInput("action must be accept, write_off or refund", field="action")
        return await self._decide(caller, invoice_id, chosen, reason)

    async def _decide(self, caller: Caller, invoice_id: str, action: Action, reason: str) -> dict[str, Any]:
        decision = Decision(action, self._clock.now(), reason, caller.name)

        async def work(tx: Transaction) -> dict[str, Any]:
            invoice = await tx.invoices.get(caller.merchant, InvoiceId(invoice_id), livemode=caller.livemode, lock=True)
            state = invoice.assessment
            if action is Action.CANCEL and (state.status is not Status.UNPAID or state.resolution is not Resolution.NONE):
                raise InvoiceClosed(f"the invoice is {state.status}; only an unpaid one can be canceled")
            if action is not Action.CANCEL and state.resolution is not Resolution.PENDING and state.status not in _DECIDABLE[action]:
                raise Conflict(f"the invoice is {state.status} and nothing about it waits for a decision")
            result = await self._settling.settle(tx, invoice.id, Change(decision=decision), {})
            shown = self._presenter.invoice(await self._assembler.dossier(tx, result))
            if action is not Action.CANCEL:
                # Where money is decided about. Unpaid invoices are canceled by the shop's own course, day in, day out.
                await self._recorder.note(tx, caller, "invoice.resolved", invoice.id, {"action": action.value, "reason": reason})
            return shown

        return await answer(self._store, work)

    # --- buyers ----------------------------------------------------------------------------

    async def for_buyer(self, invoice_id: str) -> dict[str, Any]:
        """Return what the holder of the client token may see; raises NotFound. The token is the caller's to check."""
        return self._presenter.for_buyer(await self._dossier(invoice_id))

    async def shown_to_buyer(self, tx: Transaction, invoice: Invoice) -> dict[str, Any]:
        """Return the same in a transaction that is open."""
        return self._presenter.for_buyer(await self._assembler.dossier(tx, invoice))

    async def for_page(self, invoice_id: str) -> tuple[dict[str, Any], Merchant]:
        """Return what the holder of the client token may see, and the merchant whose page it is; raises NotFound."""
        dossier = await self._dossier(invoice_id)
        return self._presenter.for_buyer(dossier), dossier.merchant

    async def choose_for_buyer(self, invoice_id: str, asset: str) -> dict[str, Any]:
        """Choose as the buyer."""
        invoice = (await self._dossier(invoice_id)).invoice
        return await self._choose(invoice, asset, self._presenter.for_buyer)

    async def submitted(self, invoice_id: str, transaction: str) -> dict[str, Any]:  # noqa: ARG002  # a hint: where to look is known without it
        """Take a buyer's word that a transaction was sent as a hint to look sooner, and as nothing else."""
        dossier = await self._dossier(invoice_id)
        for chain in chains_of(dossier.quotes):
            try:
                async with asyncio.timeout(_LOOKING):
                    await self._look(chain)
            except (ChainUnavailable, TimeoutError):
                continue
        return await self.for_buyer(invoice_id)

    async def transaction_for(self, invoice_id: str, asset: str, payer: str, *, field: str = "payer") -> dict[str, Any]:
        """Return a transaction that pays a chosen option, for the payer's wallet to sign; raises NotFound where the chain makes none."""
        dossier = await self._dossier(invoice_id)
        token = pick(asset, [offer.token for offer in dossier.offers], self._offering.known(livemode=dossier.invoice.livemode), field="asset")
        request = self._presenter.request(dossier, token)
        if request is None:
            raise Conflict("choose the asset first, so that there is an amount and an address")
        chain = self._catalogue.chain(token.chain)
        try:
            address = chain.parse_address(payer)
        except InvalidAddress as exc:
            raise InvalidAddress(exc.text, exc.reason, field=field) from None
        unsigned = await chain.payment_request(request, address)
        if unsigned is None:
            raise NotFound(f"{chain.name} makes no transactions for wallets")
        return {"object": "unsigned_transaction", "family": unsigned.family, "payload": unsigned.payload, "requests": unsigned.requests}

    async def _dossier(self, invoice_id: str) -> Dossier:
        async with self._store.read() as tx:
            invoice = await tx.invoices.find(InvoiceId(invoice_id))
            if invoice is None:
                raise NotFound("there is no such invoice")
            return await self._assembler.dossier(tx, invoice)
