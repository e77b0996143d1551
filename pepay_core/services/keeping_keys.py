"""API keys: made, listed, rotated and revoked. A key is shown once, when it is made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.errors import InvalidInput, NotFound
from pepay_core.domain.ids import KeyId
from pepay_core.domain.lifetimes import LONGEST, SHORTEST, USUAL
from pepay_core.domain.merchants import KEY_SCOPES, ApiKey
from pepay_core.services.authenticating import KeyDigests
from pepay_core.services.delegating import narrowed
from pepay_core.services.idempotency import answer
from pepay_core.services.paging import Slice
from pepay_core.services.presenting import seconds
from pepay_core.services.recording import COMMAND_LINE, Recorder, operator

if TYPE_CHECKING:
    from datetime import datetime
    from types import EllipsisType

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.audit import Actor
    from pepay_core.domain.ids import MerchantId
    from pepay_core.secrets import Vault
    from pepay_core.services.callers import Caller
    from pepay_core.services.minting import Ids
    from pepay_core.services.paging import Page
    from pepay_core.services.ports import Store, Transaction

MAX_NAME: Final = 100
MAX_NETWORKS: Final = 50
MAX_RATE: Final = 1_000_000
MAX_OVERLAP: Final = 7 * 24 * 3600
USUAL_OVERLAP: Final = 24 * 3600
"""For how many seconds a key goes on that was rotated, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """What a new key is asked to be.

    ``expires_in`` is in seconds from when it is valid: None means that it does not expire, and ninety days are meant where nothing is
    said. ``not_before`` is when it begins to be valid, now where nothing is said.
    """

    name: str
    scopes: tuple[str, ...] = KEY_SCOPES
    expires_in: int | EllipsisType | None = ...
    allowed_ips: tuple[str, ...] = ()
    writes_per_minute: int | None = None
    not_before: datetime | None = None


class KeepingKeys:
    """Manages a merchant's keys, each environment apart. ``usual_writes`` is the limit of a key of which nothing is said."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, vault: Vault, *, usual_writes: int = 100) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._digests = KeyDigests(vault)
        self._usual_writes = usual_writes
        self.recorder = Recorder(clock, vault)

    async def create(self, caller: Caller, request: KeyRequest) -> dict[str, Any]:
        """Return a new key of the caller's environment, with its text under ``key``.

        It is in nothing wider than the caller: scopes, lifetime, addresses, limit. Raises Forbidden, InvalidInput.
        """
        return await answer(self._store, lambda tx: self.make(tx, caller, request))

    async def make(self, tx: Transaction, caller: Caller, request: KeyRequest) -> dict[str, Any]:
        """Do the same in a transaction that is open."""
        request = narrowed(caller, request, self._clock.now(), usual_writes=self._usual_writes)
        key, text = await self.issue(tx, caller.merchant, request, livemode=caller.livemode, by=caller)
        return {**_view(key), "key": text}

    async def issue(
        self, tx: Transaction, merchant: MerchantId, request: KeyRequest, *, livemode: bool, by: Actor | Caller | None = None
    ) -> tuple[ApiKey, str]:
        """Store a new key and return it with its text, which is not stored: for whoever needs no key to make one, the operator if nobody else."""
        now, secret = self._clock.now(), self._digests.secret()
        _check(request, now)
        begins = max(now, request.not_before or now)
        lifetime = USUAL if request.expires_in is ... else request.expires_in
        key = ApiKey(
            id=self._ids.key(),
            merchant=merchant,
            livemode=livemode,
            name=request.name,
            scopes=tuple(scope for scope in KEY_SCOPES if scope in request.scopes),
            digest=self._digests.of(secret),
            created_at=now,
            expires_at=None if lifetime is None else begins + timedelta(seconds=lifetime),
            allowed_ips=tuple(str(ip_network(each, strict=False)) for each in request.allowed_ips),
            writes_per_minute=request.writes_per_minute,
            not_before=begins if begins > now else None,
            made_by=by.name if by else COMMAND_LINE,
        )
        await tx.keys.add(key)
        await self.recorder.note(tx, by or operator(merchant, livemode=livemode), "key.created", key.id, _noted(key))
        return key, self._digests.text(key, secret)

    async def page(self, caller: Caller, page: Page) -> Slice[dict[str, Any]]:
        """Return the keys of the caller's environment, newest first, revoked ones included."""
        async with self._store.read() as tx:
            found = await tx.keys.page(caller.merchant, livemode=caller.livemode, page=page)
        return Slice(tuple(_view(key) for key in found.items), found.has_more)

    async def rotate(self, caller: Caller, key: str, overlap: int = USUAL_OVERLAP) -> dict[str, Any]:
        """Return a new key in place of another, which expires after so many seconds; 0 is at once.

        The new one may do the same from the same places, and is valid for as long as the old one was, or for as long as the caller is.
        Raises NotFound for a key that is not valid any more, and Forbidden for one that is wider than the caller.
        """
        if not 0 <= overlap <= MAX_OVERLAP:
            raise InvalidInput(f"must be between 0 and {MAX_OVERLAP} seconds", field="overlap")

        async def work(tx: Transaction) -> dict[str, Any]:
            now = self._clock.now()
            old = await self._live(tx, caller, key, now)
            request = _like(old)
            if caller.expires_at is not None and isinstance(request.expires_in, int):
                left = (caller.expires_at - now) // timedelta(seconds=1)
                request = replace(request, expires_in=max(SHORTEST, min(request.expires_in, left)))
            request = narrowed(caller, request, now, usual_writes=self._usual_writes)
            new, text = await self.issue(tx, caller.merchant, request, livemode=caller.livemode, by=caller)
            ends = now + timedelta(seconds=overlap)
            old = replace(old, expires_at=ends if old.expires_at is None else min(old.expires_at, ends))
            await tx.keys.save(old)
            await self.recorder.note(tx, caller, "key.rotated", old.id, {"by": new.id, "expires_at": seconds(old.expires_at)})
            return {**_view(new), "key": text, "replaces": old.id, "replaced_expires_at": seconds(old.expires_at)}

        return await answer(self._store, work)

    async def revoke(self, caller: Caller, key: str) -> dict[str, Any]:
        """Withdraw a key at once and for good; raises NotFound for one that is revoked already."""

        async def work(tx: Transaction) -> ApiKey:
            found = await tx.keys.get(caller.merchant, KeyId(key), livemode=caller.livemode, lock=True)
            if found.revoked_at is not None:
                raise NotFound("this key is revoked already")
            revoked = replace(found, revoked_at=self._clock.now())
            await tx.keys.save(revoked)
            await self.recorder.note(tx, caller, "key.revoked", found.id, {"name": found.name})
            return revoked

        return _view(await self._store.run(work))

    @staticmethod
    async def _live(tx: Transaction, caller: Caller, key: str, now: datetime) -> ApiKey:
        """Return a key that is valid, or will be, and keep it from being changed by others meanwhile."""
        found = await tx.keys.get(caller.merchant, KeyId(key), livemode=caller.livemode, lock=True)
        if found.revoked_at is not None or (found.expires_at is not None and found.expires_at <= now):
            raise NotFound("this key is revoked or has expired")
        return found


def _like(key: ApiKey) -> KeyRequest:
    """Return the request that would have made a key."""
    lifetime = None
    if key.expires_at is not None:
        lifetime = max(SHORTEST, (key.expires_at - (key.not_before or key.created_at)) // timedelta(seconds=1))
    return KeyRequest(key.name, key.scopes, lifetime, key.allowed_ips, key.writes_per_minute)


def _check(request: KeyRequest, now: datetime) -> None:
    if not 1 <= len(request.name) <= MAX_NAME:
        raise InvalidInput(f"must have 1 to {MAX_NAME} characters", field="name")
    unknown = [scope for scope in request.scopes if scope not in KEY_SCOPES]
    if unknown or not request.scopes:
        raise InvalidInput(f"must be one or more of {', '.join(KEY_SCOPES)}", field="scopes")
    if isinstance(request.expires_in, int) and not SHORTEST <= request.expires_in <= LONGEST:
        raise InvalidInput("must be between a minute and ten years, in seconds", field="expires_in")
    if request.not_before is not None and request.not_before > now + timedelta(seconds=LONGEST):
        raise InvalidInput("must be within ten years", field="not_before")
    if request.writes_per_minute is not None and not 1 <= request.writes_per_minute <= MAX_RATE:
        raise InvalidInput(f"must be between 1 and {MAX_RATE}", field="writes_per_minute")
    if len(request.allowed_ips) > MAX_NETWORKS:
        raise InvalidInput(f"must have at most {MAX_NETWORKS} entries", field="allowed_ips")
    for each in request.allowed_ips:
        try:
            ip_network(each, strict=False)
        except ValueError:
            raise InvalidInput(f"{each[:60]!r} is not an IP address or network such as 203.0.113.0/24", field="allowed_ips") from None


def _view(key: ApiKey) -> dict[str, Any]:
    return {
        "object": "api_key",
        "id": key.id,
        "livemode": key.livemode,
        "name": key.name,
        "scopes": list(key.scopes),
        "allowed_ips": list(key.allowed_ips),
        "writes_per_minute": key.writes_per_minute,
        "made_by": key.made_by,
        "created_at": seconds(key.created_at),
        "not_before": seconds(key.not_before),
        "expires_at": seconds(key.expires_at),
        "revoked_at": seconds(key.revoked_at),
        "last_used_at": seconds(key.last_used_at),
    }


def _noted(key: ApiKey) -> dict[str, Any]:
    """Return what the audit log says of a new key."""
    return {"name": key.name, "scopes": list(key.scopes), "allowed_ips": list(key.allowed_ips), "expires_at": seconds(key.expires_at)}
