"""Objects as the outside sees them: JSON-ready dicts with money as strings and time as epoch seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as url_quote

from pepay_core.domain import money
from pepay_core.domain.assets import family_of
from pepay_core.domain.chains import Finality, PaymentRequest
from pepay_core.domain.invoices import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from decimal import Decimal

    from pepay_core.domain.assets import ChainId, Token
    from pepay_core.domain.coverage import IssuedDestination
    from pepay_core.domain.invoices import Invoice
    from pepay_core.domain.merchants import Merchant
    from pepay_core.domain.payments import Payment, Quote
    from pepay_core.domain.rates import Evidence
    from pepay_core.domain.sources import Source
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.heads import Heads
    from pepay_core.services.offering import Offer
    from pepay_core.tokens import ClientTokens


@dataclass(frozen=True, slots=True)
class Dossier:
    """An invoice with everything that belongs to it. ``offers`` are the assets that it can be paid with, in the merchant's order."""

    invoice: Invoice
    merchant: Merchant
    destinations: Sequence[IssuedDestination]
    quotes: Sequence[Quote]
    payments: Sequence[Payment]
    offers: Sequence[Offer]


def seconds(moment: datetime | None) -> int | None:
    """Return epoch seconds, or None."""
    return None if moment is None else int(moment.timestamp())


def units_text(units: int, token_decimals: int, *, stable: bool = False) -> str:
    """Return base units as a decimal string, with at least two decimals for stablecoins."""
    return money.plain(money.from_base_units(units, token_decimals), places=2 if stable and token_decimals >= 2 else None)


def amount_text(amount: Decimal, decimals: int) -> str:
    """Return an amount of a currency with its minor units; an asset's amount has no padding."""
    return money.plain(amount, places=decimals if decimals <= 3 else None)


def evidence_objects(evidence: Sequence[Evidence]) -> list[dict[str, Any]]:
    """Return what each provider said and whether it counted."""
    return [
        {"provider": each.provider, "rate": money.plain(each.value), "at": seconds(each.at), "used": each.used, "reason": each.dropped}
        for each in evidence
    ]


def finality_bands(finality: Finality) -> list[dict[str, Any]]:
    """Return a rule of finality as the API writes it."""
    return [
        {
            "up_to": None if band.up_to is None else money.plain(band.up_to),
            "finality": "finalized" if band.blocks is None else "confirmations",
            "blocks": band.blocks,
        }
        for band in finality.bands
    ]


def source_objects(sources: Iterable[Source]) -> list[dict[str, Any]]:
    """Return the places that a chain is read from as the API writes them."""
    return [{"endpoint": each.label, "state": str(each.state), "reason": each.reason, "head": each.head} for each in sources]


def _latest(dossier: Dossier, token: Token) -> Quote | None:
    quotes = [each for each in dossier.quotes if each.asset == token.id]
    return max(quotes, key=lambda each: (each.created_at, each.id), default=None)


def _issued(dossier: Dossier, token: Token) -> IssuedDestination | None:
    return next((each for each in dossier.destinations if each.family == family_of(token.chain)), None)


class Presenter:
    """Writes invoices and payments as the API shows them."""

    def __init__(self, catalogue: Catalogue, heads: Heads, tokens: ClientTokens, base_url: str) -> None:
        self._catalogue = catalogue
        self._heads = heads
        self._tokens = tokens
        self._base_url = base_url.rstrip("/")

    def invoice(self, dossier: Dossier) -> dict[str, Any]:
        """Return the whole invoice object for its merchant."""
        invoice = dossier.invoice
        terms, state = invoice.terms, invoice.assessment
        token = self._tokens.issue(invoice.id)
        return {
            "object": "invoice",
            "id": invoice.id,
            "livemode": invoice.livemode,
            "status": str(state.status),
            "fulfil": state.fulfil,
            "timing": str(state.timing),
            "resolution": str(state.resolution),
            "amount": amount_text(terms.amount, terms.decimals),
            "currency": terms.currency,
            "amount_paid": amount_text(state.amount_paid, terms.decimals),
            "amount_remaining": amount_text(state.amount_remaining, terms.decimals),
            "amount_overpaid": amount_text(state.amount_overpaid, terms.decimals),
            "description": invoice.description,
            "customer_id": invoice.customer_id,
            "customer_email": invoice.customer_email,
            "metadata": dict(invoice.metadata),
            "title": invoice.title,
            "footer": invoice.footer,
            "line_items": [dict(item) for item in invoice.line_items],
            "return_url": invoice.return_url,
            "settlement_asset": invoice.settlement_asset,
            "tolerance": {"percent": money.plain(terms.tolerance.percent), "amount": money.plain(terms.tolerance.amount, places=2)},
            "payment_url": f"{self._base_url}/pay/{invoice.id}?token={url_quote(token)}",
            "client_token": token,
            "payment_options": self.options(dossier),
            "payments": [self.payment(each, dossier.merchant, terms.decimals) for each in dossier.payments],
            "created_at": seconds(invoice.created_at),
            "expires_at": seconds(terms.expires_at),
            "paid_at": seconds(invoice.paid_at),
            "version": invoice.version,
        }

    def for_buyer(self, dossier: Dossier) -> dict[str, Any]:
        """Return what the buyer may see: everything that is needed to pay, and nothing that the merchant noted."""
        whole = self.invoice(dossier)
        for private in ("customer_id", "customer_email", "metadata", "settlement_asset", "tolerance"):
            del whole[private]
        whole["merchant_name"] = dossier.merchant.name
        return whole

    def options(self, dossier: Dossier) -> list[dict[str, Any]]:
        """Return every way to pay, chosen or not, in the merchant's order; chosen ones that are no longer offered come last."""
        offered = [offer.token.id for offer in dossier.offers]
        quoted = {each.asset for each in dossier.quotes}
        written = [self._option(dossier, offer.token, offer.reason) for offer in dossier.offers]
        for asset in sorted(quoted - set(offered)):
            token = self._catalogue.tokens.get(asset)
            if token is not None:
                written.append(self._option(dossier, token, "not_accepted"))
        return written

    def _option(self, dossier: Dossier, token: Token, reason: str | None) -> dict[str, Any]:
        chain = self._catalogue.chain(token.chain)
        latest = _latest(dossier, token)
        issued = _issued(dossier, token) if latest else None
        finality = self._finality(dossier.merchant, token.chain)
        needed = finality.band(latest.value if latest else dossier.invoice.terms.amount).blocks
        request = self.request(dossier, token)
        return {
            "object": "payment_option",
            "asset": token.id,
            "symbol": token.symbol,
            "chain": token.chain,
            "network": chain.name,
            "decimals": token.decimals,
            "available": reason is None,
            "unavailable_reason": reason,
            "quote": self._quote(latest, token, self._still_due(dossier, latest)) if latest else None,
            "destination": issued.destination.address if issued else None,
            "reference": issued.destination.reference if issued else None,
            "payment_uri": chain.payment_uri(request) if request else None,
            "finality": "finalized" if needed is None else "confirmations",
            "confirmations_required": needed,
        }

    def request(self, dossier: Dossier, token: Token) -> PaymentRequest | None:
        """Return what a driver needs to write a URI or a transaction for an option, or None until the option is chosen."""
        latest, issued = _latest(dossier, token), _issued(dossier, token)
        if latest is None or issued is None:
            return None
        return PaymentRequest(token.id, self._still_due(dossier, latest), issued.destination, dossier.merchant.name)

    def _quote(self, quote: Quote, token: Token, units: int) -> dict[str, Any]:
        return {
            "amount": units_text(units, token.decimals, stable=token.stable is not None),
            "amount_base_units": str(units),
            "rate": money.plain(quote.rate),
            "valid_until": seconds(quote.valid_until),
            "evidence": evidence_objects(quote.evidence),
        }

    @staticmethod
    def _still_due(dossier: Dossier, quote: Quote) -> int:
        """Return what remains of a quote after the payments made under it, while the invoice is not paid."""
        if dossier.invoice.assessment.status is not Status.UNDERPAID:
            return quote.units
        paid = sum(each.transfer.units for each in dossier.payments if each.counts and each.quote == quote.id)
        return max(quote.units - paid, 0)

    def payment(self, payment: Payment, merchant: Merchant, currency_decimals: int) -> dict[str, Any]:
        """Return a payment object."""
        transfer = payment.transfer
        token = self._catalogue.tokens.get(transfer.asset)
        chain = self._catalogue.chains.get(transfer.chain)
        needed = self._finality(merchant, transfer.chain).band(None if transfer.by_balance else payment.value).blocks
        head = self._heads.height(transfer.chain)
        confirmations = max(head - transfer.block.height + 1, 0) if head is not None and payment.active else 0
        return {
            "object": "payment",
            "id": payment.id,
            "invoice": payment.invoice,
            "livemode": payment.livemode,
            "asset": transfer.asset,
            "symbol": token.symbol if token else None,
            "amount": units_text(transfer.units, payment.decimals, stable=bool(token and token.stable)),
            "amount_base_units": str(transfer.units),
            "value": None if payment.value is None else amount_text(payment.value, currency_decimals),
            "status": str(payment.status),
            "mismatch": None if payment.mismatch is None else str(payment.mismatch),
            "transaction": None if transfer.by_balance else transfer.tx,
            "index": int(transfer.index) if transfer.index.isdecimal() else transfer.index,
            "block": transfer.block.height,
            "block_time": seconds(transfer.block.time),
            "from": transfer.sender,
            "to": transfer.to.address,
            "confirmations": confirmations,
            "confirmations_required": needed,
            "explorer_url": chain.explorer_url(transfer) if chain else None,
            "detected_at": seconds(payment.detected_at),
            "confirmed_at": seconds(payment.confirmed_at),
        }

    def _finality(self, merchant: Merchant, chain: ChainId) -> Finality:
        known = self._catalogue.chains.get(chain)
        default = known.finality if known else Finality.finalized()
        return merchant.finality.get(chain, default)
