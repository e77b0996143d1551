"""The second factor, whichever it is: whether a user has one, checking what they show, and what follows when one is changed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pepay_core.domain.errors import Conflict, SignInFailed
from pepay_core.domain.people import Level
from pepay_core.services.people.accounts import as_user
from pepay_core.services.people.one_time_codes import use_step
from pepay_core.services.people.passkeys import check_answer, passkey_object
from pepay_core.services.people.recovery import LENGTH
from pepay_core.services.people.slowing import SECOND, Subject
from pepay_core.services.presenting import seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.audit import Actor
    from pepay_core.domain.people import User
    from pepay_core.relying import RelyingParty
    from pepay_core.secrets import Vault
    from pepay_core.services.people.accounts import Accounts
    from pepay_core.services.people.challenges import Challenges
    from pepay_core.services.people.recovery import Recovery
    from pepay_core.services.people.sessions import Opened, Sessions, SignedIn
    from pepay_core.services.people.slowing import Slowing
    from pepay_core.services.ports import Store, Transaction


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody shows as their second factor, its try counted and its challenge used up whatever becomes of it."""

    code: str | None = field(default=None, repr=False)
    passkey: Mapping[str, Any] | None = field(default=None, repr=False)
    challenge: bytes | None = field(default=None, repr=False)


class SecondFactors:
    """Checks second factors, and begins anew where they have changed: every session ends then."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        vault: Vault,
        party: RelyingParty,
        accounts: Accounts,
        sessions: Sessions,
        slowing: Slowing,
        recovery: Recovery,
        challenges: Challenges,
    ) -> None:
        self._store = store
        self._clock = clock
        self._vault = vault
        self._party = party
        self._accounts = accounts
        self._sessions = sessions
        self._slowing = slowing
        self._recovery = recovery
        self._challenges = challenges

    async def state(self, signed_in: SignedIn) -> dict[str, Any]:
        """Return which second factors a user has."""
        async with self._store.read() as tx:
            passkeys, left = await tx.passkeys.of(signed_in.user.id), await tx.recovery_codes.left(signed_in.user.id)
        return {
            "object": "second_factors",
            "one_time_codes_since": seconds(signed_in.user.totp_since),
            "passkeys": [passkey_object(each) for each in passkeys],
            "recovery_codes_left": left,
            "can_have_passkeys": self._party.is_able,
        }

    async def proof(self, signed_in: SignedIn, *, code: str | None = None, passkey: Mapping[str, Any] | None = None) -> Proof:
        """Count a try, and take what the passkey was to sign; then :meth:`check` it. Raises RateLimited while guessing goes on."""
        await self._slowing.take(Subject(SECOND, signed_in.user.id))
        if passkey is None:
            return Proof(code)
        return Proof(None, passkey, await self._challenges.take(signed_in))

    async def check(self, tx: Transaction, user: User, proof: Proof) -> User:
        """Use up a code or an answer of a passkey, and return the user as they are then; raises SignInFailed.

        It is used up in the caller's transaction: a code whose effect does not commit was not used.
        """
        if proof.passkey is not None:
            await check_answer(tx, self._party, self._clock.now(), user, proof.passkey, proof.challenge)
        elif proof.code is not None:
            user = await self._check_code(tx, user, proof.code)
        else:
            raise SignInFailed
        await self._slowing.forget(tx, Subject(SECOND, user.id))
        return user

    async def changed(self, tx: Transaction, signed_in: SignedIn, user: User, action: str) -> tuple[Opened, list[str]]:
        """End every session of a user whose second factors are others now, and begin one in place of theirs.

        Returns recovery codes where there were none yet; where no second factor is left, those go too.
        """
        await self._sessions.end(tx, signed_in.session)
        renewed = await self._accounts.renew(tx, user, action)
        await self._slowing.forget(tx, Subject(SECOND, user.id))
        codes: list[str] = []
        if not await has_second_factor(tx, renewed):
            await tx.recovery_codes.replace(user.id, [])
        elif not await tx.recovery_codes.left(user.id):
            codes = await self._recovery.issue(tx, user.id)
        return await self._sessions.follow(tx, signed_in.session, renewed, level=Level.FULL), codes

    async def new_recovery_codes(self, signed_in: SignedIn, password: str) -> list[str]:
        """Return ten new recovery codes, shown once, in place of the old ones; raises SignInFailed for a wrong password."""
        signed_in.insist_on_full()
        await self._accounts.insist_on_password(signed_in.user, password)

        async def work(tx: Transaction) -> list[str]:
            user = await self._accounts.unchanged(tx, signed_in.user)
            if not await has_second_factor(tx, user):
                raise Conflict("recovery codes stand in for a second factor: set one up first")
            codes = await self._recovery.issue(tx, user.id)
            await self._accounts.recorder.note(tx, as_user(user), "user.recovery_codes_renewed", user.id)
            return codes

        return await self._store.run(work)

    async def reset(self, tx: Transaction, user: User, *, by: Actor) -> User:
        """Take every second factor away, for somebody who has lost them all; every session ends."""
        await tx.passkeys.remove_all(user.id)
        await tx.recovery_codes.replace(user.id, [])
        renewed = replace(user, totp=None, totp_since=None, totp_step=0)
        return await self._accounts.renew(tx, renewed, "user.second_factors_reset", by=by)

    async def _check_code(self, tx: Transaction, user: User, text: str) -> User:
        code = "".join(text[:100].split()).replace("-", "").lower()
        if len(code) == LENGTH:
            # Beside a second factor only: they stand in for it.
            if not await has_second_factor(tx, user) or not await self._recovery.use(tx, user.id, code):
                raise SignInFailed
            return user
        if user.totp_since is None:
            raise SignInFailed
        return replace(user, totp_step=await use_step(tx, self._vault, self._clock.now(), user, code))


async def has_second_factor(tx: Transaction, user: User) -> bool:
    """Tell whether a password is not enough for a user."""
    return user.totp_since is not None or bool(await tx.passkeys.of(user.id))
