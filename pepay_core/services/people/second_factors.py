"""The second factor: one-time codes, passkeys, recovery codes. Whatever changes them asks for the password, and ends every session."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, SignInFailed, Unauthenticated
from pepay_core.domain.ids import PasskeyId
from pepay_core.domain.people import Level, Passkey
from pepay_core.services.people import totp
from pepay_core.services.people.accounts import as_user
from pepay_core.services.people.recovery import LENGTH
from pepay_core.services.people.sessions import new_token
from pepay_core.services.people.slowing import SECOND, Subject
from pepay_core.services.presenting import seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.audit import Actor
    from pepay_core.domain.people import User
    from pepay_core.relying import RelyingParty
    from pepay_core.secrets import Vault
    from pepay_core.services.minting import Ids
    from pepay_core.services.people.accounts import Accounts
    from pepay_core.services.people.recovery import Recovery
    from pepay_core.services.people.sessions import Opened, Sessions, SignedIn
    from pepay_core.services.people.slowing import Slowing
    from pepay_core.services.ports import Store, Transaction

PURPOSE: Final = "user-totp"
_CHALLENGE_LASTS: Final = timedelta(minutes=5)
_MOST_PASSKEYS: Final = 20
_MAX_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody shows as their second factor, its try counted and its challenge used up whatever becomes of it."""

    code: str | None = field(default=None, repr=False)
    passkey: Mapping[str, Any] | None = field(default=None, repr=False)
    challenge: bytes | None = field(default=None, repr=False)


class SecondFactors:
    """Sets second factors up, takes them away, and checks them."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        vault: Vault,
        party: RelyingParty,
        accounts: Accounts,
        sessions: Sessions,
        slowing: Slowing,
        recovery: Recovery,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._vault = vault
        self._party = party
        self._accounts = accounts
        self._sessions = sessions
        self._slowing = slowing
        self._recovery = recovery

    async def state(self, signed_in: SignedIn) -> dict[str, Any]:
        """Return which second factors a user has."""
        async with self._store.read() as tx:
            passkeys, left = await tx.passkeys.of(signed_in.user.id), await tx.recovery_codes.left(signed_in.user.id)
        return {
            "object": "second_factors",
            "one_time_codes_since": seconds(signed_in.user.totp_since),
            "passkeys": [_view(each) for each in passkeys],
            "recovery_codes_left": left,
            "can_have_passkeys": self._party.is_able,
        }

    # --- One-time codes -----------------------------------------------------------

    async def begin_codes(self, signed_in: SignedIn, password: str) -> dict[str, str]:
        """Return a new secret for an app, as ``secret`` and as ``link``; it counts once a code of it was shown.

        Raises Conflict where codes are set up already, SignInFailed for a wrong password.
        """
        _insist_on_full(signed_in)
        await self._accounts.insist_on_password(signed_in.user, password)
        secret = totp.new_secret()

        async def work(tx: Transaction) -> None:
            user = await self._accounts.unchanged(tx, signed_in.user)
            if user.totp_since is not None:
                raise Conflict("one-time codes are set up already: take them away first")
            await tx.users.save(replace(user, totp=self._vault.seal(PURPOSE, user.id, secret), totp_step=0))

        await self._store.run(work)
        return {"secret": totp.shown(secret), "link": totp.link(secret, self._accounts.email_of(signed_in.user))}

    async def confirm_codes(self, signed_in: SignedIn, code: str) -> tuple[Opened, list[str]]:
        """Let the new secret count, by its first code: every session ends, and a new one begins. Returns recovery codes, shown once.

        Raises Conflict where none was begun, SignInFailed for another code.
        """
        _insist_on_full(signed_in)
        await self._slowing.take(Subject(SECOND, signed_in.user.id))

        async def work(tx: Transaction) -> tuple[Opened, list[str]]:
            user = await self._accounts.unchanged(tx, signed_in.user)
            if user.totp is None or user.totp_since is not None:
                raise Conflict("begin to set up one-time codes first")
            step = await self._use_step(tx, user, code)
            return await self._renewed(tx, signed_in, replace(user, totp_since=self._clock.now(), totp_step=step), "user.one_time_codes_added")

        return await self._store.run(work)

    async def remove_codes(self, signed_in: SignedIn, password: str, *, code: str | None = None, passkey: Mapping[str, Any] | None = None) -> Opened:
        """Take one-time codes away; asks for the password and for a second factor. Every session ends, and a new one begins."""
        _insist_on_full(signed_in)
        await self._accounts.insist_on_password(signed_in.user, password)
        proof = await self.proof(signed_in, code=code, passkey=passkey)

        async def work(tx: Transaction) -> Opened:
            user = await self.check(tx, await self._accounts.unchanged(tx, signed_in.user), proof)
            return (await self._renewed(tx, signed_in, replace(user, totp=None, totp_since=None, totp_step=0), "user.one_time_codes_removed"))[0]

        return await self._store.run(work)

    # --- Passkeys -------------------------------------------------------------------

    async def begin_passkey(self, signed_in: SignedIn, password: str) -> dict[str, Any]:
        """Return what the browser is to ask the device for a new passkey; raises SignInFailed for a wrong password."""
        _insist_on_full(signed_in)
        if not self._party.is_able:
            raise Conflict("passkeys need https and a host name in [server] base_url")
        await self._accounts.insist_on_password(signed_in.user, password)
        challenge = new_token().encode()
        known = await self._challenged(signed_in, challenge)
        if len(known) >= _MOST_PASSKEYS:
            raise Conflict(f"there are {_MOST_PASSKEYS} passkeys already")
        user = signed_in.user
        return self._party.creation(user.id, self._accounts.email_of(user), user.name, challenge, [each.credential for each in known])

    async def finish_passkey(self, signed_in: SignedIn, answer: Mapping[str, Any], name: str = "") -> tuple[Opened, list[str]]:
        """Store the passkey that the device has made: every session ends, and a new one begins. Returns recovery codes, where there were none.

        Raises InvalidInput where the answer does not hold, Conflict where the passkey is registered already.
        """
        _insist_on_full(signed_in)
        challenge = await self._take_challenge(signed_in)
        if challenge is None:
            raise Conflict("begin to add a passkey first")
        made = self._party.created(answer, challenge)

        async def work(tx: Transaction) -> tuple[Opened, list[str]]:
            user = await self._accounts.unchanged(tx, signed_in.user)
            label = _label(name) or "Passkey"
            await tx.passkeys.add(Passkey(self._ids.passkey(), user.id, label, made.credential, made.public_key, made.signatures, self._clock.now()))
            return await self._renewed(tx, signed_in, user, "user.passkey_added")

        return await self._store.run(work)

    async def remove_passkey(
        self, signed_in: SignedIn, passkey_id: str, password: str, *, code: str | None = None, passkey: Mapping[str, Any] | None = None
    ) -> Opened:
        """Take a passkey away; asks for the password and for a second factor. Every session ends, and a new one begins."""
        _insist_on_full(signed_in)
        await self._accounts.insist_on_password(signed_in.user, password)
        proof = await self.proof(signed_in, code=code, passkey=passkey)

        async def work(tx: Transaction) -> Opened:
            user = await self.check(tx, await self._accounts.unchanged(tx, signed_in.user), proof)
            if not await tx.passkeys.remove(user.id, PasskeyId(passkey_id)):
                raise NotFound("there is no such passkey")
            return (await self._renewed(tx, signed_in, user, "user.passkey_removed"))[0]

        return await self._store.run(work)

    async def challenge(self, signed_in: SignedIn) -> dict[str, Any]:
        """Return what the browser is to ask a passkey, to be checked once and within five minutes; raises Conflict where there is none."""
        challenge = new_token().encode()
        known = await self._challenged(signed_in, challenge)
        if not known:
            raise Conflict("there is no passkey")
        return self._party.request(challenge, [each.credential for each in known])

    # --- Recovery codes ---------------------------------------------------------------

    async def new_recovery_codes(self, signed_in: SignedIn, password: str) -> list[str]:
        """Return ten new recovery codes, shown once, in place of the old ones; raises SignInFailed for a wrong password."""
        _insist_on_full(signed_in)
        await self._accounts.insist_on_password(signed_in.user, password)

        async def work(tx: Transaction) -> list[str]:
            user = await self._accounts.unchanged(tx, signed_in.user)
            if not await has_second_factor(tx, user):
                raise Conflict("recovery codes stand in for a second factor: set one up first")
            codes = await self._recovery.issue(tx, user.id)
            await self._accounts.recorder.note(tx, as_user(user), "user.recovery_codes_renewed", user.id)
            return codes

        return await self._store.run(work)

    # --- Checking -----------------------------------------------------------------------

    async def proof(self, signed_in: SignedIn, *, code: str | None = None, passkey: Mapping[str, Any] | None = None) -> Proof:
        """Count a try, and take what the passkey was to sign; then :meth:`check` it. Raises RateLimited while guessing goes on."""
        await self._slowing.take(Subject(SECOND, signed_in.user.id))
        if passkey is None:
            return Proof(code)
        return Proof(None, passkey, await self._take_challenge(signed_in))

    async def check(self, tx: Transaction, user: User, proof: Proof) -> User:
        """Use up a code or an answer of a passkey, and return the user as they are then; raises SignInFailed.

        It is used up in the caller's transaction: a code whose effect does not commit was not used.
        """
        if proof.passkey is not None:
            await self._check_passkey(tx, user, proof.passkey, proof.challenge)
        elif proof.code is not None:
            user = await self._check_code(tx, user, proof.code)
        else:
            raise SignInFailed
        await self._slowing.forget(tx, Subject(SECOND, user.id))
        return user

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
        return replace(user, totp_step=await self._use_step(tx, user, code))

    async def _use_step(self, tx: Transaction, user: User, text: str) -> int:
        code = "".join(text[:100].split())
        secret = self._vault.open(PURPOSE, user.id, user.totp or b"")
        step = totp.step_of(secret, code, self._clock.now())
        if step is None or not await tx.users.use_step(user.id, step):
            raise SignInFailed
        return step

    async def _check_passkey(self, tx: Transaction, user: User, answer: Mapping[str, Any], challenge: bytes | None) -> None:
        credential = self._party.credential_of(answer)
        found = next((each for each in await tx.passkeys.of(user.id) if each.credential == credential), None)
        if challenge is None or found is None:
            raise SignInFailed
        signatures = self._party.signed(answer, challenge, found.public_key, found.signatures)
        if not await tx.passkeys.used(found, signatures, self._clock.now()):
            raise SignInFailed

    async def _take_challenge(self, signed_in: SignedIn) -> bytes | None:
        return await self._store.run(lambda tx: tx.sessions.take_challenge(signed_in.session.digest, self._clock.now()))

    async def _challenged(self, signed_in: SignedIn, challenge: bytes) -> list[Passkey]:
        async def work(tx: Transaction) -> list[Passkey]:
            if not await tx.sessions.set_challenge(signed_in.session.digest, challenge, self._clock.now() + _CHALLENGE_LASTS):
                raise Unauthenticated("this session has ended: sign in again")
            return await tx.passkeys.of(signed_in.user.id)

        return await self._store.run(work)

    async def _renewed(self, tx: Transaction, signed_in: SignedIn, user: User, action: str) -> tuple[Opened, list[str]]:
        """End every session of the user and begin one in place of this one; with recovery codes where there are none yet."""
        await self._sessions.end(tx, signed_in.session)
        renewed = await self._accounts.renew(tx, user, action)
        await self._slowing.forget(tx, Subject(SECOND, user.id))
        codes: list[str] = []
        if not await has_second_factor(tx, renewed):
            await tx.recovery_codes.replace(user.id, [])
        elif not await tx.recovery_codes.left(user.id):
            codes = await self._recovery.issue(tx, user.id)
        return await self._sessions.follow(tx, signed_in.session, renewed, level=Level.FULL), codes


async def has_second_factor(tx: Transaction, user: User) -> bool:
    """Tell whether a password is not enough for a user."""
    return user.totp_since is not None or bool(await tx.passkeys.of(user.id))


def _insist_on_full(signed_in: SignedIn) -> None:
    if not signed_in.is_full:
        raise Forbidden("show your second factor first")


def _label(name: str) -> str:
    text = " ".join(name.split())
    if len(text) > _MAX_NAME or not text.isprintable():
        raise InvalidInput(f"must have at most {_MAX_NAME} characters, all of which can be shown", field="name")
    return text


def _view(passkey: Passkey) -> dict[str, Any]:
    return {
        "object": "passkey",
        "id": passkey.id,
        "name": passkey.name,
        "created_at": seconds(passkey.created_at),
        "last_used_at": seconds(passkey.last_used_at),
    }
