"""Sessions: a random token in the browser, its digest in the database, and every rule by which one ends.

A session ends after 30 minutes without a request, 12 hours after it began, when it is revoked, and when its user's epoch moves on.
Nothing but :meth:`Sessions.open` makes one: a request that is still in flight when its session is deleted cannot bring it back.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.errors import Forbidden, NotFound, Unauthenticated
from pepay_core.domain.ids import SessionId
from pepay_core.domain.people import Level, Session
from pepay_core.services.presenting import seconds

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.people import User
    from pepay_core.services.minting import Ids
    from pepay_core.services.ports import Store, Transaction

IDLE: Final = timedelta(minutes=30)
ABSOLUTE: Final = timedelta(hours=12)
PENDING: Final = timedelta(minutes=10)
"""How long somebody may take over the second factor."""

FRESH: Final = timedelta(minutes=5)
"""For how long a sign-in is fresh enough for what asks for another one."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_TOUCH_EVERY: Final = timedelta(minutes=1)
_SWEEP_EVERY: Final = timedelta(minutes=10)
_MAX_AGENT: Final = 200


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whose session a token opens."""

    session: Session
    user: User

    @property
    def is_full(self) -> bool:
        """Whether nothing is owed any more; a session that is not full may do nothing but pay the second factor."""
        return self.session.level is Level.FULL

    def insist_on_full(self) -> None:
        """Raise Forbidden while the second factor is owed."""
        if not self.is_full:
            raise Forbidden("show your second factor first")

    def is_fresh(self, now: datetime) -> bool:
        """Tell whether its user has shown who they are within the last minutes."""
        return self.is_full and now - self.session.authenticated_at <= FRESH


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session and its token, which goes to the browser and is stored nowhere."""

    session: Session
    user: User
    token: str = field(repr=False)


def digest_of(token: str) -> str:
    """Return what is stored of a random token."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """Return 256 random bits as 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


class Sessions:
    """Opens, finds and ends sessions."""

    def __init__(self, store: Store, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._swept: datetime | None = None

    async def open(
        self, tx: Transaction, user: User, *, level: Level, address: str | None = None, agent: str | None = None, until: datetime | None = None
    ) -> Opened:
        """Make a session of a user who has just shown who they are; it ends after its twelve hours, or earlier where that is said."""
        now, token = self._clock.now(), new_token()
        if self._swept is None or now - self._swept >= _SWEEP_EVERY:
            await tx.sessions.sweep(now)
            self._swept = now
        session = Session(
            id=self._ids.session(),
            digest=digest_of(token),
            user=user.id,
            epoch=user.epoch,
            level=level,
            created_at=now,
            seen_at=now,
            expires_at=until or now + (ABSOLUTE if level is Level.FULL else PENDING),
            authenticated_at=now,
            address=address,
            agent=None if agent is None else _printable(agent),
        )
        await tx.sessions.add(session)
        return Opened(session, user, token)

    async def find(self, token: str) -> SignedIn | None:
        """Return whose session this is, or None; notes at most once a minute that it was seen."""
        if not _TOKEN.fullmatch(token):
            return None
        now = self._clock.now()
        async with self._store.read() as tx:
            session = await tx.sessions.find(digest_of(token))
            user = None if session is None else await tx.users.find(session.user)
        if session is None or user is None or not _is_good(session, user, now):
            return None
        if now - session.seen_at >= _TOUCH_EVERY:
            async with self._store.begin() as tx:
                if not await tx.sessions.touch(session.digest, now):
                    return None
            session = replace(session, seen_at=now)
        return SignedIn(session, user)

    async def rotate(self, tx: Transaction, session: Session, user: User, *, level: Level) -> Opened:
        """Put a session under a new token, and end the old one; its twelve hours go on, except where its level changes.

        Raises Unauthenticated where the old one has ended meanwhile: whoever ended it wins.
        """
        await self.end(tx, session)
        return await self.follow(tx, session, user, level=level)

    @staticmethod
    async def end(tx: Transaction, session: Session) -> None:
        """End a session that another one is to follow; raises Unauthenticated where it has ended already."""
        if not await tx.sessions.remove(session.digest):
            raise Unauthenticated("this session has ended: sign in again")

    async def follow(self, tx: Transaction, session: Session, user: User, *, level: Level) -> Opened:
        """Make the session that follows one that was ended in this transaction."""
        until = session.expires_at if session.level is level else None
        return await self.open(tx, user, level=level, address=session.address, agent=session.agent, until=until)

    async def close(self, token: str) -> bool:
        """End a session: sign out; False when there was none."""
        if not _TOKEN.fullmatch(token):
            return False
        return await self._store.run(lambda tx: tx.sessions.remove(digest_of(token)))

    async def list(self, signed_in: SignedIn) -> list[dict[str, Any]]:
        """Return a user's sessions that have not ended, for them to look at."""
        now = self._clock.now()
        async with self._store.read() as tx:
            found = await tx.sessions.of(signed_in.user.id)
        return [_view(each, signed_in.session) for each in found if _is_good(each, signed_in.user, now)]

    async def revoke(self, signed_in: SignedIn, session: str) -> None:
        """End one of a user's own sessions; raises NotFound."""
        if not await self._store.run(lambda tx: tx.sessions.remove_one(signed_in.user.id, SessionId(session))):
            raise NotFound("there is no such session")

    async def revoke_others(self, signed_in: SignedIn) -> int:
        """End all of a user's sessions but this one; return how many those were."""

        async def work(tx: Transaction) -> int:
            others = [each for each in await tx.sessions.of(signed_in.user.id) if each.id != signed_in.session.id]
            return sum([await tx.sessions.remove(each.digest) for each in others])

        return await self._store.run(work)


def _is_good(session: Session, user: User, now: datetime) -> bool:
    return session.expires_at > now and session.seen_at + IDLE > now and session.epoch == user.epoch and user.suspended_at is None


def _printable(agent: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in agent[:_MAX_AGENT])


def _view(session: Session, present: Session) -> dict[str, Any]:
    return {
        "object": "session",
        "id": session.id,
        "is_present": session.id == present.id,
        "level": session.level.value,
        "created_at": seconds(session.created_at),
        "seen_at": seconds(session.seen_at),
        "expires_at": seconds(session.expires_at),
        "address": session.address,
        "agent": session.agent,
    }
