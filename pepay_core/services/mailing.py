"""Letters to people: queued in the transaction of what they tell, sent later by a worker, and visible when they cannot be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pepay_core.contracts.notifier import Delivery
from pepay_core.domain.errors import Conflict, NotFound, Unavailable
from pepay_core.domain.ids import MailId
from pepay_core.domain.jsontext import decode, encode
from pepay_core.domain.mails import Mail, MailState, check_mail_address
from pepay_core.services.paging import Slice
from pepay_core.services.presenting import seconds
from pepay_core.services.wording import LANGUAGE, compose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from pepay_core.contracts.context import Clock
    from pepay_core.contracts.notifier import Letter, Notifier
    from pepay_core.secrets import Vault
    from pepay_core.services.minting import Ids
    from pepay_core.services.paging import Page
    from pepay_core.services.ports import Store, Transaction

SCHEME: Final = "mailto"
"""What the notifier calls itself that sends letters."""

TO: Final = "mail-recipient"
VALUES: Final = "mail-values"
"""What address and values of a mail are sealed for, under the mail's id."""

WINDOW: Final = timedelta(hours=72)
"""How long a letter is worth sending, where nothing else is said."""


class Mailing:
    """Queues letters, and shows what became of them. ``woken`` is called when there is one to send."""

    def __init__(self, store: Store, notifiers: Mapping[str, Notifier], vault: Vault, ids: Ids, clock: Clock, woken: Callable[[], None]) -> None:
        self._store = store
        self._notifiers = notifiers
        self._vault = vault
        self._ids = ids
        self._clock = clock
        self._woken = woken

    @property
    def can_send(self) -> bool:
        """Whether a running plugin sends mail; where none does, links are given to whoever asked for them."""
        return SCHEME in self._notifiers

    async def queue(
        self, tx: Transaction, to: str, kind: str, values: Mapping[str, object], *, language: str = LANGUAGE, good_for: timedelta = WINDOW
    ) -> MailId:
        """Have a letter sent if this transaction commits; its text is made when it is sent, from ``pepay_core/mails``.

        ``good_for`` is how long it is worth sending, as a link that expires. Raises InvalidInput for what is no mail address.
        """
        address = check_mail_address(to)
        compose(kind, values, language)  # a text that lacks a value is a mistake of ours: it shows here, and not at night
        mail, now = self._ids.mail(), self._clock.now()
        sealed = self._vault.seal(VALUES, mail, encode({name: str(value) for name, value in values.items()}))
        await tx.mails.add(
            Mail(
                id=mail,
                kind=kind,
                language=language,
                to=self._vault.seal(TO, mail, address.encode()),
                values=sealed,
                created_at=now,
                until=now + good_for,
                next_at=now,
            )
        )
        tx.after_commit(self._woken)
        return mail

    async def try_out(self, to: str) -> None:
        """Send a test now, past the queue; raises Unavailable, or GiveUp, when the mail server does not take it."""
        notifier = self._notifiers.get(SCHEME)
        if notifier is None:
            raise Unavailable("no running plugin sends mail: set host and sender in [plugin.email]")
        mail, address = self._ids.mail(), check_mail_address(to, field="address")
        await notifier.deliver(delivery(mail, "test", address, compose("test", {}), attempt=1, at=self._clock.now()))

    def opened(self, mail: Mail) -> tuple[str, Letter]:
        """Return to whom a mail goes, and its text as it is now."""
        to = self._vault.open(TO, mail.id, mail.to).decode()
        values = decode(self._vault.open(VALUES, mail.id, mail.values))
        return to, compose(mail.kind, values, mail.language)

    async def page(self, page: Page, *, state: MailState | None = None) -> Slice[dict[str, Any]]:
        """Return mails without addresses and texts, newest first."""
        async with self._store.read() as tx:
            found = await tx.mails.page(state=state, page=page)
        return Slice(tuple(_view(each) for each in found.items), found.has_more)

    async def retry(self, mail: str) -> dict[str, Any]:
        """Have a mail that was given up sent now, with as much time as it had at first; raises NotFound, and Conflict for any other."""

        async def work(tx: Transaction) -> Mail:
            stored = await tx.mails.find(MailId(mail))
            if stored is None:
                raise NotFound(f"there is no mail {mail[:60]!r}")
            if stored.state is not MailState.FAILED:
                raise Conflict(f"this mail is {stored.state}, and only one that has failed can be tried again")
            now = self._clock.now()
            again = replace(stored, id=self._ids.mail(), state=MailState.PENDING, attempts=0, created_at=now, last_error=None)
            again = replace(
                again,
                to=self._vault.seal(TO, again.id, self._vault.open(TO, stored.id, stored.to)),
                values=self._vault.seal(VALUES, again.id, self._vault.open(VALUES, stored.id, stored.values)),
                until=now + (stored.until - stored.created_at),
                next_at=now,
            )
            await tx.mails.add(again)
            tx.after_commit(self._woken)
            return again

        return _view(await self._store.run(work))


def delivery(mail: MailId, kind: str, to: str, letter: Letter, *, attempt: int, at: datetime) -> Delivery:
    """Return what the notifier is given of a letter."""
    return Delivery(
        id=mail,
        event_id=mail,
        event_type=f"mail.{kind}",
        livemode=True,
        url=f"{SCHEME}:{to}",
        body=letter.text.encode(),
        attempt=attempt,
        at=at,
        letter=letter,
    )


def _view(mail: Mail) -> dict[str, Any]:
    return {
        "object": "mail",
        "id": mail.id,
        "kind": mail.kind,
        "state": str(mail.state),
        "attempts": mail.attempts,
        "created_at": seconds(mail.created_at),
        "until": seconds(mail.until),
        "next_at": seconds(mail.next_at),
        "sent_at": seconds(mail.sent_at),
        "error": mail.last_error,
    }
