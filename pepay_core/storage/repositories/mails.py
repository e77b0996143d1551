"""Letters to people, and the queue of those that are due."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pepay_core.domain.ids import MailId
from pepay_core.domain.mails import Mail, MailState
from pepay_core.storage.repositories.rows import Repository
from pepay_core.storage.tables import MailRow

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.services.paging import Page, Slice

# Rows that another process is claiming are passed over on PostgreSQL.
_CLAIM = """
UPDATE pepay_mail SET next_at = {{}}, attempts = attempts + 1 WHERE id IN (
    SELECT id FROM pepay_mail WHERE state = 'pending' AND next_at <= {{}} AND until > {{}} ORDER BY next_at, id LIMIT {{}} {skip}
) RETURNING id
"""


class MailRepository(Repository):
    """Letters."""

    async def add(self, mail: Mail) -> None:
        await self._insert(MailRow, _mail_row(mail))

    async def find(self, mail: MailId) -> Mail | None:
        row = await self._find(MailRow, mail)
        return _mail(row) if row else None

    async def claim(self, now: datetime, *, limit: int, lease_until: datetime) -> list[Mail]:
        sql = _CLAIM.format(skip="FOR UPDATE SKIP LOCKED" if self._session.postgres else "")
        taken = await self._raw(sql, lease_until, now, now, limit)
        return [_mail(row) for row in await self._of(MailRow, MailRow.id, [row["id"] for row in taken], order=[MailRow.id])]

    async def record(self, mail: Mail) -> bool:
        return await self._update(
            MailRow, _mail_row(mail), MailRow.id == mail.id, MailRow.attempts == mail.attempts, MailRow.state == MailState.PENDING.value
        )

    async def overdue(self, now: datetime, limit: int) -> list[Mail]:
        rows = await self._select(MailRow, MailRow.state == MailState.PENDING.value, MailRow.until <= now, order=[MailRow.id], limit=limit)
        return [_mail(row) for row in rows]

    async def page(self, *, state: MailState | None, page: Page) -> Slice[Mail]:
        where = [] if state is None else [MailRow.state == state.value]
        return await self._page(MailRow, MailRow.id, page, _mail, *where)

    async def numbers(self) -> dict[MailState, int]:
        rows = await self._raw("SELECT state, COUNT(*) AS number FROM pepay_mail GROUP BY state")
        return dict.fromkeys(MailState, 0) | {MailState(row["state"]): row["number"] for row in rows}

    async def forget(self, before: datetime) -> None:
        await self._raw("DELETE FROM pepay_mail WHERE state <> 'pending' AND created_at < {} RETURNING id", before)


def _mail_row(mail: Mail) -> dict[str, Any]:
    return {
        "id": mail.id,
        "kind": mail.kind,
        "language": mail.language,
        "recipient": mail.to,
        "contents": mail.values,
        "created_at": mail.created_at,
        "until": mail.until,
        "next_at": mail.next_at,
        "state": mail.state.value,
        "attempts": mail.attempts,
        "sent_at": mail.sent_at,
        "last_error": mail.last_error,
    }


def _mail(row: dict[str, Any]) -> Mail:
    return Mail(
        id=MailId(row["id"]),
        kind=row["kind"],
        language=row["language"],
        to=row["recipient"],
        values=row["contents"],
        created_at=row["created_at"],
        until=row["until"],
        next_at=row["next_at"],
        state=MailState(row["state"]),
        attempts=row["attempts"],
        sent_at=row["sent_at"],
        last_error=row["last_error"],
    )
