"""Sign-ins, links that were sent, and what was tried in vain."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pepay_core.domain.people import Errand, Level, MailedLink, Session
from pepay_core.services.people.ports import Tries
from pepay_core.storage.repositories.rows import Repository
from pepay_core.storage.tables import LetterRow, SessionRow, TryRow

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.domain.ids import SessionId, UserId


class SessionRepository(Repository):
    """Sign-ins. What changes one is an UPDATE, which finds no row once it was deleted."""

    async def add(self, session: Session) -> None:
        await self._insert(SessionRow, _session_row(session))

    async def find(self, digest: str) -> Session | None:
        row = await self._find(SessionRow, digest)
        return _session(row) if row else None

    async def of(self, user: UserId) -> list[Session]:
        return [_session(row) for row in await self._select(SessionRow, SessionRow.user_id == user, order=[SessionRow.id])]

    async def touch(self, digest: str, at: datetime) -> bool:
        return await self._update(SessionRow, {"seen_at": at}, SessionRow.digest == digest)

    async def remove(self, digest: str) -> bool:
        return bool(await self._raw("DELETE FROM pepay_session WHERE digest = {} RETURNING id", digest))

    async def remove_one(self, user: UserId, session: SessionId) -> bool:
        return bool(await self._raw("DELETE FROM pepay_session WHERE user_id = {} AND id = {} RETURNING id", user, session))

    async def remove_all(self, user: UserId) -> int:
        return len(await self._raw("DELETE FROM pepay_session WHERE user_id = {} RETURNING id", user))

    async def set_challenge(self, digest: str, challenge: bytes, until: datetime) -> bool:
        return await self._update(SessionRow, {"challenge": challenge, "challenge_until": until}, SessionRow.digest == digest)

    async def take_challenge(self, digest: str, now: datetime) -> bytes | None:
        row = await self._find(SessionRow, digest, lock=True)
        if row is None or row["challenge"] is None:
            return None
        await self._update(SessionRow, {"challenge": None, "challenge_until": None}, SessionRow.digest == digest)
        return bytes(row["challenge"]) if row["challenge_until"] > now else None

    async def sweep(self, now: datetime) -> None:
        await self._raw("DELETE FROM pepay_session WHERE expires_at <= {}", now)


class LetterRepository(Repository):
    """Links that were sent to users."""

    async def add(self, letter: MailedLink) -> None:
        await self._raw("DELETE FROM pepay_letter WHERE user_id = {} AND errand = {}", letter.user, letter.errand.value)
        await self._insert(LetterRow, _letter_row(letter))

    async def find(self, digest: str, errand: Errand) -> MailedLink | None:
        row = await self._find(LetterRow, digest, LetterRow.errand == errand.value)
        return _letter(row) if row else None

    async def take(self, digest: str, errand: Errand) -> MailedLink | None:
        row = await self._find(LetterRow, digest, LetterRow.errand == errand.value, lock=True)
        if row is None or not await self._raw("DELETE FROM pepay_letter WHERE digest = {} RETURNING digest", digest):
            return None
        return _letter(row)

    async def remove_all(self, user: UserId) -> None:
        await self._raw("DELETE FROM pepay_letter WHERE user_id = {}", user)

    async def sweep(self, now: datetime) -> None:
        await self._raw("DELETE FROM pepay_letter WHERE expires_at <= {}", now)


class AttemptRepository(Repository):
    """What was tried in vain, by name."""

    async def hold(self, name: str, now: datetime) -> Tries:
        while True:
            await self._insert_new(TryRow, {"name": name, "failures": 0, "tried_at": now, "not_before": now})
            row = await self._find(TryRow, name, lock=True)
            if row is not None:
                return Tries(**row)
            # Forgotten between the two statements: begin anew.

    async def save(self, tries: Tries) -> None:
        values = {"failures": tries.failures, "tried_at": tries.tried_at, "not_before": tries.not_before}
        await self._update(TryRow, values, TryRow.name == tries.name)

    async def forget(self, name: str) -> None:
        await self._raw("DELETE FROM pepay_try WHERE name = {}", name)

    async def sweep(self, before: datetime) -> None:
        await self._raw("DELETE FROM pepay_try WHERE tried_at < {}", before)


def _session_row(session: Session) -> dict[str, Any]:
    return {
        "digest": session.digest,
        "id": session.id,
        "user_id": session.user,
        "epoch": session.epoch,
        "level": session.level.value,
        "created_at": session.created_at,
        "seen_at": session.seen_at,
        "expires_at": session.expires_at,
        "authenticated_at": session.authenticated_at,
        "address": session.address,
        "agent": session.agent,
        "challenge": session.challenge,
        "challenge_until": session.challenge_until,
    }


def _session(row: dict[str, Any]) -> Session:
    fields = {name: value for name, value in row.items() if name not in {"user_id", "level"}}
    return Session(**fields, user=row["user_id"], level=Level(row["level"]))


def _letter_row(letter: MailedLink) -> dict[str, Any]:
    return {
        "digest": letter.digest,
        "user_id": letter.user,
        "errand": letter.errand.value,
        "created_at": letter.created_at,
        "expires_at": letter.expires_at,
        "email": letter.email,
        "email_digest": letter.email_digest,
    }


def _letter(row: dict[str, Any]) -> MailedLink:
    return MailedLink(row["digest"], row["user_id"], Errand(row["errand"]), row["created_at"], row["expires_at"], row["email"], row["email_digest"])
