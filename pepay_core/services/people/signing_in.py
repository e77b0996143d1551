"""Signing in: a password and then the second factor where there is one, or a passkey alone; then a session.

A passkey is two things at once, because its device asks its user who they are before it answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pepay_core.domain.errors import Conflict, PasskeyUnknown, SignInFailed
from pepay_core.domain.people import Level
from pepay_core.services.people.passkeys import check_answer
from pepay_core.services.people.second_factors import has_second_factor
from pepay_core.services.people.sessions import Opened, SignedIn, digest_of
from pepay_core.services.people.slowing import ACCOUNT, Subject, from_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.people import User
    from pepay_core.relying import RelyingParty
    from pepay_core.services.people.accounts import Accounts
    from pepay_core.services.people.challenges import Challenges
    from pepay_core.services.people.second_factors import SecondFactors
    from pepay_core.services.people.sessions import Sessions
    from pepay_core.services.people.slowing import Slowing
    from pepay_core.services.ports import Store, Transaction


class SigningIn:
    """Lets users in. Whatever does not match is one error, SignInFailed, after the same work."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        party: RelyingParty,
        accounts: Accounts,
        sessions: Sessions,
        second_factors: SecondFactors,
        slowing: Slowing,
        challenges: Challenges,
    ) -> None:
        self._store = store
        self._clock = clock
        self._party = party
        self._accounts = accounts
        self._sessions = sessions
        self._second_factors = second_factors
        self._slowing = slowing
        self._challenges = challenges

    async def with_password(
        self, email: str, password: str, *, address: str | None = None, agent: str | None = None, instead_of: str | None = None
    ) -> Opened:
        """Return a new session: a pending one where a second factor is owed.

        ``instead_of`` is the token of a session that the browser has brought: it ends, and its token is never used again.
        Raises SignInFailed, or RateLimited while guessing goes on.
        """
        account = Subject(ACCOUNT, self._accounts.emails.digest(email))
        await self._slowing.take(account, *from_address(address))
        user = await self._accounts.by_email(email)
        right, rehashed = await self._accounts.has_password(user, password)
        if user is None or not right or user.suspended_at is not None:
            raise SignInFailed
        found = user

        async def work(tx: Transaction) -> Opened:
            present = await self._accounts.unchanged(tx, found)
            if rehashed is not None:
                await tx.users.rehash(found.id, found.password, rehashed)
            await self._slowing.forget(tx, account)
            level = Level.PENDING if await has_second_factor(tx, present) else Level.FULL
            return await self._admit(tx, present, level, address, agent, instead_of)

        return await self._store.run(work)

    async def with_second_factor(self, signed_in: SignedIn, *, code: str | None = None, passkey: Mapping[str, Any] | None = None) -> Opened:
        """Return a full session in place of a pending one: for a one-time code, a recovery code, or the answer of a passkey.

        Raises SignInFailed, or RateLimited while guessing goes on.
        """
        if signed_in.is_full:
            raise Conflict("this session owes no second factor")
        proof = await self._second_factors.proof(signed_in, code=code, passkey=passkey)

        async def work(tx: Transaction) -> Opened:
            user = await self._second_factors.check(tx, await self._accounts.unchanged(tx, signed_in.user), proof)
            return await self._sessions.rotate(tx, signed_in.session, user, level=Level.FULL)

        return await self._store.run(work)

    def begin_with_passkey(self) -> dict[str, Any]:
        """Return what the browser is to ask for a passkey of whoever is at the door; raises Conflict where browsers have none for this server."""
        self._party.insist_on_able()
        return self._party.request(self._challenges.at_the_door(), [])

    async def with_passkey(
        self, answer: Mapping[str, Any], *, address: str | None = None, agent: str | None = None, instead_of: str | None = None
    ) -> Opened:
        """Return a new, full session of the user whose passkey has answered; ``instead_of`` as for a password.

        Raises PasskeyUnknown, SignInFailed, or RateLimited for an address that has tried too much in vain.
        """
        await self._slowing.take(*from_address(address))
        challenge, credential = self._party.challenge_of(answer), self._party.credential_of(answer)
        await self._challenges.spend(challenge)
        async with self._store.read() as tx:
            owner = await tx.passkeys.owner(credential)
            user = None if owner is None else await tx.users.find(owner)
        if user is None:
            raise PasskeyUnknown
        found = user

        async def work(tx: Transaction) -> Opened:
            present = await self._accounts.unchanged(tx, found)
            await check_answer(tx, self._party, self._clock.now(), present, answer, challenge)
            return await self._admit(tx, present, Level.FULL, address, agent, instead_of)

        return await self._store.run(work)

    async def _admit(self, tx: Transaction, user: User, level: Level, address: str | None, agent: str | None, instead_of: str | None) -> Opened:
        """Open a session for somebody who has shown who they are: their try was none in vain, and what the browser brought ends."""
        await self._slowing.take_back(tx, *from_address(address))
        if instead_of:
            await tx.sessions.remove(digest_of(instead_of))
        return await self._sessions.open(tx, user, level=level, address=address, agent=agent)

    async def step_up(
        self, signed_in: SignedIn, password: str | None = None, *, code: str | None = None, passkey: Mapping[str, Any] | None = None
    ) -> Opened:
        """Return the session under a new token and fresh, for a user who shows again who they are: by all that signing in asks of them.

        That is the password, and a second factor where there is one; or a passkey alone.
        Raises SignInFailed, or RateLimited while guessing goes on.
        """
        signed_in.insist_on_full()
        if password is not None or passkey is None:
            await self._accounts.insist_on_password(signed_in.user, password or "")
        async with self._store.read() as tx:
            owes = passkey is not None or await has_second_factor(tx, signed_in.user)
        proof = await self._second_factors.proof(signed_in, code=code, passkey=passkey) if owes else None

        async def work(tx: Transaction) -> Opened:
            user = await self._accounts.unchanged(tx, signed_in.user)
            if proof is not None:
                user = await self._second_factors.check(tx, user, proof)
            return await self._sessions.rotate(tx, signed_in.session, user, level=Level.FULL)

        return await self._store.run(work)

    async def change_password(self, signed_in: SignedIn, old: str, new: str) -> Opened:
        """Give a user another password: every session ends, and a new one begins in place of this one.

        Raises SignInFailed for a wrong old one, InvalidInput, RateLimited.
        """
        signed_in.insist_on_full()
        await self._accounts.insist_on_password(signed_in.user, old)
        prepared = await self._accounts.prepare(new, "new_password")

        async def work(tx: Transaction) -> Opened:
            await self._accounts.unchanged(tx, signed_in.user)
            await self._sessions.end(tx, signed_in.session)
            user = await self._accounts.set_password(tx, signed_in.user.id, prepared)
            return await self._sessions.follow(tx, signed_in.session, user, level=Level.FULL)

        return await self._store.run(work)
