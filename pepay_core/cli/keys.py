"""``pepay key``: make, list, rotate and revoke, on the machine where the database is."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from pepay_core.cli.invocation import Invocation, as_json, as_table, pass_invocation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pepay_core.domain.ids import MerchantId
    from pepay_core.services.callers import Caller
    from pepay_core.services.keeping_keys import KeepingKeys
    from pepay_core.services.ports import Store

_US: Final = "command line"
_DAY: Final = 24 * 3600

as_json_option = click.option("--json", "json_", is_flag=True, help="Print for machines.")


@contextlib.asynccontextmanager
async def opened_keys(invocation: Invocation) -> AsyncIterator[tuple[Store, KeepingKeys]]:
    """Open the database and what makes keys."""
    from pepay_core.clock import SystemClock
    from pepay_core.secrets import open_vault
    from pepay_core.services.keeping_keys import KeepingKeys
    from pepay_core.services.minting import Ids
    from pepay_core.services.unlocking import unlock
    from pepay_core.storage.migrating import insist_migrated
    from pepay_core.storage.opening import open_store

    settings, clock = invocation.settings, SystemClock()
    vault = open_vault(settings, invocation.environ)
    await insist_migrated(settings.database_url, settings.database_name)
    async with open_store(settings.database_url, clock) as store:
        await unlock(store, vault)
        yield store, KeepingKeys(store, clock, Ids(clock), vault)


@click.group()
def key() -> None:
    """Make, list, rotate and revoke API keys."""


@key.command("create")
@click.option("--merchant", "merchant_id", metavar="ID", help="Whose key; may be left out while there is one merchant.")
@click.option("--live", is_flag=True, help="For real money; a test key otherwise.")
@click.option("--name", default="made on the command line", show_default=True)
@click.option("--scope", "scopes", multiple=True, help="What it may do, as often as needed; everything when not given.")
@click.option(
    "--expires",
    metavar="TIME",
    help="When it expires: 1h, 1d, 7d, 30d, 90d, 1y, a number of days such as 45d, or never; 90d when not given.",
)
@click.option("--days", type=click.IntRange(1, 3650), help="The same as a number of days.")
@click.option("--not-before", metavar="MOMENT", help="From when it is valid: epoch seconds, or a time such as 2026-12-01T00:00:00Z.")
@click.option("--ip", "ips", multiple=True, metavar="NETWORK", help="From where it may be used, as often as needed; from anywhere when not given.")
@click.option("--writes-per-minute", type=click.IntRange(1), help="How often it may write; as configured for all when not given.")
@as_json_option
@pass_invocation
def create_key(
    invocation: Invocation,
    *,
    merchant_id: str | None,
    live: bool,
    name: str,
    scopes: tuple[str, ...],
    expires: str | None,
    days: int | None,
    not_before: str | None,
    ips: tuple[str, ...],
    writes_per_minute: int | None,
    json_: bool,
) -> None:
    """Make an API key, shown once."""
    from pepay_core.domain.merchants import KEY_SCOPES
    from pepay_core.services.keeping_keys import KeyRequest

    if expires is not None and days is not None:
        raise click.UsageError("give --expires or --days, not both")
    lifetime = days * _DAY if days is not None else _lifetime(expires)
    begins = None if not_before is None else _moment(not_before)
    request = KeyRequest(name, scopes or KEY_SCOPES, lifetime, ips, writes_per_minute, begins)

    async def work() -> dict[str, Any]:
        async with opened_keys(invocation) as (store, keys):
            owner = await whose(store, merchant_id)
            async with store.begin() as tx:
                made, text = await keys.issue(tx, owner, request, livemode=live)
        return {
            "id": made.id,
            "merchant": owner,
            "livemode": live,
            "scopes": list(made.scopes),
            "expires_at": None if made.expires_at is None else int(made.expires_at.timestamp()),
            "key": text,
        }

    made = asyncio.run(work())
    if json_:
        as_json(made)
    else:
        click.echo(made["key"])


@key.command("list")
@click.option("--merchant", "merchant_id", metavar="ID")
@as_json_option
@pass_invocation
def list_keys(invocation: Invocation, *, merchant_id: str | None, json_: bool) -> None:
    """List API keys, without their secrets."""
    from pepay_core.services.callers import Caller
    from pepay_core.services.paging import Page

    async def work() -> list[dict[str, Any]]:
        async with opened_keys(invocation) as (store, keys):
            owner = await whose(store, merchant_id)
            found: list[dict[str, Any]] = []
            for livemode in (False, True):
                caller = Caller(owner, livemode, _US)
                found += (await keys.page(caller, Page(limit=100))).items
            return found

    found = asyncio.run(work())
    if json_:
        as_json(found)
    else:
        now = int(time.time())
        rows = [[each["id"], "yes" if each["livemode"] else "no", each["name"], _state(each, now), _day(each["last_used_at"])] for each in found]
        as_table(["KEY", "LIVE", "NAME", "STATE", "LAST USED"], rows)


@key.command("rotate")
@click.argument("key_id")
@click.option("--merchant", "merchant_id", metavar="ID", help="Rotate it only if it is this merchant's.")
@click.option("--overlap", type=click.IntRange(0, 7 * 24 * 3600), default=24 * 3600, show_default=True, help="Seconds for which the old key goes on.")
@as_json_option
@pass_invocation
def rotate_key(invocation: Invocation, key_id: str, *, merchant_id: str | None, overlap: int, json_: bool) -> None:
    """Make a key that may do the same, shown once; the old one goes on for a while."""

    async def work() -> dict[str, Any]:
        async with opened_keys(invocation) as (store, keys):
            return await keys.rotate(await owner_of(store, key_id, merchant_id), key_id, overlap)

    made = asyncio.run(work())
    if json_:
        as_json(made)
    else:
        click.echo(made["key"])
        click.echo(f"{key_id} expires {_day(made['replaced_expires_at'])}", err=True)


@key.command("revoke")
@click.argument("key_id")
@click.option("--merchant", "merchant_id", metavar="ID")
@pass_invocation
def revoke_key(invocation: Invocation, key_id: str, *, merchant_id: str | None) -> None:
    """Withdraw an API key; it is refused from then on."""

    async def work() -> None:
        async with opened_keys(invocation) as (store, keys):
            await keys.revoke(await owner_of(store, key_id, merchant_id), key_id)

    asyncio.run(work())
    click.echo(f"{key_id} is revoked")


async def owner_of(store: Store, key_id: str, merchant_id: str | None) -> Caller:
    """Return a caller that may do to a key whatever the machine's owner may."""
    from pepay_core.domain.errors import NotFound
    from pepay_core.domain.ids import KeyId
    from pepay_core.domain.merchants import SCOPES
    from pepay_core.services.callers import Caller

    async with store.read() as tx:
        found = await tx.keys.find(KeyId(key_id))
    if found is None or (merchant_id and found.merchant != merchant_id):
        raise NotFound(f"there is no key {key_id}")
    return Caller(found.merchant, found.livemode, _US, frozenset(SCOPES))


def _lifetime(text: str | None) -> Any:
    """Return the seconds of a time such as ``45d``; None for one that never ends."""
    from pepay_core.domain.errors import InvalidInput
    from pepay_core.domain.lifetimes import PRESETS, read_lifetime

    if text is None:
        return ...
    days = text.removesuffix("d")
    if text not in PRESETS and text.endswith("d") and days.isascii() and days.isdecimal():
        return int(days) * _DAY
    try:
        return read_lifetime(text)
    except InvalidInput as exc:
        raise click.BadParameter(exc.message.replace("seconds", "days such as 45d"), param_hint="--expires") from None


def _moment(text: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(text), UTC) if text.isdecimal() else datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter("must be epoch seconds, or a time such as 2026-12-01T00:00:00Z", param_hint="--not-before") from None


def _state(key: dict[str, Any], now: int) -> str:
    if key["revoked_at"] is not None:
        return "revoked"
    if key["expires_at"] is not None and key["expires_at"] <= now:
        return f"expired {_day(key['expires_at'])}"
    if key["not_before"] is not None and key["not_before"] > now:
        return f"from {_day(key['not_before'])}"
    return f"until {_day(key['expires_at'])}" if key["expires_at"] is not None else "never expires"


def _day(at: int | None) -> str:
    return "never" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


async def whose(store: Store, wanted: str | None) -> MerchantId:
    """Return the merchant that is named, or the only one; raises NotFound."""
    from pepay_core.domain.errors import NotFound

    async with store.read() as tx:
        merchants = await tx.merchants.all()
    if wanted is None and len(merchants) == 1:
        return merchants[0].id
    for each in merchants:
        if each.id == wanted:
            return each.id
    raise NotFound(f"there is no merchant {wanted}" if wanted else "name the merchant with --merchant; `pepay merchant list` shows them")
