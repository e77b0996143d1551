"""What the maker of a key may hand on: never more than they have."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING

from pepay_core.domain.errors import Forbidden
from pepay_core.domain.lifetimes import USUAL
from pepay_core.domain.merchants import KEY_SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from types import EllipsisType

    from pepay_core.services.callers import Caller
    from pepay_core.services.keeping_keys import KeyRequest


def narrowed(caller: Caller, request: KeyRequest, now: datetime, *, usual_writes: int) -> KeyRequest:
    """Return what is asked for, with the caller's own limits where nothing was said; raises Forbidden where more was asked for than they have."""
    for scope in request.scopes:
        if scope in KEY_SCOPES and not caller.may(scope):
            raise Forbidden(f"a key cannot give the scope {scope}, which it does not have", field="scopes")
    return replace(
        request,
        expires_in=_lifetime(caller, request, now),
        allowed_ips=_networks(caller.allowed_ips, request.allowed_ips),
        writes_per_minute=_writes(caller, request, usual_writes),
    )


def _lifetime(caller: Caller, request: KeyRequest, now: datetime) -> int | EllipsisType | None:
    if caller.expires_at is None:
        return request.expires_in
    left = (caller.expires_at - max(now, request.not_before or now)) // timedelta(seconds=1)
    if request.expires_in is ...:
        # Not a second longer than its maker; where that leaves next to nothing, the request is refused as any that is too short.
        return min(USUAL, left)
    if request.expires_in is None or request.expires_in > left:
        raise Forbidden("a key cannot make one that is valid for longer than itself", field="expires_in")
    return request.expires_in


def _networks(own: Iterable[str], asked: tuple[str, ...]) -> tuple[str, ...]:
    bounds = [ip_network(each) for each in own]
    if not bounds:
        return asked
    if not asked:
        return tuple(own)
    for each in asked:
        try:
            network = ip_network(each, strict=False)
        except ValueError:
            continue  # refused for what it is
        if not any(network.version == bound.version and network.subnet_of(bound) for bound in bounds):  # type: ignore[arg-type]
            raise Forbidden("a key cannot make one that may be used from where it may not be used itself", field="allowed_ips")
    return asked


def _writes(caller: Caller, request: KeyRequest, usual: int) -> int | None:
    if not caller.is_key:
        return request.writes_per_minute
    if request.writes_per_minute is None:
        return caller.writes_per_minute
    if request.writes_per_minute > (caller.writes_per_minute or usual):
        raise Forbidden("a key cannot make one that may do more in a minute than itself", field="writes_per_minute")
    return request.writes_per_minute
