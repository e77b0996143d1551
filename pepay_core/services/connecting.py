"""Handing a shop an API key of its own, with a member's consent and without the key ever being in a URL.

A member who may make keys says yes, and the shop gets a code that works once, for two minutes, and only together with what the shop
alone knows. The key is made when the shop fetches it, and is stored nowhere but as any other.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.connecting import ConnectRequest, Grant, is_answer
from pepay_core.domain.errors import Forbidden, InvalidGrant
from pepay_core.domain.ids import UserId
from pepay_core.domain.roles import ROLES
from pepay_core.services.callers import Caller
from pepay_core.services.keeping_keys import KeepingKeys, KeyRequest

if TYPE_CHECKING:
    from pepay_core.contracts.context import Clock
    from pepay_core.services.ports import Store, Transaction

GOOD_FOR: Final = timedelta(minutes=2)
"""How long a shop has to fetch its key."""

_CODE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class Connecting:
    """Takes a member's consent, and gives the key to the shop that asked."""

    def __init__(self, store: Store, clock: Clock, keys: KeepingKeys) -> None:
        self._store = store
        self._clock = clock
        self._keys = keys

    async def consent(self, caller: Caller, request: ConnectRequest) -> str:
        """Return where the browser of a member who said yes goes back to, with a code for the shop.

        Raises Forbidden for a member who may not make keys, or not one that can do all this.
        """
        insist_may_grant(caller, request)
        now, code = self._clock.now(), secrets.token_urlsafe(32)
        grant = Grant(
            digest=_digest(code),
            merchant=caller.merchant,
            user=UserId(caller.name),
            livemode=caller.livemode,
            name=request.name,
            scopes=request.scopes,
            origin=request.origin,
            challenge=request.challenge,
            lifetime=request.lifetime,
            created_at=now,
            expires_at=now + GOOD_FOR,
        )

        async def work(tx: Transaction) -> None:
            await tx.grants.sweep(now)
            await tx.grants.add(grant)
            details = {"name": grant.name, "origin": grant.origin, "scopes": list(grant.scopes), "expires_in": grant.lifetime}
            await self._keys.recorder.note(tx, caller, "key.granted", grant.user, details)

        await self._store.run(work)
        return request.back(code=code)

    async def exchange(self, code: str, verifier: str) -> dict[str, Any]:
        """Return a new key for the shop that proves to be the one who asked; raises InvalidGrant.

        A code is used up by the first who tries it, whatever comes of it. The member must still be one who could give the key.
        """
        if not _CODE.fullmatch(code):
            raise InvalidGrant
        grant = await self._store.run(lambda tx: tx.grants.take(_digest(code)))
        if grant is None or grant.expires_at <= self._clock.now() or not is_answer(grant.challenge, verifier):
            raise InvalidGrant
        return await self._store.run(lambda tx: self._made(tx, grant))

    async def _made(self, tx: Transaction, grant: Grant) -> dict[str, Any]:
        member, user = await tx.members.find(grant.merchant, grant.user), await tx.users.find(grant.user)
        if member is None or user is None or user.suspended_at is not None or await tx.merchants.is_suspended(grant.merchant):
            raise InvalidGrant
        caller = Caller(grant.merchant, grant.livemode, grant.user, ROLES[member.role])
        if not caller.may("keys:write") or not all(map(caller.may, grant.scopes)):
            raise InvalidGrant
        made = await self._keys.make(tx, caller, KeyRequest(grant.name, grant.scopes, grant.lifetime))
        return {**made, "merchant": grant.merchant}


def insist_may_grant(caller: Caller, request: ConnectRequest) -> None:
    """Raise Forbidden unless a member could make such a key by hand."""
    if not caller.may("keys:write"):
        raise Forbidden("your role may not make API keys: ask an owner or admin of the merchant")
    missing = [scope for scope in request.scopes if not caller.may(scope)]
    if missing:
        raise Forbidden(f"your role cannot give {', '.join(missing)}: ask an owner or admin of the merchant", field="scopes")


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
