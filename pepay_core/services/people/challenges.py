"""What a passkey is to sign: random, good for five minutes, and for one answer."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import RateLimited, SignInFailed, Unauthenticated
from pepay_core.services.people.sessions import new_token
from pepay_core.services.people.slowing import Pace, Subject

if TYPE_CHECKING:
    from pepay_core.contracts.context import Clock
    from pepay_core.domain.people import Passkey
    from pepay_core.secrets import Vault
    from pepay_core.services.people.sessions import SignedIn
    from pepay_core.services.people.slowing import Slowing
    from pepay_core.services.ports import Store, Transaction

LASTS: Final = timedelta(minutes=5)
EXPIRED: Final = "the passkey was asked too long ago, or has answered already: try again"

_TIME: Final = 8
_RANDOM: Final = 32
_SEAL: Final = 32
# One try: by the time of a second one, what was to be signed has expired.
_ONCE: Final = Pace("challenge", free=0, first=int(LASTS.total_seconds()), most=int(LASTS.total_seconds()))


class Challenges:
    """Makes challenges and uses them up, whatever becomes of the answer.

    One of a session is kept with the session. At the door there is none yet: there a challenge says itself until when it is good and is
    sealed, so that strangers who ask for many fill nothing; only what comes back is written down, as used.
    """

    def __init__(self, store: Store, clock: Clock, vault: Vault, slowing: Slowing) -> None:
        self._store = store
        self._clock = clock
        self._slowing = slowing
        self._key = vault.derive("passkey-challenge")

    async def of_session(self, signed_in: SignedIn) -> tuple[bytes, list[Passkey]]:
        """Return a challenge in place of the session's earlier one, and the user's passkeys; raises Unauthenticated where it has ended."""
        challenge = new_token().encode()

        async def work(tx: Transaction) -> list[Passkey]:
            if not await tx.sessions.set_challenge(signed_in.session.digest, challenge, self._clock.now() + LASTS):
                raise Unauthenticated("this session has ended: sign in again")
            return await tx.passkeys.of(signed_in.user.id)

        return challenge, await self._store.run(work)

    async def take(self, signed_in: SignedIn) -> bytes | None:
        """Use up the session's challenge; None where it was used already, or has expired."""
        return await self._store.run(lambda tx: tx.sessions.take_challenge(signed_in.session.digest, self._clock.now()))

    def at_the_door(self) -> bytes:
        """Return a challenge for somebody who has no session."""
        said = int((self._clock.now() + LASTS).timestamp()).to_bytes(_TIME) + secrets.token_bytes(_RANDOM)
        return said + self._seal(said)

    async def spend(self, challenge: bytes) -> None:
        """Use up a challenge of the door; raises SignInFailed where it was used already, has expired, or is none of ours."""
        said, seal = challenge[:-_SEAL], challenge[-_SEAL:]
        if len(said) != _TIME + _RANDOM or not hmac.compare_digest(self._seal(said), seal):
            raise SignInFailed
        if int.from_bytes(said[:_TIME]) <= self._clock.now().timestamp():
            raise SignInFailed(EXPIRED)
        try:
            await self._slowing.take(Subject(_ONCE, challenge.hex()))
        except RateLimited:
            raise SignInFailed(EXPIRED) from None

    def _seal(self, said: bytes) -> bytes:
        return hmac.digest(self._key, said, hashlib.sha256)
