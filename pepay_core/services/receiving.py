"""Wallets: the public material from which a merchant's deposit addresses are made."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pepay_core.contracts.chain import WalletMaterial, WalletView
from pepay_core.domain import money
from pepay_core.domain.assets import family_of
from pepay_core.domain.chains import Reference
from pepay_core.domain.errors import InvalidInput, NoDestination, NotFound, Refused
from pepay_core.domain.ids import WalletId
from pepay_core.domain.merchants import Wallet
from pepay_core.services.idempotency import answer
from pepay_core.services.paging import slice_of
from pepay_core.services.presenting import seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pepay_core.contracts.chain import Chain
    from pepay_core.contracts.context import Clock
    from pepay_core.domain.sweeps import Balance
    from pepay_core.plugins.catalogue import Catalogue
    from pepay_core.services.callers import Caller
    from pepay_core.services.lacking import Lacking
    from pepay_core.services.minting import Ids
    from pepay_core.services.paging import Page, Slice
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.recording import Recorder

MAX_LABEL: Final = 100
MAX_ADDRESSES: Final = 1_000
_MAX_SHOWN: Final = 64


class Receiving:
    """Takes receiving material in, checks it, and shows the first address that it gives, so that its owner can compare."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, catalogue: Catalogue, lacking: Lacking, recorder: Recorder) -> None:
        self._store = store
        self._lacking = lacking
        self._clock = clock
        self._ids = ids
        self._catalogue = catalogue
        self._recorder = recorder

    async def create(self, caller: Caller, family: str, kind: str, value: str | Sequence[str], label: str | None = None) -> dict[str, Any]:
        """Store material and return it; raises InvalidInput when it is not what it should be, Conflict when it is in use already.

        The chain is asked what the wallet lacks; where it does not answer, that is told among the warnings, and asked again later.
        """
        if label is not None and not 1 <= len(label) <= MAX_LABEL:
            raise InvalidInput(f"must have 1 to {MAX_LABEL} characters", field="label")
        if not isinstance(value, str) and len(value) > MAX_ADDRESSES:
            raise InvalidInput(f"must have at most {MAX_ADDRESSES} addresses", field="value")
        chain = self._chain(family, livemode=caller.livemode)
        try:
            material = chain.parse_wallet(kind, value)
            for other in self._catalogue.family(family):
                # One wallet serves all networks of the family: what is a token's contract on any of them is nobody's wallet.
                other.parse_wallet(kind, value)
        except Refused as exc:
            exc.field = exc.field or "value"
            raise
        wallet = Wallet(
            id=self._ids.wallet(),
            merchant=caller.merchant,
            livemode=caller.livemode,
            family=family,
            kind=material.kind,
            value=material.value,
            label=label,
            created_at=self._clock.now(),
        )
        # A wallet that no network can serve yet may be kept; one that gives no address at all must not be.
        if material.kind not in chain.refused_kinds:
            await chain.issue(material, Reference(0, bytes(32)))
        try:
            silent = await self._lacking.ask(wallet)
        except Refused as exc:
            exc.field = exc.field or "value"
            raise

        async def work(tx: Transaction) -> dict[str, Any]:
            await tx.wallets.add(wallet)
            stored = next(each for each in await tx.wallets.active(caller.merchant, livemode=caller.livemode) if _same(each, wallet))
            balances = await tx.sweeps.balances([stored.id])
            if stored.id != wallet.id:
                # It was archived before, and has come back under the name that it had.
                self._lacking.rename(wallet, stored)
            shown = await self._view(stored, balances.get(stored.id, ()), silent)
            await self._recorder.note(tx, caller, "wallet.created", stored.id, {"chain_family": family, "kind": stored.kind, "label": label})
            return shown

        return await answer(self._store, work)

    async def get(self, caller: Caller, wallet: str) -> dict[str, Any]:
        """Return a wallet that is in use; raises NotFound."""
        async with self._store.read() as tx:
            found = await self._find(tx, caller, wallet)
            balances = await tx.sweeps.balances([found.id])
        return await self._view(found, balances.get(found.id, ()))

    async def page(self, caller: Caller, page: Page) -> Slice[dict[str, Any]]:
        """Return the wallets in use, newest first."""
        async with self._store.read() as tx:
            wallets = await tx.wallets.active(caller.merchant, livemode=caller.livemode)
            balances = await tx.sweeps.balances([each.id for each in wallets])
        ordered = sorted(wallets, key=lambda each: each.id, reverse=True)
        return slice_of([await self._view(each, balances.get(each.id, ())) for each in ordered], page)

    async def archive(self, caller: Caller, wallet: str) -> dict[str, Any]:
        """Issue no more addresses from a wallet; those that were issued stay watched."""
        async with self._store.begin() as tx:
            found = replace(await self._find(tx, caller, wallet), archived_at=self._clock.now())
            await tx.wallets.archive(caller.merchant, found.id, self._clock.now())
            balances = await tx.sweeps.balances([found.id])
            await self._recorder.note(tx, caller, "wallet.archived", found.id, {"label": found.label})
        return await self._view(found, balances.get(found.id, ()))

    @staticmethod
    async def _find(tx: Transaction, caller: Caller, wallet: str) -> Wallet:
        found = await tx.wallets.get(caller.merchant, WalletId(wallet))
        if found.livemode is not caller.livemode or found.archived_at is not None:
            raise NotFound("there is no such wallet in use")
        return found

    def _chain(self, family: str, *, livemode: bool) -> Chain:
        chains = self._catalogue.family(family)
        if not chains:
            families = sorted({family_of(each) for each in self._catalogue.chains})
            raise InvalidInput(f"must be one of: {', '.join(families) or 'no chain is running'}", field="chain_family")
        return next((each for each in chains if each.testnet is not livemode), chains[0])

    async def _first_address(self, wallet: Wallet) -> str | None:
        """Return the address at index 0; None where no running chain can tell."""
        for chain in self._catalogue.family(wallet.family):
            try:
                destination = await chain.issue(WalletMaterial(wallet.kind, wallet.value), Reference(0, bytes(32)))
            except NoDestination:
                continue
            return destination.address
        return None

    async def _view(self, wallet: Wallet, balances: Sequence[Balance], silent: Sequence[str] = ()) -> dict[str, Any]:
        lacks = self._lacking.of(wallet)
        unasked = [f"{name} does not answer, so it is not known yet whether the wallet can take every token there" for name in silent]
        material = WalletMaterial(wallet.kind, wallet.value)
        shown = [view for chain in self._catalogue.family(wallet.family) if (view := chain.show_wallet(material)) is not None]
        view = shown[0] if shown else WalletView(_shown(wallet))
        return {
            "object": "wallet",
            "id": wallet.id,
            "livemode": wallet.livemode,
            "chain_family": wallet.family,
            "kind": wallet.kind,
            "value": view.value,
            "label": wallet.label,
            "first_address": await self._first_address(wallet),
            "addresses_issued": wallet.next_index,
            "recovery": view.recovery,
            "balances": [self._balance(each, followed=view.followed) for each in balances],
            "missing_accounts": [
                {"asset": asset, "symbol": self._catalogue.token(asset).symbol, "remedy": remedy} for asset, remedy in lacks.items()
            ],
            "warnings": [*unasked, *lacks.values()],
            "created_at": seconds(wallet.created_at),
            "archived_at": seconds(wallet.archived_at),
        }

    def _balance(self, balance: Balance, *, followed: bool) -> dict[str, Any]:
        """Return a balance with what is known of it: of a wallet that is not followed, nobody here knows what was moved away."""
        token = self._catalogue.tokens.get(balance.asset)
        amounts = {"received": balance.received, "swept": balance.swept if followed else None, "waiting": balance.waiting if followed else None}
        written: dict[str, Any] = {"asset": balance.asset}
        for name, units in amounts.items():
            written[name] = None if units is None or token is None else money.plain(money.from_base_units(units, token.decimals))
            written[f"{name}_base_units"] = None if units is None else str(units)
        return written


def _same(one: Wallet, other: Wallet) -> bool:
    return (one.family, one.kind, one.value) == (other.family, other.kind, other.value)


def _shown(wallet: Wallet) -> str | list[str]:
    """Return a list of addresses whole, and an extended key shortened: whoever has one can follow a merchant's income."""
    if wallet.kind == "addresses":
        return [str(each) for each in json.loads(wallet.value)]
    return wallet.value if len(wallet.value) <= _MAX_SHOWN else f"{wallet.value[:12]}…{wallet.value[-6:]}"
