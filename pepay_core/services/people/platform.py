"""What the admins of a server do: merchants founded, listed, suspended. It opens nothing that belongs to a merchant."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pepay_core.domain.ids import MerchantId
from pepay_core.domain.roles import Role
from pepay_core.services.founding import new_merchant
from pepay_core.services.idempotency import answer
from pepay_core.services.people.addressing import canonical
from pepay_core.services.presenting import seconds

if TYPE_CHECKING:
    from pepay_core.contracts.context import Clock
    from pepay_core.domain.audit import Actor
    from pepay_core.domain.merchants import Merchant
    from pepay_core.services.minting import Ids
    from pepay_core.services.people.invitations import Invitations
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.recording import Recorder


class Platform:
    """Looks after merchants from outside."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, invitations: Invitations, recorder: Recorder) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._invitations = invitations
        self._recorder = recorder

    async def found(self, by: Actor, name: str, owner: str) -> dict[str, Any]:
        """Make a merchant, and invite its first owner; it has no keys and no members until they come. Raises InvalidInput."""
        merchant, address = new_merchant(self._ids, self._clock, name), canonical(owner, "owner")

        async def work(tx: Transaction) -> dict[str, Any]:
            await tx.merchants.add(merchant)
            await self._recorder.note(tx, replace(by, merchant=merchant.id), "merchant.created", merchant.id, {"name": merchant.name})
            invitation = await self._invitations.send(tx, by, address, merchant=merchant.id, role=Role.OWNER)
            return {**_view(merchant), "invitation": invitation}

        return await answer(self._store, work)

    async def merchants(self) -> list[dict[str, Any]]:
        """Return every merchant there is, and nothing of what it does."""
        async with self._store.read() as tx:
            return [_view(each) for each in await tx.merchants.all()]

    async def suspend(self, by: Actor, merchant: str) -> dict[str, Any]:
        """Let nothing new begin for a merchant: its keys and members are turned away. What buyers owe is still watched and credited."""
        return await self._set(by, merchant, suspended=True)

    async def resume(self, by: Actor, merchant: str) -> dict[str, Any]:
        """Let a suspended merchant go on."""
        return await self._set(by, merchant, suspended=False)

    async def _set(self, by: Actor, merchant: str, *, suspended: bool) -> dict[str, Any]:
        async def work(tx: Transaction) -> dict[str, Any]:
            found = await tx.merchants.get(MerchantId(merchant))
            if (found.suspended_at is not None) is suspended:
                return _view(found)
            at = self._clock.now() if suspended else None
            await tx.merchants.suspend(found.id, at)
            actor = replace(by, merchant=found.id)
            await self._recorder.note(tx, actor, "merchant.suspended" if suspended else "merchant.resumed", found.id)
            return _view(replace(found, suspended_at=at))

        return await self._store.run(work)


def _view(merchant: Merchant) -> dict[str, Any]:
    return {
        "object": "tenant",
        "id": merchant.id,
        "name": merchant.name,
        "created_at": seconds(merchant.created_at),
        "suspended_at": seconds(merchant.suspended_at),
    }
