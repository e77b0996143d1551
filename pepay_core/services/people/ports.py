"""What the services of people need of storage.

Whatever works once is used up by one statement that tells whether it was still there: of many who try at once, one succeeds.
"""

# ruff: noqa: D102 - the names of a repository's methods say it

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pepay_core.domain.ids import InvitationId, MerchantId, PasskeyId, SessionId, UserId
    from pepay_core.domain.people import Errand, Invitation, Letter, Member, Passkey, Session, User
    from pepay_core.domain.roles import Role
    from pepay_core.services.paging import Page, Slice


@dataclass(frozen=True, slots=True)
class Tries:
    """How often something was tried in vain, when last, and until when it is not tried again."""

    name: str
    failures: int
    tried_at: datetime
    not_before: datetime


class Users(Protocol):
    """Those who sign in."""

    async def add(self, user: User) -> None:
        """Store it; raises Conflict when somebody has the address already."""
        ...

    async def get(self, user: UserId, *, lock: bool = False) -> User: ...
    async def find(self, user: UserId) -> User | None: ...
    async def by_email(self, digest: str, *, lock: bool = False) -> User | None: ...
    async def page(self, page: Page) -> Slice[User]:
        """Return users, newest first."""
        ...

    async def save(self, user: User) -> None:
        """Store a user that was read with ``lock`` in this transaction; raises Conflict when somebody else has the address."""
        ...

    async def admins(self) -> list[User]:
        """Return the platform's admins that are not suspended; none of them changes before the transaction ends."""
        ...

    async def rehash(self, user: UserId, old: bytes, new: bytes) -> None:
        """Store the same password hashed anew, unless it was changed meanwhile."""
        ...

    async def use_step(self, user: UserId, step: int) -> bool:
        """Use up a time step of the one-time codes; False when it, or a later one, was used already."""
        ...


class Members(Protocol):
    """Who is what to which merchant."""

    async def add(self, member: Member) -> None:
        """Store it; raises Conflict when the user is a member already."""
        ...

    async def get(self, merchant: MerchantId, user: UserId, *, lock: bool = False) -> Member: ...
    async def find(self, merchant: MerchantId, user: UserId) -> Member | None: ...
    async def of(self, merchant: MerchantId) -> list[Member]: ...
    async def of_user(self, user: UserId) -> list[Member]: ...
    async def owners(self, merchant: MerchantId) -> list[Member]:
        """Return the owners; none of them changes before the transaction ends."""
        ...

    async def set_role(self, merchant: MerchantId, user: UserId, role: Role) -> None: ...
    async def remove(self, merchant: MerchantId, user: UserId) -> None: ...


class Sessions(Protocol):
    """Sign-ins. Nothing but :meth:`add` makes a row, so a session that was deleted stays deleted."""

    async def add(self, session: Session) -> None: ...
    async def find(self, digest: str) -> Session | None: ...
    async def of(self, user: UserId) -> list[Session]: ...
    async def touch(self, digest: str, at: datetime) -> bool: ...
    async def remove(self, digest: str) -> bool: ...
    async def remove_one(self, user: UserId, session: SessionId) -> bool: ...
    async def remove_all(self, user: UserId) -> int: ...
    async def set_challenge(self, digest: str, challenge: bytes, until: datetime) -> bool: ...
    async def take_challenge(self, digest: str, now: datetime) -> bytes | None:
        """Use up what a passkey was to sign."""
        ...

    async def sweep(self, now: datetime) -> None:
        """Forget those that have expired."""
        ...


class Passkeys(Protocol):
    """Public halves of users' key pairs."""

    async def add(self, passkey: Passkey) -> None:
        """Store it; raises Conflict when it is registered already."""
        ...

    async def of(self, user: UserId) -> list[Passkey]: ...
    async def used(self, passkey: Passkey, signatures: int, at: datetime) -> bool:
        """Note a use, unless another one was noted since the passkey was read."""
        ...

    async def remove(self, user: UserId, passkey: PasskeyId) -> bool: ...
    async def remove_all(self, user: UserId) -> None: ...


class RecoveryCodes(Protocol):
    """Codes that sign in once each."""

    async def replace(self, user: UserId, digests: Sequence[str]) -> None: ...
    async def use(self, user: UserId, digest: str) -> bool: ...
    async def left(self, user: UserId) -> int: ...


class Invitations(Protocol):
    """Rights to register."""

    async def add(self, invitation: Invitation) -> None: ...
    async def by_digest(self, digest: str) -> Invitation | None: ...
    async def take(self, digest: str) -> Invitation | None:
        """Use one up; None when it was used or withdrawn already."""
        ...

    async def of(self, merchant: MerchantId) -> list[Invitation]: ...
    async def of_platform(self) -> list[Invitation]:
        """Return those that lead to no merchant."""
        ...

    async def remove(self, merchant: MerchantId | None, invitation: InvitationId) -> bool: ...
    async def sweep(self, now: datetime) -> None: ...


class Letters(Protocol):
    """Links that were sent to users."""

    async def add(self, letter: Letter) -> None:
        """Store it in place of the user's earlier ones for the same errand."""
        ...

    async def find(self, digest: str, errand: Errand) -> Letter | None: ...
    async def take(self, digest: str, errand: Errand) -> Letter | None:
        """Use one up; None when it was used already."""
        ...

    async def remove_all(self, user: UserId) -> None: ...
    async def sweep(self, now: datetime) -> None: ...


class Attempts(Protocol):
    """What was tried in vain."""

    async def hold(self, name: str, now: datetime) -> Tries:
        """Return what is known of a name; nobody else changes it before the transaction ends."""
        ...

    async def save(self, tries: Tries) -> None: ...
    async def forget(self, name: str) -> None: ...
    async def sweep(self, before: datetime) -> None:
        """Forget what was last tried before a moment."""
        ...
