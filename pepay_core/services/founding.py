"""Making a merchant with its first keys: what `pepay init` and the demo begin with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import InvalidInput
from pepay_core.domain.merchants import KEY_SCOPES, Merchant
from pepay_core.services.keeping_keys import KeyRequest
from pepay_core.services.recording import operator

if TYPE_CHECKING:
    from pepay_core.contracts.context import Clock
    from pepay_core.domain.ids import MerchantId
    from pepay_core.services.keeping_keys import KeepingKeys
    from pepay_core.services.minting import Ids
    from pepay_core.services.ports import Store, Transaction

FIRST_KEYS_LAST: Final = 365 * 24 * 3600
"""Seconds after which the first keys expire."""


@dataclass(frozen=True, slots=True)
class Founded:
    """A new merchant and the texts of its keys, which are not stored and shown once."""

    merchant: Merchant
    test_key: str
    live_key: str

    def __repr__(self) -> str:
        return f"Founded({self.merchant.id})"


async def found(store: Store, keys: KeepingKeys, ids: Ids, clock: Clock, name: str) -> Founded:
    """Store a merchant with a test key and a live key that may do everything; raises InvalidInput."""
    merchant = new_merchant(ids, clock, name)
    request = KeyRequest("first key", KEY_SCOPES, FIRST_KEYS_LAST)

    async def work(tx: Transaction) -> Founded:
        await tx.merchants.add(merchant)
        await keys.recorder.note(tx, operator(merchant.id), "merchant.created", merchant.id, {"name": merchant.name})
        _, test = await keys.issue(tx, merchant.id, request, livemode=False)
        _, live = await keys.issue(tx, merchant.id, request, livemode=True)
        return Founded(merchant, test, live)

    return await store.run(work)


def new_merchant(ids: Ids, clock: Clock, name: str) -> Merchant:
    """Return a merchant with the usual preferences; raises InvalidInput."""
    name = name.strip()
    if not 1 <= len(name) <= 255:
        raise InvalidInput("a merchant's name has 1 to 255 characters", field="merchant")
    merchant: MerchantId = ids.merchant()
    return Merchant(merchant, name, clock.now())
