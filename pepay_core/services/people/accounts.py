"""Users: made, found, suspended, and their passwords."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.audit import Actor, ActorKind
from pepay_core.domain.errors import Conflict, InvalidInput, SignInFailed
from pepay_core.domain.ids import UserId
from pepay_core.domain.people import User
from pepay_core.passwords import LONGEST, check_form
from pepay_core.services.paging import Slice
from pepay_core.services.people.addressing import Emails, canonical
from pepay_core.services.people.slowing import ACCOUNT, Subject
from pepay_core.services.presenting import seconds

if TYPE_CHECKING:
    from pepay_core.contracts.context import Clock
    from pepay_core.passwords import Passwords
    from pepay_core.secrets import Vault
    from pepay_core.services.minting import Ids
    from pepay_core.services.paging import Page
    from pepay_core.services.people.slowing import Slowing
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.recording import Recorder

PURPOSE: Final = "user-password"
_NOBODY: Final = UserId("usr_nobody")
_MAX_NAME: Final = 100
_WORDS: Final = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A password that was hashed, which takes its time and is done before a transaction begins."""

    encoded: str = field(repr=False)


class Accounts:
    """Keeps users. What needs a transaction is given one; what hashes a password is not, because it takes its time."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, vault: Vault, passwords: Passwords, slowing: Slowing, recorder: Recorder) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._vault = vault
        self._passwords = passwords
        self._slowing = slowing
        self.recorder = recorder
        self.emails = Emails(vault)
        self._decoy: bytes | None = None

    async def prepare(self, password: str, field: str = "password") -> NewPassword:
        """Check the form of a password and hash it; raises InvalidInput."""
        check_form(password, field)
        return NewPassword(await self._passwords.hash(password))

    async def create(
        self, tx: Transaction, email: str, password: NewPassword, *, name: str = "", is_admin: bool = False, by: Actor | None = None
    ) -> User:
        """Store a new user; raises InvalidInput, or Conflict when somebody has the address already. By themselves, where nobody else is named."""
        address, user = canonical(email), self._ids.user()
        made = User(
            id=user,
            name=_name(name),
            email=self.emails.seal(user, address),
            email_digest=self.emails.digest(address),
            password=self.sealed(user, password),
            created_at=self._clock.now(),
            is_admin=is_admin,
        )
        await tx.users.add(made)
        await self.recorder.note(tx, by or as_user(made), "user.created", made.id, {"is_admin": is_admin})
        return made

    async def by_email(self, email: str) -> User | None:
        """Return who has an address."""
        async with self._store.read() as tx:
            return await tx.users.by_email(self.emails.digest(email))

    def email_of(self, user: User) -> str:
        """Return a user's address."""
        return self.emails.open(user.id, user.email)

    def name_of(self, user: User) -> str:
        """Return what a user is called: who gave no name, by the beginning of their address, which is stored sealed and nowhere else."""
        return user.name or self.email_of(user).partition("@")[0]

    async def has_password(self, user: User | None, password: str) -> tuple[bool, bytes | None]:
        """Tell whether a password is a user's, at the same cost whether there is such a user or not.

        The second value is the same password hashed anew, where today's parameters are stronger than those of its hash.
        """
        sealed = await self._decoy_password() if user is None else user.password
        owner = _NOBODY if user is None else user.id
        encoded = self._vault.open(PURPOSE, owner, sealed).decode()
        checked = await self._passwords.check(encoded, password[: LONGEST + 1])
        if user is None or not checked.right:
            return False, None
        if not checked.stale:
            return True, None
        return True, self.sealed(user.id, NewPassword(await self._passwords.hash(password)))

    async def insist_on_password(self, user: User, password: str) -> None:
        """Raise SignInFailed unless this is a user's password; tries are counted as at the door."""
        account = Subject(ACCOUNT, user.email_digest)
        await self._slowing.take(account)
        right, _ = await self.has_password(user, password)
        if not right:
            raise SignInFailed
        await self._store.run(lambda tx: self._slowing.forget(tx, account))

    @staticmethod
    async def unchanged(tx: Transaction, user: User) -> User:
        """Return a user as they are in this transaction, where nobody else changes them.

        Raises SignInFailed where their ways of signing in were changed, or they were suspended, since they were read.
        """
        present = await tx.users.get(user.id, lock=True)
        if present.epoch != user.epoch or present.suspended_at is not None:
            raise SignInFailed
        return present

    def sealed(self, user: UserId, password: NewPassword) -> bytes:
        """Return a password's hash sealed for its user's row: without the master key, nobody can even begin to guess."""
        return self._vault.seal(PURPOSE, user, password.encoded.encode())

    async def set_password(self, tx: Transaction, user: UserId, password: NewPassword, *, by: Actor | None = None) -> User:
        """Give a user another password, and end every session and every link that they have."""
        found = await tx.users.get(user, lock=True)
        return await self.renew(tx, replace(found, password=self.sealed(user, password)), "user.password_changed", by=by)

    async def renew(self, tx: Transaction, user: User, action: str, *, by: Actor | None = None) -> User:
        """Store a user whose ways of signing in have changed: every session and every link of theirs ends."""
        renewed = replace(user, epoch=user.epoch + 1)
        await tx.users.save(renewed)
        await tx.sessions.remove_all(user.id)
        await tx.letters.remove_all(user.id)
        await self.recorder.note(tx, by or as_user(user), action, user.id)
        return renewed

    async def suspend(self, user: str, *, by: Actor) -> User:
        """Keep a user out from the next request on; raises NotFound, or Conflict for the last admin of the platform."""

        async def work(tx: Transaction) -> User:
            await self._insist_on_another_admin(tx, UserId(user))
            found = await tx.users.get(UserId(user), lock=True)
            if found.suspended_at is not None:
                return found
            return await self.renew(tx, replace(found, suspended_at=self._clock.now()), "user.suspended", by=by)

        return await self._store.run(work)

    async def resume(self, user: str, *, by: Actor) -> User:
        """Let a suspended user sign in again; raises NotFound."""

        async def work(tx: Transaction) -> User:
            found = await tx.users.get(UserId(user), lock=True)
            if found.suspended_at is None:
                return found
            return await self.renew(tx, replace(found, suspended_at=None), "user.resumed", by=by)

        return await self._store.run(work)

    async def set_admin(self, user: str, *, is_admin: bool, by: Actor) -> User:
        """Make a user an admin of the platform, or no more; raises NotFound, or Conflict for the last one."""

        async def work(tx: Transaction) -> User:
            if not is_admin:
                await self._insist_on_another_admin(tx, UserId(user))
            found = await tx.users.get(UserId(user), lock=True)
            if found.is_admin is is_admin:
                return found
            return await self.renew(tx, replace(found, is_admin=is_admin), "user.made_admin" if is_admin else "user.no_more_admin", by=by)

        return await self._store.run(work)

    async def rename(self, user: UserId, name: str) -> User:
        """Change what a user is called; raises InvalidInput."""
        text = _name(name)
        if not text:
            raise InvalidInput("must not be empty", field="name")

        async def work(tx: Transaction) -> User:
            found = replace(await tx.users.get(user, lock=True), name=text)
            await tx.users.save(found)
            return found

        return await self._store.run(work)

    async def page(self, page: Page) -> Slice[dict[str, Any]]:
        """Return users, newest first: for the platform's admins."""
        async with self._store.read() as tx:
            found = await tx.users.page(page)
        return Slice(tuple(self.view(each) for each in found.items), found.has_more)

    def view(self, user: User) -> dict[str, Any]:
        """Return a user as they and the platform's admins see them."""
        return {
            "object": "user",
            "id": user.id,
            "name": self.name_of(user),
            "email": self.email_of(user),
            "is_admin": user.is_admin,
            "has_one_time_codes": user.totp_since is not None,
            "created_at": seconds(user.created_at),
            "suspended_at": seconds(user.suspended_at),
        }

    async def _insist_on_another_admin(self, tx: Transaction, user: UserId) -> None:
        admins = [each.id for each in await tx.users.admins()]
        if admins == [user]:
            raise Conflict("this is the last admin of the platform: make another one first")

    async def _decoy_password(self) -> bytes:
        if self._decoy is None:
            encoded = await self._passwords.hash(secrets.token_urlsafe(32))
            self._decoy = self._vault.seal(PURPOSE, _NOBODY, encoded.encode())
        return self._decoy


def as_user(user: User) -> Actor:
    """Return a user as who acts, where it is for no merchant."""
    return Actor(ActorKind.USER, user.id)


def generate_password() -> str:
    """Return a password that a person can type from a screen: 20 characters of 31, some 99 bits."""
    return "-".join("".join(secrets.choice(_WORDS) for _ in range(5)) for _ in range(4))


def _name(name: str) -> str:
    text = " ".join(name.split())
    if len(text) > _MAX_NAME or not text.isprintable():
        raise InvalidInput(f"must have at most {_MAX_NAME} characters, all of which can be shown", field="name")
    return text
