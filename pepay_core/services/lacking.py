"""What wallets lack to be paid in some assets, as their chains tell: a wallet without a token account cannot take the token."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from pepay_core.contracts.chain import WalletMaterial
from pepay_core.domain.chains import Feature
from pepay_core.domain.errors import Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pepay_core.contracts.chain import Chain
    from pepay_core.contracts.context import Clock
    from pepay_core.domain.assets import AssetId, ChainId, Token
    from pepay_core.domain.ids import WalletId
    from pepay_core.domain.merchants import Wallet
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.ports import Store

log = logging.getLogger(__name__)

NO_ACCOUNT: Final = "no_token_account"
NOT_ASKED: Final = "chain_unavailable"

_ASKING: Final = 8.0
_REST: Final = 15.0  # seconds between two looks at wallets that lack something, or of which nothing is known
_ROUNDS: Final = 40  # of which each looks at all wallets


class Lacking:
    """Remembers what the chains said of each wallet, in this process, and asks again from time to time."""

    def __init__(self, store: Store, catalogue: Catalogue, clock: Clock) -> None:
        self._store = store
        self._catalogue = catalogue
        self._clock = clock
        self._known: dict[tuple[WalletId, ChainId], Mapping[AssetId, str]] = {}

    # --- answering -----------------------------------------------------------------------

    def obstacle(self, wallets: Iterable[Wallet], token: Token) -> str | None:
        """Return why none of the wallets can be paid in an asset, or None where one can."""
        reasons = [self._obstacle(wallet, token) for wallet in wallets]
        return None if None in reasons else next(iter(reasons), None)

    def able(self, wallet: Wallet, token: Token) -> bool:
        """Tell whether a wallet can be paid in an asset."""
        return self._obstacle(wallet, token) is None

    def of(self, wallet: Wallet) -> dict[AssetId, str]:
        """Return what a wallet lacks, with what its owner can do about it, as far as it is known."""
        return {asset: remedy for chain in self._asked(wallet) for asset, remedy in sorted(self._known.get((wallet.id, chain.id), {}).items())}

    def _obstacle(self, wallet: Wallet, token: Token) -> str | None:
        if Feature.SHORTCOMINGS not in self._catalogue.chain(token.chain).features:
            return None
        known = self._known.get((wallet.id, token.chain))
        if known is None:
            return NOT_ASKED
        return NO_ACCOUNT if token.id in known else None

    # --- asking --------------------------------------------------------------------------

    async def ask(self, wallet: Wallet) -> list[str]:
        """Ask the chains of a wallet, and return the names of those that do not answer; raises Refused when one says that it is no wallet."""
        silent: list[str] = []
        for chain in self._asked(wallet):
            try:
                async with asyncio.timeout(_ASKING):
                    self._known[wallet.id, chain.id] = await chain.shortcomings(WalletMaterial(wallet.kind, wallet.value))
            except (Unavailable, TimeoutError) as exc:
                log.info("%s cannot tell what the wallet %s lacks: %s", chain.name, wallet.id, exc)
                silent.append(chain.name)
        return silent

    def rename(self, wallet: Wallet, present: Wallet) -> None:
        """Take what is known of a wallet for known of another that is the same: it bore another id before."""
        for chain in self._asked(wallet):
            if (known := self._known.get((wallet.id, chain.id))) is not None:
                self._known[present.id, chain.id] = known

    async def run(self) -> None:
        """Keep asking until cancelled."""
        turn = 0
        while True:
            try:
                await self.look(everything=turn % _ROUNDS == 0)
            except Exception:
                log.exception("asking what wallets lack failed")
            turn += 1
            await self._clock.sleep(_REST)

    async def look(self, *, everything: bool = True) -> None:
        """Ask about every wallet in use, or only about those that lacked something or were never asked about."""
        if not any(Feature.SHORTCOMINGS in chain.features for chain in self._catalogue.chains.values()):
            return
        async with self._store.read() as tx:
            merchants = await tx.merchants.all()
            wallets = [each for merchant in merchants for live in (False, True) for each in await tx.wallets.active(merchant.id, livemode=live)]
        for wallet in wallets:
            due = everything or any(self._known.get((wallet.id, chain.id)) != {} for chain in self._asked(wallet))
            if due:
                try:
                    await self.ask(wallet)
                except Refused as exc:
                    log.warning("the wallet %s cannot be paid: %s", wallet.id, exc)

    def _asked(self, wallet: Wallet) -> list[Chain]:
        return [
            chain
            for chain in self._catalogue.family(wallet.family)
            if Feature.SHORTCOMINGS in chain.features and chain.testnet is not wallet.livemode
        ]
