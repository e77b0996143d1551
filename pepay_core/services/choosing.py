"""Choosing how to pay an invoice: a locked price, and an address that nobody was given before."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.contracts.chain import WalletMaterial
from pepay_core.domain.assets import family_of
from pepay_core.domain.chains import Reference
from pepay_core.domain.coverage import IssuedDestination
from pepay_core.domain.errors import AssetLocked, AssetNotAccepted, ChainUnavailable, Conflict, InvoiceClosed, NoDestination, RatesUnavailable
from pepay_core.domain.invoices import OPEN
from pepay_core.services.quoting import make_quote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pepay_core.contracts.chain import Chain
    from pepay_core.contracts.context import Clock
    from pepay_core.domain.assets import Token
    from pepay_core.domain.invoices import Invoice
    from pepay_core.domain.merchants import Wallet
    from pepay_core.domain.rates import AgreedRate
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.heads import Heads
    from pepay_core.services.lacking import Lacking
    from pepay_core.services.minting import Ids
    from pepay_core.services.ports import Transaction
    from pepay_core.services.valuing import Valuation

MONITORING: Final = timedelta(days=7)
"""How long after its deadline an invoice's destinations are still watched."""

_PRICING: Final = 8.0
_ISSUING: Final = 5.0
_TRIES: Final = 1000  # addresses in a row that were issued before, after which a wallet counts as used up


class Choosing:
    """Quotes an asset for an invoice and issues its destination."""

    def __init__(self, catalogue: Catalogue, heads: Heads, valuation: Valuation, lacking: Lacking, ids: Ids, clock: Clock) -> None:
        self._catalogue = catalogue
        self._heads = heads
        self._valuation = valuation
        self._lacking = lacking
        self._ids = ids
        self._clock = clock

    async def price(self, token: Token, currency: str) -> AgreedRate:
        """Return what the asset costs now; raises ChainUnavailable or RatesUnavailable. To be called outside of a transaction."""
        chain = self._catalogue.chain(token.chain)
        if token.id in chain.refused:
            raise AssetNotAccepted(f"{token.symbol} on {chain.name} is refused: {chain.refused[token.id]}", field="asset")
        if not self._heads.usable(token.chain):
            state = self._heads.get(token.chain)
            raise ChainUnavailable(f"{chain.name} cannot be watched at the moment: {state.reason if state else 'not reached yet'}")
        try:
            async with asyncio.timeout(_PRICING):
                return await self._valuation.price(token, currency)
        except TimeoutError:
            raise RatesUnavailable(f"no rate for {token.symbol} in time") from None

    async def choose(self, tx: Transaction, invoice: Invoice, token: Token, rate: AgreedRate) -> Invoice:
        """Add a quote and a destination to a locked invoice and return it; raises InvoiceClosed, AssetLocked or NoDestination."""
        now = self._clock.now()
        if invoice.assessment.status not in OPEN or invoice.closed_at is not None or now >= invoice.terms.expires_at:
            raise InvoiceClosed(f"the invoice is {invoice.assessment.status} and cannot be paid in a new way")
        quotes = [each for each in await tx.quotes.of([invoice.id]) if each.asset == token.id]
        latest = max(quotes, key=lambda each: (each.created_at, each.id), default=None)
        paid_in = {each.transfer.asset for each in await tx.payments.of([invoice.id]) if each.counts}
        if paid_in and token.id not in paid_in:
            raise AssetLocked("a part was paid already, so the rest is asked in the same asset", field="asset")
        # What is left after a partial payment has its price already, for as long as that was promised.
        if latest is not None and latest.remainder and now < latest.valid_until:
            return invoice
        await self._issue(tx, invoice, token, now)
        await tx.quotes.add(make_quote(self._ids, invoice, token, invoice.assessment.amount_remaining, rate, now))
        return replace(invoice, version=invoice.version + 1)

    async def _issue(self, tx: Transaction, invoice: Invoice, token: Token, now: datetime) -> None:
        family = family_of(token.chain)
        chain = self._catalogue.chain(token.chain)
        issued = next((each for each in await tx.destinations.of([invoice.id]) if each.family == family), None)
        if issued is not None:
            wallet = await tx.wallets.get(invoice.merchant, issued.wallet)
            # The address that the invoice has must be one from which money can be moved on this network too.
            _refuse_kind(chain, wallet.kind)
            if not self._lacking.able(wallet, token):
                raise AssetNotAccepted(f"the address of this invoice cannot take {token.symbol}", field="asset")
            return
        wallets = [each for each in await tx.wallets.active(invoice.merchant, livemode=invoice.livemode) if each.family == family]
        served = [each for each in wallets if each.kind not in chain.refused_kinds]
        if wallets and not served:
            _refuse_kind(chain, wallets[0].kind)
        able = [each for each in served if self._lacking.able(each, token)]
        if served and not able:
            raise AssetNotAccepted(self._told(served, token, chain), field="asset")
        for wallet in sorted(able, key=lambda each: (each.created_at, each.id)):
            if await self._issue_from(tx, invoice, wallet, chain, now):
                return
        raise NoDestination(
            f"no wallet can issue an address on {chain.name}; add one with POST /api/v1/wallets"
            if not wallets
            else f"every address of the merchant's wallets for {chain.name} has been used; add another wallet",
            field="asset",
        )

    def _told(self, wallets: Sequence[Wallet], token: Token, chain: Chain) -> str:
        """Return in words why no wallet can be paid in an asset."""
        remedies = [remedy for wallet in wallets if (remedy := self._lacking.of(wallet).get(token.id))]
        return remedies[0] if remedies else f"{chain.name} has not told yet whether the wallet can take {token.symbol}"

    async def _issue_from(self, tx: Transaction, invoice: Invoice, wallet: Wallet, chain: Chain, now: datetime) -> bool:
        """Issue the wallet's next destination that nobody was given before; False when it has none left."""
        for _ in range(_TRIES):
            index = await tx.wallets.next_index(wallet.id)
            try:
                async with asyncio.timeout(_ISSUING):
                    destination = await chain.issue(WalletMaterial(wallet.kind, wallet.value), Reference(index, secrets.token_bytes(32)))
            except NoDestination:
                return False
            issued = IssuedDestination(
                invoice=invoice.id,
                merchant=invoice.merchant,
                livemode=invoice.livemode,
                family=wallet.family,
                destination=destination,
                wallet=wallet.id,
                index=index,
                issued_at=now,
                watch_until=invoice.terms.expires_at + MONITORING,
            )
            try:
                await tx.destinations.add(issued)
            except Conflict:
                # Lists may overlap, or hold an address of somebody's xpub: whoever was given it first keeps it.
                continue
            return True
        return False


def _refuse_kind(chain: Chain, kind: str) -> None:
    if kind in chain.refused_kinds:
        raise NoDestination(f"{chain.name} cannot take payments to a wallet of kind {kind}: {chain.refused_kinds[kind]}", field="asset")
