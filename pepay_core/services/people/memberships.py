"""Who is what to which merchant, and as whom a user calls."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pepay_core.domain.audit import Actor, ActorKind
from pepay_core.domain.errors import Conflict, Forbidden, InvalidInput, MerchantSuspended
from pepay_core.domain.ids import MerchantId, UserId
from pepay_core.domain.people import Member
from pepay_core.domain.roles import ROLES, Role, insist_may_change, insist_may_give
from pepay_core.services.callers import Caller
from pepay_core.services.people.accounts import as_user
from pepay_core.services.presenting import seconds

if TYPE_CHECKING:
    from pepay_core.contracts.context import Clock
    from pepay_core.domain.people import User
    from pepay_core.services.people.accounts import Accounts
    from pepay_core.services.ports import Store, Transaction
    from pepay_core.services.recording import Recorder


def role_of(text: str) -> Role:
    """Return a role by its name; raises InvalidInput."""
    try:
        return Role(text)
    except ValueError:
        raise InvalidInput(f"must be one of {', '.join(Role)}", field="role") from None


class Memberships:
    """Joins users and merchants. Roles are read when they are needed, so that a change holds from the next request on."""

    def __init__(self, store: Store, clock: Clock, accounts: Accounts, recorder: Recorder) -> None:
        self._store = store
        self._clock = clock
        self._accounts = accounts
        self._recorder = recorder

    async def caller(self, user: User, merchant: str | None, *, livemode: bool) -> Caller:
        """Return on whose behalf a signed-in user acts; the merchant may be left out by a member of exactly one.

        Raises InvalidInput where it must be named, NotFound where the user is no member, MerchantSuspended.
        """
        async with self._store.read() as tx:
            if merchant is None:
                found = await tx.members.of_user(user.id)
                if len(found) != 1:
                    raise (
                        InvalidInput("say which merchant is meant", field="x-pepay-merchant")
                        if found
                        else Forbidden("you are no member of a merchant")
                    )
                member = found[0]
            else:
                member = await tx.members.get(MerchantId(merchant), user.id)
            if await tx.merchants.is_suspended(member.merchant):
                raise MerchantSuspended
        return Caller(member.merchant, livemode, user.id, ROLES[member.role])

    async def of_user(self, user: User) -> list[dict[str, Any]]:
        """Return the merchants that a user is a member of."""
        async with self._store.read() as tx:
            found = await tx.members.of_user(user.id)
            return [membership(each, (await tx.merchants.get(each.merchant)).name) for each in found]

    async def list(self, caller: Caller) -> list[dict[str, Any]]:
        """Return the members of the caller's merchant."""
        caller.need("members:read")
        async with self._store.read() as tx:
            found = await tx.members.of(caller.merchant)
            return [self._view(each, await tx.users.get(each.user)) for each in found]

    async def add(self, tx: Transaction, merchant: MerchantId, user: UserId, role: Role, *, by: Actor | None = None) -> Member:
        """Store a member: for whoever has decided already that it may be; raises Conflict. By themselves, where nobody else is named."""
        member = Member(merchant, user, role, self._clock.now())
        await tx.members.add(member)
        await self._recorder.note(tx, replace(by or Actor(ActorKind.USER, user), merchant=merchant), "member.added", user, {"role": role.value})
        return member

    async def set_role(self, caller: Caller, user: str, role: str) -> dict[str, Any]:
        """Give a member another role; raises Forbidden, NotFound, or Conflict for the last owner."""
        caller.need("members:write")
        wanted = role_of(role)

        async def work(tx: Transaction) -> dict[str, Any]:
            owners = await tx.members.owners(caller.merchant)
            giver, member = await self.role_of_caller(tx, caller), await tx.members.get(caller.merchant, UserId(user), lock=True)
            insist_may_change(giver, member.role, is_self=caller.name == user)
            insist_may_give(giver, wanted)
            if wanted is not Role.OWNER:
                _insist_on_another_owner(owners, member.user)
            await tx.members.set_role(caller.merchant, member.user, wanted)
            found = await tx.users.get(member.user)
            await self._recorder.note(tx, caller, "member.role_changed", member.user, {"from": member.role.value, "to": wanted.value})
            return self._view(replace(member, role=wanted), found)

        return await self._store.run(work)

    async def remove(self, caller: Caller, user: str) -> None:
        """Remove a member; raises Forbidden, NotFound, or Conflict for the last owner."""
        caller.need("members:write")

        async def work(tx: Transaction) -> None:
            owners = await tx.members.owners(caller.merchant)
            giver, member = await self.role_of_caller(tx, caller), await tx.members.get(caller.merchant, UserId(user), lock=True)
            insist_may_change(giver, member.role, is_self=caller.name == user)
            _insist_on_another_owner(owners, member.user)
            await tx.members.remove(caller.merchant, member.user)
            await self._recorder.note(tx, caller, "member.removed", member.user, {"role": member.role.value})

        await self._store.run(work)

    async def leave(self, user: User, merchant: str) -> None:
        """Let a user go of their own will; raises NotFound, or Conflict for the last owner."""

        async def work(tx: Transaction) -> None:
            owners = await tx.members.owners(MerchantId(merchant))
            _insist_on_another_owner(owners, user.id)
            await tx.members.remove(MerchantId(merchant), user.id)
            await self._recorder.note(tx, replace(as_user(user), merchant=MerchantId(merchant)), "member.left", user.id)

        await self._store.run(work)

    async def role_of_caller(self, tx: Transaction, caller: Caller) -> Role:
        """Return as what somebody changes members: a user by their role at this moment, the command line as an owner.

        Raises Forbidden for a user who is no member any more.
        """
        if not caller.name.startswith("usr_"):
            return Role.OWNER
        member = await tx.members.find(caller.merchant, UserId(caller.name))
        if member is None:
            raise Forbidden("you are no member of this merchant any more")
        return member.role

    def _view(self, member: Member, user: User) -> dict[str, Any]:
        return {
            "object": "member",
            "user": user.id,
            "name": self._accounts.name_of(user),
            "email": self._accounts.email_of(user),
            "role": member.role.value,
            "created_at": seconds(member.created_at),
            "suspended_at": seconds(user.suspended_at),
        }


def _insist_on_another_owner(owners: list[Member], user: UserId) -> None:
    if [each.user for each in owners] == [user]:
        raise Conflict("a merchant keeps at least one owner: make another one first")


def membership(member: Member, name: str) -> dict[str, Any]:
    """Return what a user is to a merchant, as they see it."""
    return {"object": "membership", "merchant": member.merchant, "name": name, "role": member.role.value, "scopes": sorted(ROLES[member.role])}
