"""Links that change what somebody signs in with: a new password for whoever forgot theirs, and a new address.

A link works once, for half an hour. It takes no second factor away, and ends every session.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import Conflict, NotFound, PePayError
from pepay_core.domain.people import Errand, MailedLink
from pepay_core.services.people.accounts import as_user
from pepay_core.services.people.addressing import canonical
from pepay_core.services.people.sessions import digest_of, new_token
from pepay_core.services.people.slowing import ACCOUNT, LETTER, Subject, from_address

if TYPE_CHECKING:
    from datetime import datetime

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.audit import Actor
    from pepay_core.domain.people import User
    from pepay_core.services.people.accounts import Accounts
    from pepay_core.services.people.posting import Posting
    from pepay_core.services.people.sessions import SignedIn
    from pepay_core.services.people.slowing import Slowing
    from pepay_core.services.ports import Store, Transaction

VALID: Final = timedelta(minutes=30)
RESET_PATH: Final = "/reset-password"
EMAIL_PATH: Final = "/confirm-email"
_GONE: Final = "this link was used, or has expired: ask for another one"

_log: Final = logging.getLogger(__name__)


class PasswordResets:
    """Gives those who forgot their password a way to choose another one."""

    def __init__(self, store: Store, clock: Clock, accounts: Accounts, posting: Posting, slowing: Slowing) -> None:
        self._store = store
        self._clock = clock
        self._accounts = accounts
        self._posting = posting
        self._slowing = slowing
        self._sending: set[asyncio.Task[None]] = set()

    async def ask(self, email: str, *, address: str | None = None) -> None:
        """Have a link sent to an address, if it is a user's. Whoever asks is not told whether it is, by the answer or by its time.

        Raises RateLimited for any address that too many have asked for.
        """
        await self._slowing.take(Subject(LETTER, self._accounts.emails.digest(email)), *from_address(address))
        # After the answer, so that it does not wait for what is done for some addresses only.
        task = asyncio.get_running_loop().create_task(self._send(email))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def settle(self) -> None:
        """Wait until what was asked for is on its way."""
        while self._sending:
            await asyncio.wait(set(self._sending))

    async def link(self, user: User, by: Actor) -> str | None:
        """Have a link sent to a user at the request of an admin; return it where nothing sends mail, to be passed on."""
        return await self._store.run(lambda tx: self._issue(tx, user, by))

    async def look(self, token: str) -> None:
        """Raise NotFound for a link that does not hold, before anybody thinks of a new password."""
        async with self._store.read() as tx:
            await _insist_on_letter(tx, digest_of(token), Errand.RESET, self._clock.now())

    async def reset(self, token: str, password: str) -> User:
        """Give the user to whom a link was sent another password; raises NotFound for a link that does not hold, InvalidInput."""
        digest, now = digest_of(token), self._clock.now()
        await self.look(token)
        prepared = await self._accounts.prepare(password)

        async def work(tx: Transaction) -> User:
            letter = await tx.letters.take(digest, Errand.RESET)
            if letter is None or letter.expires_at <= now:
                raise NotFound(_GONE)
            user = await tx.users.get(letter.user, lock=True)
            if user.suspended_at is not None:
                raise NotFound(_GONE)
            await self._slowing.forget(tx, Subject(ACCOUNT, user.email_digest))
            return await self._accounts.set_password(tx, user.id, prepared)

        return await self._store.run(work)

    async def _send(self, email: str) -> None:
        try:
            user = await self._accounts.by_email(email)
            if user is not None and user.suspended_at is None and self._posting.can_send:
                found = user
                await self._store.run(lambda tx: self._issue(tx, found, as_user(found)))
        except PePayError:
            _log.exception("a link for a new password was not sent")

    async def _issue(self, tx: Transaction, user: User, by: Actor) -> str | None:
        now, token = self._clock.now(), new_token()
        await tx.letters.sweep(now)
        await tx.letters.add(MailedLink(digest_of(token), user.id, Errand.RESET, now, now + VALID))
        link = await self._posting.post(tx, self._accounts.email_of(user), "password_reset", RESET_PATH, token, {}, VALID)
        await self._accounts.recorder.note(tx, by, "user.password_reset_sent", user.id)
        return link


class EmailChanges:
    """Lets a user take another address, once they have shown that it is theirs."""

    def __init__(self, store: Store, clock: Clock, accounts: Accounts, posting: Posting) -> None:
        self._store = store
        self._clock = clock
        self._accounts = accounts
        self._posting = posting

    async def ask(self, signed_in: SignedIn, password: str, email: str) -> None:
        """Have a link sent to the new address; raises SignInFailed for a wrong password, and Conflict where nothing sends mail."""
        signed_in.insist_on_full()
        address = canonical(email)
        if not self._posting.can_send:
            raise Conflict("no plugin sends mail, so that nobody can show that an address is theirs")
        await self._accounts.insist_on_password(signed_in.user, password)

        async def work(tx: Transaction) -> None:
            user, now, token = await self._accounts.unchanged(tx, signed_in.user), self._clock.now(), new_token()
            digest, emails = digest_of(token), self._accounts.emails
            letter = MailedLink(digest, user.id, Errand.EMAIL, now, now + VALID, emails.seal(digest, address), emails.digest(address))
            await tx.letters.add(letter)
            await self._posting.post(tx, address, "email_change", EMAIL_PATH, token, {}, VALID)

        await self._store.run(work)

    async def look(self, token: str) -> None:
        """Raise NotFound for a link that does not hold."""
        async with self._store.read() as tx:
            await _insist_on_letter(tx, digest_of(token), Errand.EMAIL, self._clock.now())

    async def confirm(self, token: str) -> User:
        """Give the user to whom a link was sent the new address, and tell the old one; every session ends.

        Raises NotFound for a link that does not hold, Conflict where somebody else has the address.
        """
        digest = digest_of(token)

        async def work(tx: Transaction) -> User:
            letter = await tx.letters.take(digest, Errand.EMAIL)
            if letter is None or letter.expires_at <= self._clock.now() or letter.email is None or letter.email_digest is None:
                raise NotFound(_GONE)
            user, emails = await tx.users.get(letter.user, lock=True), self._accounts.emails
            if user.suspended_at is not None:
                raise NotFound(_GONE)
            await self._posting.tell(tx, self._accounts.email_of(user), "email_changed", {"server": self._posting.server})
            changed = replace(user, email=emails.seal(user.id, emails.open(digest, letter.email)), email_digest=letter.email_digest)
            return await self._accounts.renew(tx, changed, "user.email_changed")

        return await self._store.run(work)


async def _insist_on_letter(tx: Transaction, digest: str, errand: Errand, now: datetime) -> None:
    """Raise NotFound before anything costly is done for a link that does not hold."""
    letter = await tx.letters.find(digest, errand)
    if letter is None or letter.expires_at <= now:
        raise NotFound(_GONE)
