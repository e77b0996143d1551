"""Users on a real database, with time in the test's hands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pepay_core.domain.roles import Role
from pepay_core.secrets import Vault
from pepay_core.services.founding import new_merchant
from pepay_core.services.mailing import Mailing
from pepay_core.services.minting import Ids
from pepay_core.services.paging import Page
from pepay_core.services.people.composing import People, compose_people
from pepay_core.services.recording import Recorder, operator
from pepay_core.testing.clock import FakeClock
from pepay_email.notifier import MailNotifier
from pepay_email.server import Server
from pepay_email.settings import EmailSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pepay_core.domain.merchants import Merchant
    from pepay_core.domain.people import User
    from pepay_core.services.people.accounts import NewPassword
    from pepay_core.storage.opening import DatabaseStore

PASSWORD = "correct horse battery"
BASE_URL = "https://pay.example.com"

# Hashed once for all tests: what it costs is part of what they test.
PREPARED: list[NewPassword] = []


@dataclass
class World:
    """What a test of people is played in. Letters are queued and stay there."""

    store: DatabaseStore
    clock: FakeClock
    ids: Ids
    vault: Vault
    people: People
    mailing: Mailing
    by: object = field(default_factory=operator)

    async def user(self, email: str = "ada@example.com", **options) -> User:
        """Return a new user, whose password is the same for all."""
        if not PREPARED:
            PREPARED.append(await self.people.accounts.prepare(PASSWORD))
        return await self.store.run(lambda tx: self.people.accounts.create(tx, email, PREPARED[0], by=self.by, **options))

    async def merchant(self, name: str = "Shop") -> Merchant:
        made = new_merchant(self.ids, self.clock, name)
        await self.store.run(lambda tx: tx.merchants.add(made))
        return made

    async def member(self, merchant: Merchant, user: User, role: str) -> None:
        await self.store.run(lambda tx: self.people.memberships.add(tx, merchant.id, user.id, Role(role), by=self.by))

    async def signed_in(self, email: str = "ada@example.com", password: str = PASSWORD, **options):
        """Return whose session a new sign-in opens, and its token."""
        opened = await self.people.signing_in.with_password(email, password, **options)
        return await self.people.sessions.find(opened.token), opened.token

    async def letters(self) -> list[tuple[str, str, str]]:
        """Return to whom letters were written, their subjects, and the tokens of the links in them."""
        await self.people.password_resets.settle()
        async with self.store.read() as tx:
            mails = (await tx.mails.page(state=None, page=Page(limit=100))).items
        written = [self.mailing.opened(each) for each in sorted(mails, key=lambda each: each.created_at)]
        return [(to, letter.subject, "".join(re.findall(r"\?token=(\S+)", letter.text))) for to, letter in written]

    async def actions(self) -> list[str]:
        """Return what the audit log says was done."""
        async with self.store.read() as tx:
            return [each.action for each in await tx.audit.after(0, 100)]


@pytest.fixture(params=["sqlite"])
def engine(request: pytest.FixtureRequest) -> str:
    """The engine that a test runs on: rules are tried on one, and what the engines decide on ``both``."""
    return request.param


@pytest.fixture(scope="session")
def vault() -> Vault:
    return Vault(bytes(range(32)))


@pytest.fixture
def world(store, vault) -> Iterator[World]:
    clock = FakeClock()
    ids = Ids(clock)
    settings = EmailSettings(host="127.0.0.1", port=9, security="none", sender="pay@example.com")
    mailing = Mailing(store, {"mailto": MailNotifier(Server(settings), settings)}, vault, ids, clock, lambda: None)
    people = compose_people(store, clock, ids, vault, BASE_URL, Recorder(clock, vault), mailing)
    yield World(store, clock, ids, vault, people, mailing)
    people.passwords.close()
