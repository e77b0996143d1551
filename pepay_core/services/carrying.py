"""The carrier: it sends the letters that are due, and says of those that it cannot send why."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import ConfigError, GiveUp, Refused, Unavailable
from pepay_core.domain.mails import Mail, MailState, without_addresses
from pepay_core.services.mailing import SCHEME, delivery
from pepay_core.services.waking import woken_within

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from pepay_core.contracts.context import Clock
    from pepay_core.contracts.notifier import Notifier
    from pepay_core.services.mailing import Mailing
    from pepay_core.services.ports import Store, Transaction

log = logging.getLogger(__name__)

PAUSES: Final = tuple(timedelta(seconds=each) for each in (15, 60, 300, 900, 1800, 3600, 7200, 14400))
"""How long to wait after the first attempt that failed, the second, and so on; the last pause repeats."""

KEPT: Final = timedelta(days=30)
"""How long it is remembered that a mail was sent, or was not."""

_JITTER: Final = 0.1
_LEASE: Final = timedelta(minutes=2)
_DEADLINE: Final = 60.0
_AT_ONCE: Final = 4
_SWEPT_EVERY: Final = timedelta(hours=1)
_ERROR_CHARS: Final = 300
_LONGEST_TROUBLE: Final = 60


class Carrier:
    """Sends letters through the notifier of the scheme ``mailto``. Several processes may run one each.

    A letter is sent at least once: one that was handed over by a process that died before it could say so is sent again, under the
    same message id. ``poll`` is how soon, in seconds, letters of other processes are noticed; ``rng`` returns 0 up to 1.
    """

    def __init__(
        self, store: Store, notifiers: Mapping[str, Notifier], clock: Clock, *, poll: float = 2, rng: Callable[[], float] = random.random
    ) -> None:
        self._store = store
        self._notifiers = notifiers
        self._clock = clock
        self._poll = poll
        self._rng = rng
        self._woken = asyncio.Event()
        self._swept_at: datetime | None = None

    def wake(self) -> None:
        """Look for letters now; call it in the carrier's own loop."""
        self._woken.set()

    async def run(self, mailing: Mailing) -> None:
        """Send until cancelled."""
        trouble = 0
        while True:
            self._woken.clear()
            try:
                await self.send_due(mailing)
                pause = self._poll
                trouble = 0
            except Exception:
                trouble = min(max(trouble * 2, 1), _LONGEST_TROUBLE)
                pause = trouble
                log.exception("mails cannot be sent; the next try is in %d s", trouble)
            await woken_within(self._woken, self._clock, pause)

    async def send_due(self, mailing: Mailing) -> int:
        """Send everything that is due, and return how many attempts that took."""
        await self._sweep()
        made = 0
        while SCHEME in self._notifiers:
            now = self._clock.now()
            claimed = await self._store.run(lambda tx, now=now: tx.mails.claim(now, limit=_AT_ONCE, lease_until=now + _LEASE))
            if not claimed:
                break
            await asyncio.gather(*(self._send(mailing, each) for each in claimed))
            made += len(claimed)
        return made

    async def _send(self, mailing: Mailing, mail: Mail) -> None:
        outcome = await self._attempt(mailing, mail)
        if not await self._store.run(lambda tx: tx.mails.record(outcome)):
            log.warning("mail %s was taken over by another process while it was being sent", mail.id)
        elif outcome.state is MailState.FAILED:
            log.error("mail %s (%s) was given up: %s", mail.id, mail.kind, outcome.last_error)

    async def _attempt(self, mailing: Mailing, mail: Mail) -> Mail:
        try:
            to, letter = mailing.opened(mail)
        except (ConfigError, LookupError) as exc:
            return self._failed(mail, f"it cannot be read: {exc}" if isinstance(exc, LookupError) else "its address or values cannot be opened")
        try:
            async with asyncio.timeout(_DEADLINE):
                made = delivery(mail.id, mail.kind, to, letter, attempt=mail.attempts, at=self._clock.now())
                await self._notifiers[SCHEME].deliver(made)
        except GiveUp as exc:
            return self._failed(mail, _clean(str(exc) or "the mail server refuses it", to))
        except Unavailable as exc:
            return self._later(mail, _clean(exc.message, to))
        except Refused as exc:
            return self._failed(mail, _clean(exc.message, to))
        except TimeoutError:
            return self._later(mail, f"no answer within {_DEADLINE:g} s")
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - told below, without what it says
            # A notifier is somebody else's code, and its message could quote the letter.
            log.error("the notifier for mail broke at %s: %s", mail.id, type(exc).__name__)  # noqa: TRY400
            return self._later(mail, f"the notifier broke: {type(exc).__name__}")
        return replace(mail, state=MailState.SENT, next_at=None, sent_at=self._clock.now(), last_error=None, to=b"", values=b"")

    def _later(self, mail: Mail, error: str) -> Mail:
        pause = PAUSES[min(mail.attempts, len(PAUSES)) - 1]
        due = self._clock.now() + pause + pause * (_JITTER * self._rng())
        if due >= mail.until:
            return self._failed(mail, error)
        return replace(mail, next_at=due, last_error=error)

    @staticmethod
    def _failed(mail: Mail, error: str) -> Mail:
        return replace(mail, state=MailState.FAILED, next_at=None, last_error=error)

    async def _sweep(self) -> None:
        """Give up what is no longer worth sending, and forget what is long over."""
        now = self._clock.now()
        overdue = await self._store.run(lambda tx: self._give_up(tx, now))
        for mail in overdue:
            log.error("mail %s (%s) was given up: %s", mail.id, mail.kind, mail.last_error)
        if self._swept_at is None or now - self._swept_at >= _SWEPT_EVERY:
            self._swept_at = now
            await self._store.run(lambda tx: tx.mails.forget(now - KEPT))

    async def _give_up(self, tx: Transaction, now: datetime) -> list[Mail]:
        given_up = [
            self._failed(each, each.last_error or ("it could not be sent in time" if SCHEME in self._notifiers else "no running plugin sends mail"))
            for each in await tx.mails.overdue(now, 100)
        ]
        return [each for each in given_up if await tx.mails.record(each)]


def _clean(text: str, address: str) -> str:
    """Return what a mail server said, on one line and without whom the mail was for."""
    text = without_addresses(text)
    local = address.rpartition("@")[0]
    if len(local) > 2:
        text = re.sub(rf"\b{re.escape(local)}\b", "[address]", text, flags=re.IGNORECASE)
    return "".join(char if char.isprintable() else " " for char in text)[:_ERROR_CHARS]
