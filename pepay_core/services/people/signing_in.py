"""Signing in: a password, then the second factor where there is one, then a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.domain.errors import SignInFailed
from pepay_core.domain.people import Level
from pepay_core.passwords import LONGEST
from pepay_core.services.people.sessions import Opened, SignedIn, digest_of
from pepay_core.services.people.slowing import ACCOUNT, Subject, from_address

if TYPE_CHECKING:
    from pepay_core.domain.people import User
    from pepay_core.services.people.accounts import Accounts, NewPassword
    from pepay_core.services.people.sessions import Sessions
    from pepay_core.services.people.slowing import Slowing
    from pepay_core.services.ports import Store, Transaction


class SigningIn:
    """Lets users in. Whatever does not match is one error, SignInFailed, after the same work."""

    def __init__(self, store: Store, accounts: Accounts, sessions: Sessions, slowing: Slowing) -> None:
        self._store = store
        self._accounts = accounts
        self._sessions = sessions
        self._slowing = slowing

    async def with_password(
        self, email: str, password: str, *, address: str | None = None, agent: str | None = None, instead_of: str | None = None
    ) -> Opened:
        """Return a new session: a pending one where a second factor is owed.

        ``instead_of`` is the token of a session that the browser has brought: it ends, and its token is never used again.
        Raises SignInFailed, or RateLimited while guessing goes on.
        """
        account, household = Subject(ACCOUNT, self._accounts.emails.digest(email)), from_address(address)
        await self._slowing.take(account, *household)
        user = await self._accounts.by_email(email)
        right, rehashed = await self._accounts.has_password(user, password[: LONGEST + 1])
        if user is None or not right or user.suspended_at is not None:
            raise SignInFailed
        found = user

        async def work(tx: Transaction) -> Opened:
            present = await self._present(tx, found)
            if rehashed is not None:
                await tx.users.rehash(found.id, found.password, rehashed)
            await self._slowing.forget(tx, account)
            await self._slowing.take_back(tx, *household)
            if instead_of:
                await tx.sessions.remove(digest_of(instead_of))
            level = Level.PENDING if await has_second_factor(tx, present) else Level.FULL
            return await self._sessions.open(tx, present, level=level, address=address, agent=agent)

        return await self._store.run(work)

    async def again_with_password(self, signed_in: SignedIn, password: str) -> Opened:
        """Return the session under a new token and fresh, for a user who shows their password once more.

        Where the user has a second factor, the new session owes it again. Raises SignInFailed, RateLimited.
        """
        await self.insist_on_password(signed_in.user, password)

        async def work(tx: Transaction) -> Opened:
            user = await self._present(tx, signed_in.user)
            level = Level.PENDING if await has_second_factor(tx, user) else Level.FULL
            return await self._sessions.rotate(tx, signed_in.session, user, level=level)

        return await self._store.run(work)

    async def change_password(self, signed_in: SignedIn, old: str, new: str) -> Opened:
        """Give a user another password: every session ends, and a new one begins in place of this one.

        Raises SignInFailed for a wrong old one, InvalidInput, RateLimited.
        """
        prepared = await self._accounts.prepare(new, "new_password")
        await self.insist_on_password(signed_in.user, old)
        return await self._store.run(lambda tx: self._change(tx, signed_in, prepared))

    async def insist_on_password(self, user: User, password: str) -> None:
        """Raise SignInFailed unless this is a user's password; tries are counted as at the door."""
        account = Subject(ACCOUNT, user.email_digest)
        await self._slowing.take(account)
        right, _ = await self._accounts.has_password(user, password[: LONGEST + 1])
        if not right:
            raise SignInFailed
        await self._store.run(lambda tx: self._slowing.forget(tx, account))

    async def _change(self, tx: Transaction, signed_in: SignedIn, prepared: NewPassword) -> Opened:
        await self._present(tx, signed_in.user)
        user = await self._accounts.set_password(tx, signed_in.user.id, prepared)
        session = signed_in.session
        return await self._sessions.open(tx, user, level=session.level, address=session.address, agent=session.agent, until=session.expires_at)

    async def _present(self, tx: Transaction, user: User) -> User:
        """Return the user as they are in this transaction; raises SignInFailed where their password was changed or they were suspended meanwhile."""
        present = await tx.users.get(user.id, lock=True)
        if present.epoch != user.epoch or present.suspended_at is not None:
            raise SignInFailed
        return present


async def has_second_factor(tx: Transaction, user: User) -> bool:
    """Tell whether a password is not enough for a user."""
    return user.totp_since is not None or bool(await tx.passkeys.of(user.id))
