"""Invitations: the only way to register. Each works once, for one address, and for what whoever sent it may still give."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.errors import Conflict, Forbidden, NotFound
from pepay_core.domain.ids import InvitationId, UserId
from pepay_core.domain.people import Invitation, Level
from pepay_core.domain.roles import Role, insist_may_give
from pepay_core.services.idempotency import answer
from pepay_core.services.people.accounts import as_user
from pepay_core.services.people.addressing import canonical
from pepay_core.services.people.memberships import role_of
from pepay_core.services.people.sessions import digest_of, new_token
from pepay_core.services.presenting import seconds
from pepay_core.services.recording import actor_of

if TYPE_CHECKING:
    from pepay_core.contracts.context import Clock
    from pepay_core.domain.audit import Actor
    from pepay_core.domain.ids import MerchantId
    from pepay_core.services.callers import Caller
    from pepay_core.services.minting import Ids
    from pepay_core.services.people.accounts import Accounts
    from pepay_core.services.people.memberships import Memberships
    from pepay_core.services.people.posting import Posting
    from pepay_core.services.people.sessions import Opened, Sessions, SignedIn
    from pepay_core.services.ports import Store, Transaction

VALID: Final = timedelta(days=7)
PATH: Final = "/invitation"
_MOST: Final = 100


class Invitations:
    """Invites, and lets those who were invited in."""

    def __init__(
        self, store: Store, clock: Clock, ids: Ids, accounts: Accounts, memberships: Memberships, sessions: Sessions, posting: Posting
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._accounts = accounts
        self._memberships = memberships
        self._sessions = sessions
        self._posting = posting

    async def invite(self, caller: Caller, email: str, role: str) -> dict[str, Any]:
        """Invite somebody to be a member of the caller's merchant; raises Forbidden for a role above the caller's own, Conflict for a member.

        The answer holds the ``link`` where no plugin sends mail: pass it on yourself.
        """
        caller.need("members:write")
        wanted, address = role_of(role), canonical(email)

        async def work(tx: Transaction) -> dict[str, Any]:
            insist_may_give(await self._memberships.role_of_caller(tx, caller), wanted)
            known = await tx.users.by_email(self._accounts.emails.digest(address))
            if known is not None and await tx.members.find(caller.merchant, known.id) is not None:
                raise Conflict("somebody with this address is a member already")
            return await self.send(tx, actor_of(caller), address, merchant=caller.merchant, role=wanted)

        return await answer(self._store, work)

    async def register(self, by: Actor, email: str, *, is_admin: bool = False) -> dict[str, Any]:
        """Invite somebody to this server alone: for its admins. The answer holds the ``link`` where no plugin sends mail.

        Raises Conflict where the address has an account already, and the invitation would give it nothing.
        """
        address = canonical(email)

        async def work(tx: Transaction) -> dict[str, Any]:
            known = await tx.users.by_email(self._accounts.emails.digest(address))
            if known is not None and known.is_admin >= is_admin:
                raise Conflict("there is a user with this address already")
            return await self.send(tx, by, address, is_admin=is_admin)

        return await answer(self._store, work)

    async def send(
        self, tx: Transaction, by: Actor, email: str, *, merchant: MerchantId | None = None, role: Role | None = None, is_admin: bool = False
    ) -> dict[str, Any]:
        """Store an invitation in place of an earlier one, and have its letter sent: for whoever has decided that it may be."""
        now, token, new, digest = self._clock.now(), new_token(), self._ids.invitation(), self._accounts.emails.digest(email)
        await tx.invitations.sweep(now)
        earlier = await (tx.invitations.of_platform() if merchant is None else tx.invitations.of(merchant))
        for each in earlier:
            if each.email_digest == digest:
                await tx.invitations.remove(merchant, each.id)
        if len(earlier) >= _MOST:
            raise Conflict(f"{_MOST} invitations are open already: withdraw some first")
        made = Invitation(
            id=new,
            digest=digest_of(token),
            email=self._accounts.emails.seal(new, email),
            email_digest=digest,
            created_at=now,
            expires_at=now + VALID,
            invited_by=by.name,
            merchant=merchant,
            role=role,
            is_admin=is_admin,
        )
        await tx.invitations.add(made)
        values: dict[str, object] = {"inviter": await self._inviter(tx, by.name), "role": role or "", "server": self._posting.server}
        if merchant is not None:
            values["merchant"] = (await tx.merchants.get(merchant)).name
        link = await self._posting.post(tx, email, "invitation" if merchant else "registration", PATH, token, values, VALID)
        noted = {"email": email, "role": role and role.value, "is_admin": is_admin}
        await self._accounts.recorder.note(tx, replace(by, merchant=merchant), "invitation.created", new, noted)
        return {**self._view(made), "link": link}

    async def list(self, caller: Caller) -> list[dict[str, Any]]:
        """Return the open invitations of the caller's merchant."""
        caller.need("members:read")
        async with self._store.read() as tx:
            found = await tx.invitations.of(caller.merchant)
        return [self._view(each) for each in found if each.expires_at > self._clock.now()]

    async def withdraw(self, caller: Caller, invitation: str) -> None:
        """Take an invitation of the caller's merchant back; raises NotFound."""
        caller.need("members:write")

        async def work(tx: Transaction) -> None:
            if not await tx.invitations.remove(caller.merchant, InvitationId(invitation)):
                raise NotFound("there is no such invitation")
            await self._accounts.recorder.note(tx, caller, "invitation.withdrawn", invitation)

        await self._store.run(work)

    async def look(self, token: str) -> dict[str, Any]:
        """Return what a link leads to, for the page that it opens; raises NotFound where it was used, withdrawn, or has expired.

        ``is_known`` tells whether the address has an account already: then it is accepted by signing in.
        """
        async with self._store.read() as tx:
            found = await self._good(tx, await tx.invitations.by_digest(digest_of(token)))
            known = await tx.users.by_email(found.email_digest)
            name = None if found.merchant is None else (await tx.merchants.get(found.merchant)).name
        return {**self._view(found), "merchant_name": name, "is_known": known is not None}

    async def accept(self, token: str, password: str, *, name: str = "", address: str | None = None, agent: str | None = None) -> Opened:
        """Register whoever was invited, and sign them in; raises NotFound, InvalidInput, or Conflict where the address has an account."""
        async with self._store.read() as tx:
            await self._good(tx, await tx.invitations.by_digest(digest_of(token)))
        prepared = await self._accounts.prepare(password)

        async def work(tx: Transaction) -> Opened:
            found = await self._good(tx, await tx.invitations.take(digest_of(token)))
            email = self._accounts.emails.open(found.id, found.email)
            user = await self._accounts.create(tx, email, prepared, name=name, is_admin=found.is_admin)
            if found.merchant is not None and found.role is not None:
                await self._memberships.add(tx, found.merchant, user.id, found.role, by=as_user(user))
            return await self._sessions.open(tx, user, level=Level.FULL, address=address, agent=agent)

        return await self._store.run(work)

    async def accept_as(self, signed_in: SignedIn, token: str) -> None:
        """Let a user who is signed in become what they were invited to be; raises NotFound, or Forbidden for another address."""
        signed_in.insist_on_full()

        async def work(tx: Transaction) -> None:
            found = await self._good(tx, await tx.invitations.take(digest_of(token)))
            user = await self._accounts.unchanged(tx, signed_in.user)
            if found.email_digest != user.email_digest:
                raise Forbidden("this invitation is for another address: sign in with that one")
            if found.is_admin and not user.is_admin:
                await self._accounts.renew(tx, replace(user, is_admin=True), "user.made_admin")
            if found.merchant is not None and found.role is not None:
                await self._memberships.add(tx, found.merchant, user.id, found.role, by=as_user(user))

        await self._store.run(work)

    async def _good(self, tx: Transaction, found: Invitation | None) -> Invitation:
        """Return an invitation that holds at this moment: whoever sent it may still give what it gives."""
        if found is None or found.expires_at <= self._clock.now() or not await self._may_still(tx, found):
            raise NotFound("this invitation was used or withdrawn, or has expired: ask for another one")
        return found

    @staticmethod
    async def _may_still(tx: Transaction, found: Invitation) -> bool:
        if not found.invited_by.startswith("usr_"):
            return True
        inviter = await tx.users.find(UserId(found.invited_by))
        if inviter is None or inviter.suspended_at is not None:
            return False
        if found.merchant is None or found.role is None:
            return inviter.is_admin
        member = await tx.members.find(found.merchant, inviter.id)
        if member is None:
            # Who founds a merchant for somebody else is no member of it, and invites its first owner.
            return inviter.is_admin and not await tx.members.of(found.merchant)
        try:
            insist_may_give(member.role, found.role)
        except Forbidden:
            return False
        return True

    async def _inviter(self, tx: Transaction, name: str) -> str:
        user = await tx.users.find(UserId(name)) if name.startswith("usr_") else None
        return "Whoever runs this server" if user is None else self._accounts.name_of(user)

    def _view(self, invitation: Invitation) -> dict[str, Any]:
        return {
            "object": "invitation",
            "id": invitation.id,
            "email": self._accounts.emails.open(invitation.id, invitation.email),
            "merchant": invitation.merchant,
            "role": None if invitation.role is None else invitation.role.value,
            "is_admin": invitation.is_admin,
            "created_at": seconds(invitation.created_at),
            "expires_at": seconds(invitation.expires_at),
        }
