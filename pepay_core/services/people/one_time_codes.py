"""One-time codes: set up from a secret that is shown once, taken away, and used up one step of time after another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.errors import Conflict, SignInFailed
from pepay_core.services.people import totp
from pepay_core.services.people.slowing import SECOND, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.people import User
    from pepay_core.secrets import Vault
    from pepay_core.services.people.accounts import Accounts
    from pepay_core.services.people.second_factors import SecondFactors
    from pepay_core.services.people.sessions import Opened, SignedIn
    from pepay_core.services.people.slowing import Slowing
    from pepay_core.services.ports import Store, Transaction

PURPOSE: Final = "user-totp"
"""What a secret is sealed for, under its user's id."""


class OneTimeCodes:
    """Sets codes up and takes them away. Whatever changes them asks for the password, and ends every session."""

    def __init__(self, store: Store, clock: Clock, vault: Vault, accounts: Accounts, slowing: Slowing, second_factors: SecondFactors) -> None:
        self._store = store
        self._clock = clock
        self._vault = vault
        self._accounts = accounts
        self._slowing = slowing
        self._second_factors = second_factors

    async def begin(self, signed_in: SignedIn, password: str) -> dict[str, str]:
        """Return a new secret for an app, as ``secret`` and as ``link``; it counts once a code of it was shown.

        Raises Conflict where codes are set up already, SignInFailed for a wrong password.
        """
        signed_in.insist_on_full()
        await self._accounts.insist_on_password(signed_in.user, password)
        secret = totp.new_secret()

        async def work(tx: Transaction) -> None:
            user = await self._accounts.unchanged(tx, signed_in.user)
            if user.totp_since is not None:
                raise Conflict("one-time codes are set up already: take them away first")
            await tx.users.save(replace(user, totp=self._vault.seal(PURPOSE, user.id, secret), totp_step=0))

        await self._store.run(work)
        return {"secret": totp.shown(secret), "link": totp.link(secret, self._accounts.email_of(signed_in.user))}

    async def confirm(self, signed_in: SignedIn, code: str) -> tuple[Opened, list[str]]:
        """Let the new secret count, by its first code: every session ends, and a new one begins. Returns recovery codes, shown once.

        Raises Conflict where none was begun, SignInFailed for another code.
        """
        signed_in.insist_on_full()
        await self._slowing.take(Subject(SECOND, signed_in.user.id))

        async def work(tx: Transaction) -> tuple[Opened, list[str]]:
            user, now = await self._accounts.unchanged(tx, signed_in.user), self._clock.now()
            if user.totp is None or user.totp_since is not None:
                raise Conflict("begin to set up one-time codes first")
            step = await use_step(tx, self._vault, now, user, code)
            return await self._second_factors.changed(tx, signed_in, replace(user, totp_since=now, totp_step=step), "user.one_time_codes_added")

        return await self._store.run(work)

    async def remove(self, signed_in: SignedIn, password: str, *, code: str | None = None, passkey: Mapping[str, Any] | None = None) -> Opened:
        """Take one-time codes away; asks for the password and for a second factor. Every session ends, and a new one begins."""
        signed_in.insist_on_full()
        await self._accounts.insist_on_password(signed_in.user, password)
        proof = await self._second_factors.proof(signed_in, code=code, passkey=passkey)

        async def work(tx: Transaction) -> Opened:
            user = await self._second_factors.check(tx, await self._accounts.unchanged(tx, signed_in.user), proof)
            without = replace(user, totp=None, totp_since=None, totp_step=0)
            return (await self._second_factors.changed(tx, signed_in, without, "user.one_time_codes_removed"))[0]

        return await self._store.run(work)


async def use_step(tx: Transaction, vault: Vault, now: datetime, user: User, text: str) -> int:
    """Use up the step of time that a code belongs to, and return it; raises SignInFailed for one that is wrong, or was used already."""
    secret = vault.open(PURPOSE, user.id, user.totp or b"")
    step = totp.step_of(secret, "".join(text[:100].split()), now)
    if step is None or not await tx.users.use_step(user.id, step):
        raise SignInFailed
    return step
