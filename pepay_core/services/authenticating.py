"""Who is calling: API keys, checked against keyed digests."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import Forbidden, KeyExpired, KeyNotYetValid, KeyRevoked, MerchantSuspended, Unauthenticated
from pepay_core.domain.ids import ALPHABET, KeyId
from pepay_core.services.callers import Caller

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pepay_core.contracts.context import Clock
    from pepay_core.domain.merchants import ApiKey
    from pepay_core.secrets import Vault
    from pepay_core.services.ports import Store

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SECRET_CHARS: Final = 43
"""Enough characters of base 62 for 256 random bits."""

_KEY: Final = re.compile(rf"pepay_(test|live)_([{ALPHABET}]{{26}})_([0-9A-Za-z]{{{SECRET_CHARS}}})", re.ASCII)
_TOUCH_EVERY: Final = timedelta(minutes=1)
_MAX_TOUCHES: Final = 10_000


class KeyDigests:
    """Makes secrets and their keyed digests; of a secret nothing else is stored."""

    def __init__(self, vault: Vault) -> None:
        self._pepper = vault.derive("api-keys")

    def of(self, secret: str) -> bytes:
        """Return the digest of a secret."""
        return hmac.digest(self._pepper, secret.encode(), hashlib.sha256)

    @staticmethod
    def secret() -> str:
        """Return a new secret."""
        return "".join(secrets.choice(_BASE62) for _ in range(SECRET_CHARS))

    @staticmethod
    def text(key: ApiKey, secret: str) -> str:
        """Return a key as its owner sees it, once."""
        return f"pepay_{'live' if key.livemode else 'test'}_{key.id.removeprefix('key_')}_{secret}"


class Authenticating:
    """Turns the text of an API key into a :class:`Caller`, or says why not."""

    def __init__(self, store: Store, clock: Clock, vault: Vault) -> None:
        self._store = store
        self._clock = clock
        self._digests = KeyDigests(vault)
        self._touched: dict[KeyId, datetime] = {}

    async def authenticate(self, text: str, address: str | None) -> Caller:
        """Return the caller whose key this is.

        Raises Unauthenticated, KeyExpired, KeyNotYetValid, KeyRevoked, MerchantSuspended, or Forbidden when the address is not one that
        the key is bound to.
        What is wrong with a key is told only to whoever knows its secret.
        """
        match = _KEY.fullmatch(text)
        if match is None:
            raise Unauthenticated("this is not an API key of PePay")
        environment, identifier, secret = match.groups()
        async with self._store.read() as tx:
            key = await tx.keys.find(KeyId(f"key_{identifier}"))
            suspended = key is not None and await tx.merchants.is_suspended(key.merchant)
        given = self._digests.of(secret)
        if not hmac.compare_digest(given, key.digest if key else bytes(32)) or key is None or key.livemode is not (environment == "live"):
            raise Unauthenticated("there is no such API key")
        self._check(key, address)
        if suspended:
            raise MerchantSuspended
        return Caller(key.merchant, key.livemode, key.id, frozenset(key.scopes), key.writes_per_minute, key.expires_at, key.allowed_ips)

    def _check(self, key: ApiKey, address: str | None) -> None:
        if key.revoked_at is not None:
            raise KeyRevoked("this API key was revoked")
        now = self._clock.now()
        if key.expires_at is not None and key.expires_at <= now:
            raise KeyExpired("this API key has expired")
        if key.not_before is not None and key.not_before > now:
            raise KeyNotYetValid("this API key is not valid yet")
        if key.allowed_ips and not _is_within(address, key.allowed_ips):
            raise Forbidden("this API key may not be used from this address")

    async def touch(self, caller: Caller) -> None:
        """Note that a key was used, at most once a minute; call it after the answer was sent."""
        now, key = self._clock.now(), KeyId(caller.name)
        last = self._touched.get(key)
        if last is not None and now - last < _TOUCH_EVERY:
            return
        if len(self._touched) >= _MAX_TOUCHES:
            self._touched.clear()
        self._touched[key] = now
        async with self._store.begin() as tx:
            await tx.keys.touch(key, now)


def _is_within(address: str | None, networks: Iterable[str]) -> bool:
    try:
        ip = ip_address(address or "")
    except ValueError:
        return False
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return any(ip in ip_network(network, strict=False) for network in networks)
