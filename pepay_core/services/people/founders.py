"""The first admin of a server, made with it: there is no page on which the first visitor could become one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.domain.roles import Role
from pepay_core.services.people.accounts import generate_password
from pepay_core.services.recording import operator

if TYPE_CHECKING:
    from pepay_core.domain.ids import MerchantId
    from pepay_core.services.people.composing import People
    from pepay_core.services.ports import Store, Transaction


async def first_admin(store: Store, people: People, email: str, merchant: MerchantId) -> str:
    """Make the admin, who owns the first merchant too, and return their new password, to be shown once."""
    password = generate_password()
    prepared = await people.accounts.prepare(password)

    async def work(tx: Transaction) -> None:
        admin = await people.accounts.create(tx, email, prepared, is_admin=True, by=operator())
        await people.memberships.add(tx, merchant, admin.id, Role.OWNER, by=operator())

    await store.run(work)
    return password
