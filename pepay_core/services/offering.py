"""Which assets can be paid with, right now and in principle: the views behind tokens, chains and rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pepay_core.domain import money
from pepay_core.domain.assets import canonical_asset, family_of
from pepay_core.domain.errors import InvalidInput, RatesUnavailable
from pepay_core.domain.rates import Pair
from pepay_core.services.paging import Slice
from pepay_core.services.presenting import evidence_objects, finality_bands, seconds, source_objects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pepay_core.domain.assets import AssetId, Token
    from pepay_core.domain.coverage import ChainState, Coverage
    from pepay_core.domain.merchants import Merchant, Wallet
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.callers import Caller
    from pepay_core.services.heads import Heads
    from pepay_core.services.lacking import Lacking
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.valuing import Valuation


@dataclass(frozen=True, slots=True)
class Offer:
    """An asset that an invoice accepts; ``reason`` says why it cannot be chosen now, or is None."""

    token: Token
    reason: str | None


class Offering:
    """Answers what can be paid with."""

    def __init__(self, store: Store, catalogue: Catalogue, heads: Heads, valuation: Valuation, lacking: Lacking) -> None:
        self._store = store
        self._catalogue = catalogue
        self._heads = heads
        self._valuation = valuation
        self._lacking = lacking

    def known(self, *, livemode: bool) -> list[Token]:
        """Return the assets of an environment: test keys see test chains only."""
        return [token for token in self._catalogue.tokens.values() if self._catalogue.chain(token.chain).testnet is not livemode]

    def accepted(self, merchant: Merchant, wanted: Sequence[AssetId] | None, *, livemode: bool) -> list[Token]:
        """Return the assets that an invoice accepts, in order: its own list, else the merchant's, else all that are not optional."""
        known = {token.id: token for token in self.known(livemode=livemode)}
        chosen = wanted if wanted is not None else merchant.tokens
        return [token for token in known.values() if not token.optional] if chosen is None else [known[each] for each in chosen if each in known]

    async def families(self, tx: Transaction, merchant: Merchant, *, livemode: bool) -> Mapping[str, Sequence[Wallet]]:
        """Return the merchant's wallets by the family of chains that they are for."""
        found: dict[str, list[Wallet]] = {}
        for wallet in await tx.wallets.active(merchant.id, livemode=livemode):
            found.setdefault(wallet.family, []).append(wallet)
        return found

    def offers(
        self, merchant: Merchant, wanted: Sequence[AssetId] | None, currency: str, families: Mapping[str, Sequence[Wallet]], *, livemode: bool
    ) -> list[Offer]:
        """Return each accepted asset with the reason why it cannot be chosen now, if there is one."""
        return [Offer(token, self._obstacle(token, currency, families)) for token in self.accepted(merchant, wanted, livemode=livemode)]

    def _obstacle(self, token: Token, currency: str, families: Mapping[str, Sequence[Wallet]]) -> str | None:
        chain = self._catalogue.chain(token.chain)
        if token.id in chain.refused:
            return "token_refused"
        wallets = [each for each in families.get(family_of(token.chain), ()) if each.kind not in chain.refused_kinds]
        if not wallets:
            return "no_wallet"
        if not self._heads.usable(token.chain):
            return "chain_unavailable"
        lack = self._lacking.obstacle(wallets, token)
        if lack is not None:
            return lack
        if not self._valuation.priced(token, currency):
            return "no_rate"
        return None

    async def tokens(self, caller: Caller) -> list[dict[str, Any]]:
        """Return every known asset of the caller's environment, with its price in the merchant's currency where there is one."""
        async with self._store.read() as tx:
            merchant = await tx.merchants.get(caller.merchant)
            families = await self.families(tx, merchant, livemode=caller.livemode)
        tokens = self.known(livemode=caller.livemode)
        await self._valuation.prepare(tokens, merchant.currency)
        accepted = {token.id for token in self.accepted(merchant, None, livemode=caller.livemode)}
        written: list[dict[str, Any]] = []
        for token in tokens:
            reason = self._obstacle(token, merchant.currency, families)
            price = await self._price(token, merchant.currency)
            chain = self._catalogue.chain(token.chain)
            written.append(
                {
                    "object": "token",
                    "asset": token.id,
                    "chain": token.chain,
                    "network": chain.name,
                    "symbol": token.symbol,
                    "name": token.name or token.symbol,
                    "decimals": token.decimals,
                    "native": token.id == chain.native,
                    "livemode": not chain.testnet,
                    "accepted": token.id in accepted,
                    "available": token.id in accepted and reason is None,
                    "unavailable_reason": reason if token.id in accepted else "not_accepted",
                    "price": price,
                    "currency": merchant.currency,
                }
            )
        return written

    async def _price(self, token: Token, currency: str) -> str | None:
        try:
            return money.plain((await self._valuation.price(token, currency)).value)
        except RatesUnavailable:
            return None

    async def chains(self, caller: Caller) -> list[dict[str, Any]]:
        """Return what is known of each chain: its newest block, how far it was covered, its rule of finality, its health."""
        written: list[dict[str, Any]] = []
        async with self._store.read() as tx:
            for chain in self._catalogue.chains.values():
                if chain.testnet is caller.livemode:
                    continue
                coverage = await tx.chains.coverage(chain.id)
                state = self._heads.get(chain.id) or await tx.chains.state(chain.id)
                last = max(coverage, key=lambda each: each.last) if coverage else None
                written.append(
                    {
                        "object": "chain",
                        "id": chain.id,
                        "name": chain.name,
                        "livemode": not chain.testnet,
                        "native": chain.native,
                        "state": str(state.health) if state else "starting",
                        "reason": state.reason if state else "not reached yet",
                        "tip": state.tip if state else None,
                        "tip_time": seconds(state.tip_time) if state else None,
                        "lag": max(state.tip - last.last, 0) if state and state.tip is not None and last else None,
                        "checked_at": seconds(state.checked_at) if state else None,
                        "covered": [
                            {
                                "from_block": each.first,
                                "to_block": each.last,
                                "to_hash": each.last_hash,
                                "until": seconds(each.until),
                                "source": each.source or None,
                            }
                            for each in coverage
                        ],
                        "catching_up": catching_up(chain.block_seconds, state, last),
                        "finality": finality_bands(chain.finality),
                        "alone_up_to": None if chain.finality.alone_up_to is None else money.plain(chain.finality.alone_up_to),
                        "endpoints": source_objects(state.sources if state else ()),
                    }
                )
        return written

    async def rates(self, base: str, quote: str) -> dict[str, Any]:
        """Return the agreed price of an asset, with its evidence; raises RatesUnavailable."""
        token = self._base(base)
        self._valuation.decimals(quote, field="quote")
        try:
            rate = await self._valuation.price(token, quote)
        except RatesUnavailable:
            await self._valuation.blame([token], quote, field="quote")
            raise
        return {
            "object": "rate",
            "base": token.id,
            "quote": quote,
            "rate": money.plain(rate.value),
            "at": seconds(rate.at),
            "evidence": evidence_objects(rate.evidence),
        }

    async def rate_history(self, base: str, quote: str, start: datetime, end: datetime, limit: int) -> Slice[dict[str, Any]]:
        """Return the prices that were agreed on in a period, newest first, gaps included. What is older is asked for by its end."""
        token = self._base(base)
        if quote not in money.CURRENCIES:
            raise InvalidInput("history is kept in ISO 4217 currencies", field="quote")
        async with self._store.read() as tx:
            records = await tx.rates.history(Pair(token.rate_id, quote), start, end, limit + 1)
        written: list[dict[str, Any]] = [
            {
                "object": "rate",
                "base": token.id,
                "quote": quote,
                "rate": None if record.value is None else money.plain(record.value),
                "reason": record.reason,
                "at": seconds(record.at),
                "evidence": evidence_objects(record.evidence),
            }
            for record in records[:limit]
        ]
        return Slice(tuple(written), len(records) > limit)

    def _base(self, text: str) -> Token:
        try:
            return self._catalogue.token(canonical_asset(text))
        except InvalidInput as exc:
            raise InvalidInput(exc.message, field="base") from None


def catching_up(block_seconds: float, state: ChainState | None, last: Coverage | None) -> dict[str, Any] | None:
    """Return how far a watcher is behind, and how fast it gets nearer, while it is catching up."""
    if state is None or state.pace is None or state.tip is None or last is None or state.tip <= last.last:
        return None
    behind = state.tip - last.last
    nearer = state.pace - 1 / block_seconds if block_seconds > 0 else state.pace
    return {"blocks_behind": behind, "blocks_per_second": state.pace, "eta": round(behind / nearer) if nearer > 0 else None}
