"""API keys: made, listed and revoked. A key is shown once, when it is made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

from pepay_core.domain.errors import Forbidden, InvalidInput, NotFound
from pepay_core.domain.ids import KeyId
from pepay_core.domain.merchants import KEY_SCOPES, ApiKey
from pepay_core.services.authenticating import KeyDigests
from pepay_core.services.paging import Slice
from pepay_core.services.presenting import seconds
from pepay_core.services.recording import Recorder, operator

if TYPE_CHECKING:
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


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """What a new key is asked to be; ``expires_in`` is in seconds, None means that it does not expire."""

    name: str
    scopes: tuple[str, ...] = KEY_SCOPES
    expires_in: int | None = None
    allowed_ips: tuple[str, ...] = ()
    writes_per_minute: int | None = None


class KeepingKeys:
    """Manages a merchant's keys, each environment apart."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, vault: Vault) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._digests = KeyDigests(vault)
        self.recorder = Recorder(clock, vault)

    async def create(self, caller: Caller, request: KeyRequest) -> dict[str, Any]:
        """Return a new key of the caller's environment, with its text under ``key``; its scopes are no wider than the caller's."""
        for scope in request.scopes:
            if scope in KEY_SCOPES:
                self._needs(caller, scope)
        async with self._store.begin() as tx:
            key, text = await self.issue(tx, caller.merchant, request, livemode=caller.livemode, by=caller)
        return {**_view(key), "key": text}

    async def issue(
        self, tx: Transaction, merchant: MerchantId, request: KeyRequest, *, livemode: bool, by: Actor | Caller | None = None
    ) -> tuple[ApiKey, str]:
        """Store a new key and return it with its text, which is not stored: for whoever needs no key to make one, the operator if nobody else."""
        _check(request)
        now, secret = self._clock.now(), self._digests.secret()
        key = ApiKey(
            id=self._ids.key(),
            merchant=merchant,
            livemode=livemode,
            name=request.name,
            scopes=tuple(scope for scope in KEY_SCOPES if scope in request.scopes),
            digest=self._digests.of(secret),
            created_at=now,
            expires_at=None if request.expires_in is None else now + timedelta(seconds=request.expires_in),
            allowed_ips=tuple(str(ip_network(each, strict=False)) for each in request.allowed_ips),
            writes_per_minute=request.writes_per_minute,
        )
        await tx.keys.add(key)
        await self.recorder.note(tx, by or operator(merchant, livemode=livemode), "key.created", key.id, _noted(key))
        return key, self._digests.text(key, secret)

    async def page(self, caller: Caller, page: Page) -> Slice[dict[str, Any]]:
        """Return the keys of the caller's environment, newest first, revoked ones included."""
        async with self._store.read() as tx:
            found = await tx.keys.page(caller.merchant, livemode=caller.livemode, page=page)
        return Slice(tuple(_view(key) for key in found.items), found.has_more)

    async def revoke(self, caller: Caller, key: str) -> dict[str, Any]:
        """Withdraw a key at once and for good; raises NotFound for one that is revoked already."""
        async with self._store.begin() as tx:
            found = await tx.keys.get(caller.merchant, KeyId(key))
            if found.livemode is not caller.livemode:
                raise NotFound("there is no such key in this environment")
            if found.revoked_at is not None:
                raise NotFound("this key is revoked already")
            found = replace(found, revoked_at=self._clock.now())
            await tx.keys.save(found)
            await self.recorder.note(tx, caller, "key.revoked", found.id, {"name": found.name})
        return _view(found)

    @staticmethod
    def _needs(caller: Caller, scope: str) -> None:
        try:
            caller.need(scope)
        except Forbidden:
            raise Forbidden(f"a key cannot give the scope {scope}, which it does not have", field="scopes") from None


def _check(request: KeyRequest) -> None:
    if not 1 <= len(request.name) <= MAX_NAME:
        raise InvalidInput(f"must have 1 to {MAX_NAME} characters", field="name")
    unknown = [scope for scope in request.scopes if scope not in KEY_SCOPES]
    if unknown or not request.scopes:
        raise InvalidInput(f"must be one or more of {', '.join(KEY_SCOPES)}", field="scopes")
    if request.expires_in is not None and not 60 <= request.expires_in <= 10 * 366 * 86_400:
        raise InvalidInput("must be between a minute and ten years, in seconds", field="expires_in")
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
        "created_at": seconds(key.created_at),
        "expires_at": seconds(key.expires_at),
        "revoked_at": seconds(key.revoked_at),
        "last_used_at": seconds(key.last_used_at),
    }


def _noted(key: ApiKey) -> dict[str, Any]:
    """Return what the audit log says of a new key."""
    return {"name": key.name, "scopes": list(key.scopes), "allowed_ips": list(key.allowed_ips), "expires_at": seconds(key.expires_at)}
