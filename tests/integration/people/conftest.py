"""Users on a real database, with time in the test's hands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pepay_core.secrets import Vault
from pepay_core.services.founding import new_merchant
from pepay_core.services.minting import Ids
from pepay_core.services.people.composing import People, compose_people
from pepay_core.testing.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pepay_core.domain.merchants import Merchant
    from pepay_core.domain.people import User
    from pepay_core.services.people.accounts import NewPassword
    from pepay_core.storage.opening import DatabaseStore

PASSWORD = "correct horse battery"
BASE_URL = "https://pay.example.com"


@dataclass
class World:
    """What a test of people is played in."""

    store: DatabaseStore
    clock: FakeClock
    ids: Ids
    people: People
    prepared: list[NewPassword] = field(default_factory=list)

    async def user(self, email: str = "ada@example.com", **options) -> User:
        """Return a new user, whose password is the same for all."""
        if not self.prepared:
            self.prepared.append(await self.people.accounts.prepare(PASSWORD))
        return await self.store.run(lambda tx: self.people.accounts.create(tx, email, self.prepared[0], **options))

    async def merchant(self, name: str = "Shop") -> Merchant:
        made = new_merchant(self.ids, self.clock, name)
        await self.store.run(lambda tx: tx.merchants.add(made))
        return made

    async def member(self, merchant: Merchant, user: User, role: str) -> None:
        from pepay_core.domain.roles import Role

        await self.store.run(lambda tx: self.people.memberships.add(tx, merchant.id, user.id, Role(role)))

    async def signed_in(self, email: str = "ada@example.com", password: str = PASSWORD, **options):
        """Return whose session a new sign-in opens, and its token."""
        opened = await self.people.signing_in.with_password(email, password, **options)
        return await self.people.sessions.find(opened.token), opened.token


@pytest.fixture(scope="session")
def vault() -> Vault:
    return Vault(bytes(range(32)))


@pytest.fixture
def world(store, vault) -> Iterator[World]:
    clock = FakeClock()
    ids = Ids(clock)
    people = compose_people(store, clock, ids, vault, BASE_URL)
    yield World(store, clock, ids, people)
    people.passwords.close()
