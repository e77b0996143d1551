"""Users for tests of the web: with roles, and with sessions that cost no hashing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from pepay_core.domain.people import Level
from pepay_core.domain.roles import Role
from pepay_core.services.founding import new_merchant
from pepay_core.services.people.accounts import as_user

if TYPE_CHECKING:
    from pepay_core.domain.people import User

PASSWORD = "correct horse battery staple"
OWN = "http://localhost:8000"

_numbers = count(1)
_hashed: list[Any] = []


@dataclass
class Person:
    """Somebody with a session."""

    web: Any
    user: User
    token: str
    merchant: str | None = None

    @property
    def csrf(self) -> str:
        return self.web.app.state.browsers.csrf(self.token)

    @property
    def cookies(self) -> str:
        return f"{self.web.app.state.browsers.session}={self.token}"

    @property
    def headers(self) -> dict[str, str]:
        """What our own pages send."""
        named = {"x-pepay-merchant": self.merchant} if self.merchant else {}
        return {"cookie": self.cookies, "x-csrf-token": self.csrf, "origin": OWN, "sec-fetch-site": "same-origin", **named}

    async def ask(self, method: str, path: str, **options: Any):
        headers = {**self.headers, **options.pop("headers", {})}
        return await self.web.client.request(method, path, headers={name: value for name, value in headers.items() if value is not None}, **options)

    async def again(self, level: Level = Level.FULL) -> Person:
        """Return the same user with another session."""
        return Person(self.web, self.user, await session_of(self.web, self.user, level), self.merchant)


async def new_user(web: Any, *, email: str | None = None, is_admin: bool = False) -> User:
    """Return a new user whose password is PASSWORD."""
    accounts = web.runtime.people.accounts
    if not _hashed:
        _hashed.append(await accounts.prepare(PASSWORD))
    address = email or f"user{next(_numbers)}@example.com"
    return await web.runtime.store.run(lambda tx: accounts.create(tx, address, _hashed[0], is_admin=is_admin))


async def session_of(web: Any, user: User, level: Level = Level.FULL) -> str:
    """Return the token of a new session of a user."""
    opened = await web.runtime.store.run(lambda tx: web.runtime.people.sessions.open(tx, user, level=level, address="127.0.0.1", agent="tests"))
    return opened.token


async def member(web: Any, role: str | None = "owner", *, merchant: str | None = None, level: Level = Level.FULL, is_admin: bool = False) -> Person:
    """Return a signed-in member of a merchant, the first one where none is named; no member where the role is None."""
    user = await new_user(web, is_admin=is_admin)
    where = merchant or web.merchant
    if role is not None:
        await web.runtime.store.run(lambda tx: web.runtime.people.memberships.add(tx, where, user.id, Role(role), by=as_user(user)))
    return Person(web, user, await session_of(web, user, level), where)


async def new_tenant(web: Any, name: str = "Another") -> str:
    """Return the id of another merchant."""
    made = new_merchant(web.runtime.ids, web.clock, name)
    await web.runtime.store.run(lambda tx: tx.merchants.add(made))
    return made.id
