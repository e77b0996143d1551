"""Turning what a chain shows into credits: one invoice at a time, inside the watcher's transaction.

Everything that changes an invoice goes through :meth:`Settling.settle`: it locks the invoice, applies the changes to its payments,
assesses it anew, and writes payments, ledger, invoice and events together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.domain import money
from pepay_core.domain.assets import chain_of
from pepay_core.domain.invoices import OPEN, RESOLVING, Status, assess
from pepay_core.domain.payments import Mismatch, Payment, PaymentStatus, is_deep
from pepay_core.services.quoting import make_remainder, quote_of
from pepay_core.services.sweeping import record_departures
from pepay_core.services.telling import invoice_events, payment_events, previous_attributes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from pepay_core.contracts.chain import Chain
    from pepay_core.contracts.context import Clock
    from pepay_core.domain.assets import AssetId, ChainId
    from pepay_core.domain.chains import Departure, Tip, Transfer
    from pepay_core.domain.ids import InvoiceId, PaymentId
    from pepay_core.domain.invoices import Assessment, Decision, Invoice
    from pepay_core.domain.ledger import Posting
    from pepay_core.domain.merchants import Merchant
    from pepay_core.domain.payments import Quote
    from pepay_core.domain.sources import Testimony
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.accounting import Bookkeeper
    from pepay_core.services.assembling import Assembler
    from pepay_core.services.minting import Ids
    from pepay_core.services.ports import Transaction
    from pepay_core.services.presenting import Presenter
    from pepay_core.services.publishing import Outbox
    from pepay_core.services.records import TransferKey

_FOREVER: Final = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be applied to one invoice.

    ``arrived`` are transfers seen on the chain, new or seen before; ``left`` are payments whose block is gone and that were not seen
    again; ``prices`` is what one unit of an asset is worth now, for transfers that no quote covers; ``heard`` is what other sources say
    of transfers (None: there is nobody to ask), and what is not in it does not become final. ``until`` is a new deadline; the invoice is
    open again.
    """

    arrived: Sequence[Transfer] = ()
    left: frozenset[PaymentId] = frozenset()
    prices: Mapping[AssetId, Decimal] = field(default_factory=dict["AssetId", "Decimal"])
    decision: Decision | None = None
    until: datetime | None = None
    heard: Mapping[TransferKey, Testimony | None] = field(default_factory=dict["TransferKey", "Testimony | None"])


class Settling:
    """Applies changes to invoices."""

    def __init__(
        self,
        catalogue: Catalogue,
        assembler: Assembler,
        presenter: Presenter,
        bookkeeper: Bookkeeper,
        outbox: Outbox,
        ids: Ids,
        clock: Clock,
    ) -> None:
        self._catalogue = catalogue
        self._assembler = assembler
        self._presenter = presenter
        self._bookkeeper = bookkeeper
        self._outbox = outbox
        self._ids = ids
        self._clock = clock

    async def settle(
        self, tx: Transaction, invoice_id: InvoiceId, change: Change, tips: Mapping[ChainId, Tip], *, closing: datetime | None = None
    ) -> Invoice:
        """Apply a change and return the invoice as it is afterwards.

        ``tips`` are the chains' newest blocks, by which payments become final; ``closing`` is the deadline past which all its chains were
        covered, and says nothing where the invoice has another one meanwhile.
        """
        invoice = await tx.invoices.find(invoice_id, lock=True)
        if invoice is None:
            raise LookupError(invoice_id)
        merchant = await tx.merchants.get(invoice.merchant)
        quotes = await tx.quotes.of([invoice_id])
        before = {payment.id: payment for payment in await tx.payments.of([invoice_id])}
        now = self._clock.now()

        after = self._arrive(invoice, before, quotes, change, now)
        after = self._leave(after, change.left)
        after = {key: self._price(payment, change.prices) for key, payment in after.items()}

        decisions = (*invoice.decisions, change.decision) if change.decision else invoice.decisions
        terms = replace(invoice.terms, expires_at=change.until) if change.until else invoice.terms
        closed_at = None if change.until else invoice.closed_at or (now if closing == terms.expires_at else None)
        covered = _FOREVER if closed_at else datetime.min.replace(tzinfo=UTC)

        def judge() -> Assessment:
            return assess(terms, after.values(), {quote.id: quote for quote in quotes}, decisions, covered)

        state = judge()
        after = {key: replace(payment, value=state.values[key]) for key, payment in after.items()}
        after = {key: self._finalise(payment, merchant, tips, change.heard, now) for key, payment in after.items()}
        state = judge()

        remainder = self._remainder(replace(invoice, terms=terms), state, quotes, after.values(), now, closed=closed_at is not None)
        if remainder is not None:
            await tx.quotes.add(remainder)
        changed = {key: payment for key, payment in after.items() if before.get(key) != payment}
        same = (
            not changed
            and remainder is None
            and replace(state, values={}) == replace(invoice.assessment, values={})
            and closed_at == invoice.closed_at
        )
        if same and change.decision is None:
            return invoice

        settled = state.status in {Status.PAID, Status.OVERPAID}
        result = replace(
            invoice,
            terms=terms,
            assessment=state,
            decisions=decisions,
            closed_at=closed_at,
            paid_at=(invoice.paid_at or now) if settled else None,
            version=invoice.version + 1,
        )
        await self._write_payments(tx, result, before, changed, now)
        await tx.invoices.save(result)
        await self._publish(
            tx, invoice, result, merchant, before, changed, decided=change.decision is not None and change.decision.action in RESOLVING
        )
        return result

    async def sweep(self, tx: Transaction, chain: Chain, departures: Sequence[Departure], *, above: int | None) -> None:
        """Write down what left issued destinations for their owners; see :func:`~pepay_core.services.sweeping.record_departures`."""
        await record_departures(tx, chain, departures, above=above, bookkeeper=self._bookkeeper, now=self._clock.now())

    # --- payments ----------------------------------------------------------------------

    def _arrive(
        self, invoice: Invoice, before: Mapping[PaymentId, Payment], quotes: Sequence[Quote], change: Change, now: datetime
    ) -> dict[PaymentId, Payment]:
        after = dict(before)
        known = {payment.transfer.key: payment for payment in before.values()}
        for transfer in change.arrived:
            seen = known.get(transfer.key)
            if seen is None:
                payment = self._new_payment(invoice, transfer, quotes, now)
                after[payment.id] = payment
            elif not seen.active:
                after[seen.id] = replace(seen, transfer=transfer, status=PaymentStatus.CONFIRMING, detected_at=now, confirmed_at=None)
            elif seen.transfer != transfer:
                after[seen.id] = replace(seen, transfer=transfer)
        return after

    def _new_payment(self, invoice: Invoice, transfer: Transfer, quotes: Sequence[Quote], now: datetime) -> Payment:
        chain = self._catalogue.chain(transfer.chain)
        token = self._catalogue.token(transfer.asset)
        mismatch = None
        if chain.testnet is invoice.livemode:
            mismatch = Mismatch.WRONG_ENVIRONMENT
        elif transfer.asset not in {quote.asset for quote in quotes} or transfer.asset in chain.refused:
            mismatch = Mismatch.WRONG_ASSET
        quote = None if mismatch else quote_of(transfer, quotes)
        return Payment(
            id=self._ids.payment(),
            invoice=invoice.id,
            merchant=invoice.merchant,
            livemode=not chain.testnet,
            transfer=transfer,
            decimals=token.decimals,
            status=PaymentStatus.CONFIRMING,
            detected_at=now,
            quote=quote.id if quote else None,
            mismatch=mismatch,
        )

    @staticmethod
    def _leave(payments: Mapping[PaymentId, Payment], left: frozenset[PaymentId]) -> dict[PaymentId, Payment]:
        return {
            key: replace(payment, status=PaymentStatus.REVERTED, confirmed_at=None) if key in left and payment.active else payment
            for key, payment in payments.items()
        }

    @staticmethod
    def _price(payment: Payment, prices: Mapping[AssetId, Decimal]) -> Payment:
        if payment.quote is not None or payment.rate is not None or payment.transfer.asset not in prices:
            return payment
        return replace(payment, rate=prices[payment.transfer.asset])

    def _finalise(
        self, payment: Payment, merchant: Merchant, tips: Mapping[ChainId, Tip], heard: Mapping[TransferKey, Testimony | None], now: datetime
    ) -> Payment:
        transfer = payment.transfer
        tip = tips.get(transfer.chain)
        if tip is None or payment.status is not PaymentStatus.CONFIRMING or transfer.key not in heard:
            return payment
        finality = self._catalogue.chain(transfer.chain).finality
        own = merchant.finality.get(transfer.chain)
        if not is_deep(payment, tip, finality, own) or not finality.believes(heard[transfer.key], payment.value):
            return payment
        return replace(payment, status=PaymentStatus.CONFIRMED, confirmed_at=now)

    async def _write_payments(
        self, tx: Transaction, invoice: Invoice, before: Mapping[PaymentId, Payment], changed: Mapping[PaymentId, Payment], now: datetime
    ) -> None:
        currency = invoice.terms.currency
        postings: list[Posting] = []
        for key, payment in changed.items():
            old = before.get(key)
            if old is None:
                if not await tx.payments.add(payment):
                    raise RuntimeError(f"{payment.transfer.key} is credited to another invoice")
            else:
                await tx.payments.save(payment)
            was = old.status if old else PaymentStatus.REVERTED
            if payment.active and was is PaymentStatus.REVERTED:
                postings.append(self._bookkeeper.detected(payment, currency, now))
                was = PaymentStatus.CONFIRMING
            if payment.final and was is PaymentStatus.CONFIRMING:
                postings.append(self._bookkeeper.final(payment, currency, now))
            if old is not None and old.active and not payment.active:
                postings.append(self._bookkeeper.reverted(old, currency, now))
        if postings:
            await tx.ledger.post(postings)

    # --- the rest of a partial payment ---------------------------------------------------

    def _remainder(
        self, invoice: Invoice, state: Assessment, quotes: Sequence[Quote], payments: Iterable[Payment], now: datetime, *, closed: bool
    ) -> Quote | None:
        """Return a new quote where what is asked for is no longer what remains: after a first part, or when a part has left the chain.

        The rate stays that of the quote which the buyer was given.
        """
        if closed or state.status not in OPEN or now >= invoice.terms.expires_at:
            return None
        counting = [payment for payment in payments if payment.counts]
        used = {payment.quote for payment in counting}
        partly_paid = state.status is Status.UNDERPAID
        candidates = [quote for quote in quotes if quote.id in used] if partly_paid else [quote for quote in quotes if quote.remainder]
        if not candidates:
            return None
        asset = max(candidates, key=lambda quote: (quote.created_at, quote.id)).asset
        latest = max((quote for quote in quotes if quote.asset == asset), key=lambda quote: (quote.created_at, quote.id))
        paid = money.add(*(payment.value for payment in counting if payment.quote == latest.id and payment.value is not None))
        asked = money.subtract(latest.value, paid)
        first_part = partly_paid and not latest.remainder
        if asked == state.amount_remaining and not first_part:
            return None
        return make_remainder(self._ids, invoice, self._catalogue.token(asset), state.amount_remaining, latest, now, remainder=partly_paid)

    # --- events --------------------------------------------------------------------------

    async def _publish(
        self,
        tx: Transaction,
        old: Invoice,
        new: Invoice,
        merchant: Merchant,
        before: Mapping[PaymentId, Payment],
        changed: Mapping[PaymentId, Payment],
        *,
        decided: bool,
    ) -> None:
        for key, payment in changed.items():
            was = before.get(key)
            for kind in payment_events(was, payment):
                await self._outbox.publish(
                    tx,
                    kind,
                    merchant=new.merchant,
                    livemode=new.livemode,
                    subject=payment.id,
                    obj=self._presenter.payment(payment, merchant, new.terms.decimals),
                    previous={"status": str(was.status)} if was and was.status is not payment.status else {},
                )
        kinds = invoice_events(old, new, before, changed, decided=decided)
        if not kinds:
            return
        obj = self._presenter.invoice(await self._assembler.dossier(tx, new, merchant))
        for kind in kinds:
            await self._outbox.publish(
                tx, kind, merchant=new.merchant, livemode=new.livemode, subject=new.id, obj=obj, previous=previous_attributes(old, new)
            )


def chains_of(quotes: Iterable[Quote]) -> set[ChainId]:
    """Return the chains on which an invoice can be paid: those of the options that were chosen."""
    return {chain_of(quote.asset) for quote in quotes}
