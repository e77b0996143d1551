"""Passkeys: added by whoever knows the password, called what their user calls them, taken away, and checked when they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.errors import Conflict, InvalidInput, NotFound, SignInFailed
from pepay_core.domain.ids import PasskeyId
from pepay_core.domain.people import Passkey
from pepay_core.services.presenting import seconds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.people import User
    from pepay_core.relying import RelyingParty
    from pepay_core.services.minting import Ids
    from pepay_core.services.people.accounts import Accounts
    from pepay_core.services.people.challenges import Challenges
    from pepay_core.services.people.second_factors import SecondFactors
    from pepay_core.services.people.sessions import Opened, SignedIn
    from pepay_core.services.ports import Store, Transaction

_MOST: Final = 20
_MAX_NAME: Final = 60
_NAMELESS: Final = "Passkey"


class Passkeys:
    """Adds and removes passkeys; both ask for the password, and end every session."""

    def __init__(
        self, store: Store, clock: Clock, ids: Ids, party: RelyingParty, accounts: Accounts, challenges: Challenges, second_factors: SecondFactors
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._party = party
        self._accounts = accounts
        self._challenges = challenges
        self._second_factors = second_factors

    @property
    def origin(self) -> str | None:
        """The one address at which passkeys of this server work; None where browsers make none for it."""
        return self._party.origin if self._party.is_able else None

    async def begin(self, signed_in: SignedIn, password: str) -> dict[str, Any]:
        """Return what the browser is to ask the device for a new passkey; raises SignInFailed for a wrong password."""
        signed_in.insist_on_full()
        self._party.insist_on_able()
        await self._accounts.insist_on_password(signed_in.user, password)
        challenge, known = await self._challenges.of_session(signed_in)
        if len(known) >= _MOST:
            raise Conflict(f"there are {_MOST} passkeys already")
        user = signed_in.user
        email, name = self._accounts.email_of(user), self._accounts.name_of(user)
        return self._party.creation(user.id, email, name, challenge, [each.credential for each in known])

    async def finish(self, signed_in: SignedIn, answer: Mapping[str, Any], name: str = "") -> tuple[Opened, list[str]]:
        """Store the passkey that the device has made: every session ends, and a new one begins. Returns recovery codes, where there were none.

        Raises InvalidInput where the answer does not hold, Conflict where the passkey is registered already.
        """
        signed_in.insist_on_full()
        label = _label(name) or _NAMELESS
        challenge = await self._challenges.take(signed_in)
        if challenge is None:
            raise Conflict("begin to add a passkey first; its answer is good for five minutes, and once")
        made = self._party.created(answer, challenge)

        async def work(tx: Transaction) -> tuple[Opened, list[str]]:
            user = await self._accounts.unchanged(tx, signed_in.user)
            await tx.passkeys.add(Passkey(self._ids.passkey(), user.id, label, made.credential, made.public_key, made.signatures, self._clock.now()))
            return await self._second_factors.changed(tx, signed_in, user, "user.passkey_added")

        return await self._store.run(work)

    async def rename(self, signed_in: SignedIn, passkey: str, name: str) -> dict[str, Any]:
        """Call a passkey something else, and return it; raises NotFound, InvalidInput."""
        signed_in.insist_on_full()
        label = _label(name)
        if not label:
            raise InvalidInput("must not be empty", field="name")

        async def work(tx: Transaction) -> Passkey:
            if not await tx.passkeys.rename(signed_in.user.id, PasskeyId(passkey), label):
                raise NotFound("there is no such passkey")
            return next(each for each in await tx.passkeys.of(signed_in.user.id) if each.id == passkey)

        return passkey_object(await self._store.run(work))

    async def remove(
        self, signed_in: SignedIn, passkey_id: str, password: str, *, code: str | None = None, passkey: Mapping[str, Any] | None = None
    ) -> Opened:
        """Take a passkey away; asks for the password and for a second factor. Every session ends, and a new one begins."""
        signed_in.insist_on_full()
        await self._accounts.insist_on_password(signed_in.user, password)
        proof = await self._second_factors.proof(signed_in, code=code, passkey=passkey)

        async def work(tx: Transaction) -> Opened:
            user = await self._second_factors.check(tx, await self._accounts.unchanged(tx, signed_in.user), proof)
            if not await tx.passkeys.remove(user.id, PasskeyId(passkey_id)):
                raise NotFound("there is no such passkey")
            return (await self._second_factors.changed(tx, signed_in, user, "user.passkey_removed"))[0]

        return await self._store.run(work)

    async def challenge(self, signed_in: SignedIn) -> dict[str, Any]:
        """Return what the browser is to ask a passkey, to be checked once and within five minutes; raises Conflict where there is none."""
        challenge, known = await self._challenges.of_session(signed_in)
        if not known:
            raise Conflict("there is no passkey")
        return self._party.request(challenge, [each.credential for each in known])


async def check_answer(
    tx: Transaction, party: RelyingParty, now: datetime, user: User, answer: Mapping[str, Any], challenge: bytes | None
) -> Passkey:
    """Return which of a user's passkeys has answered, its use noted; raises SignInFailed where the answer does not hold."""
    credential = party.credential_of(answer)
    found = next((each for each in await tx.passkeys.of(user.id) if each.credential == credential), None)
    if challenge is None or found is None:
        raise SignInFailed
    signatures = party.signed(answer, challenge, found.public_key, found.signatures)
    if not await tx.passkeys.used(found, signatures, now):
        raise SignInFailed
    return found


def passkey_object(passkey: Passkey) -> dict[str, Any]:
    """Return a passkey as its user sees it."""
    return {
        "object": "passkey",
        "id": passkey.id,
        "name": passkey.name,
        "created_at": seconds(passkey.created_at),
        "last_used_at": seconds(passkey.last_used_at),
    }


def _label(name: str) -> str:
    text = " ".join(name.split())
    if len(text) > _MAX_NAME or not text.isprintable():
        raise InvalidInput(f"must have at most {_MAX_NAME} characters, all of which can be shown", field="name")
    return text
