"""What a request costs whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from pepay_core.domain.errors import RateLimited
from pepay_core.web.asgi.facts import facts
from pepay_core.web.browsers import SAFE
from pepay_core.web.limiting import BUYERS, READS, SIGN_INS, WRITES, Zone, address_key

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection

    from pepay_core.runtime import Runtime
    from pepay_core.settings import LimitsSettings
    from pepay_core.web.limiting import Allowances

_READS_PER_WRITE: Final = 10


async def charge(connection: ASGIConnection[Any, Any, Any, Any], key: str, writes_per_minute: int | None = None) -> None:
    """Charge a key or a user for a read or a write; raises RateLimited."""
    limits = _limits(connection)
    writes = writes_per_minute or limits.writes_per_minute
    if connection.scope.get("method", "GET") in SAFE:
        # Whoever may write much, may read what they wrote.
        await _take(connection, READS, key, max(limits.reads_per_minute, writes * _READS_PER_WRITE))
    else:
        await _take(connection, WRITES, key, writes)


async def charge_buyer(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Charge the address of whoever looks at an invoice; raises RateLimited."""
    await _take(connection, BUYERS, address_key(facts(connection.scope).address), _limits(connection).buyers_per_minute)


async def charge_door(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Charge the address of whoever tries to show who they are; raises RateLimited, and StorageUnavailable while nobody can count."""
    await _take(connection, SIGN_INS, address_key(facts(connection.scope).address), _limits(connection).sign_ins_per_minute)


async def _take(connection: ASGIConnection[Any, Any, Any, Any], zone: Zone, key: str, limit: int) -> None:
    allowances = cast("Allowances", connection.app.state.allowances)
    standing = await allowances.take(zone, key, limit)
    facts(connection.scope).standing = standing
    if standing.wait:
        raise RateLimited(f"at most {standing.limit} {standing.zone} a minute", retry_after=standing.wait)


def _limits(connection: ASGIConnection[Any, Any, Any, Any]) -> LimitsSettings:
    return cast("Runtime", connection.app.state.runtime).settings.limits
