"""``pepay merchant`` and ``pepay key``: make, list and revoke, on the machine where the database is."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import click

from pepay_core.cli.invocation import Invocation, as_json, as_table, pass_invocation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pepay_core.services.keeping_keys import KeepingKeys
    from pepay_core.services.ports import Store

as_json_option = click.option("--json", "json_", is_flag=True, help="Print for machines.")


@contextlib.asynccontextmanager
async def _opened(invocation: Invocation) -> AsyncIterator[tuple[Store, KeepingKeys]]:
    from pepay_core.clock import SystemClock
    from pepay_core.runtime import check_key
    from pepay_core.secrets import open_vault
    from pepay_core.services.keeping_keys import KeepingKeys
    from pepay_core.services.minting import Ids
    from pepay_core.storage.migrating import insist_migrated
    from pepay_core.storage.opening import open_store

    settings, clock = invocation.settings, SystemClock()
    vault = open_vault(settings, invocation.environ)
    await insist_migrated(settings.database_url, settings.database_name)
    async with open_store(settings.database_url, clock) as store:
        await check_key(store, vault)
        yield store, KeepingKeys(store, clock, Ids(clock), vault)


@click.group()
def merchant() -> None:
    """Make and list merchants."""


@merchant.command("create")
@click.argument("name")
@as_json_option
@pass_invocation
def create_merchant(invocation: Invocation, name: str, *, json_: bool) -> None:
    """Make a merchant with a test key and a live key, shown once."""
    from pepay_core.clock import SystemClock
    from pepay_core.services.founding import found
    from pepay_core.services.minting import Ids

    async def work() -> dict[str, Any]:
        clock = SystemClock()
        async with _opened(invocation) as (store, keys):
            made = await found(store, keys, Ids(clock), clock, name)
        return {"merchant": made.merchant.id, "name": made.merchant.name, "keys": {"test": made.test_key, "live": made.live_key}}

    made = asyncio.run(work())
    if json_:
        as_json(made)
    else:
        click.echo(f"Merchant  {made['merchant']}\nTest key  {made['keys']['test']}\nLive key  {made['keys']['live']}")


@merchant.command("list")
@as_json_option
@pass_invocation
def list_merchants(invocation: Invocation, *, json_: bool) -> None:
    """List the merchants."""

    async def work() -> list[dict[str, Any]]:
        async with _opened(invocation) as (store, _), store.read() as tx:
            return [
                {"id": each.id, "name": each.name, "currency": each.currency, "created_at": int(each.created_at.timestamp())}
                for each in await tx.merchants.all()
            ]

    found = asyncio.run(work())
    if json_:
        as_json(found)
    else:
        as_table(["MERCHANT", "NAME", "CURRENCY"], [[each["id"], each["name"], each["currency"]] for each in found])


@click.group()
def key() -> None:
    """Make, list and revoke API keys."""


@key.command("create")
@click.option("--merchant", "merchant_id", metavar="ID", help="Whose key; may be left out while there is one merchant.")
@click.option("--live", is_flag=True, help="For real money; a test key otherwise.")
@click.option("--name", default="made on the command line", show_default=True)
@click.option("--scope", "scopes", multiple=True, help="What it may do, as often as needed; everything when not given.")
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="After how many days it expires.")
@as_json_option
@pass_invocation
def create_key(invocation: Invocation, *, merchant_id: str | None, live: bool, name: str, scopes: tuple[str, ...], days: int, json_: bool) -> None:
    """Make an API key, shown once."""
    from pepay_core.domain.merchants import KEY_SCOPES
    from pepay_core.services.keeping_keys import KeyRequest

    async def work() -> dict[str, Any]:
        async with _opened(invocation) as (store, keys):
            owner = await _merchant(store, merchant_id)
            request = KeyRequest(name, scopes or KEY_SCOPES, days * 24 * 3600)
            async with store.begin() as tx:
                made, text = await keys.issue(tx, owner, request, livemode=live)
        return {"id": made.id, "merchant": owner, "livemode": live, "scopes": list(made.scopes), "key": text}

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
        async with _opened(invocation) as (store, keys):
            owner = await _merchant(store, merchant_id)
            found: list[dict[str, Any]] = []
            for livemode in (False, True):
                caller = Caller(owner, livemode, "command line")
                found += (await keys.page(caller, Page(limit=100))).items
            return found

    found = asyncio.run(work())
    if json_:
        as_json(found)
    else:
        as_table(["KEY", "LIVE", "NAME"], [[each["id"], "yes" if each["livemode"] else "no", each["name"]] for each in found])


@key.command("revoke")
@click.argument("key_id")
@click.option("--merchant", "merchant_id", metavar="ID")
@pass_invocation
def revoke_key(invocation: Invocation, key_id: str, *, merchant_id: str | None) -> None:
    """Withdraw an API key; it is refused from then on."""
    from pepay_core.domain.errors import NotFound
    from pepay_core.domain.ids import KeyId
    from pepay_core.services.callers import Caller

    async def work() -> None:
        async with _opened(invocation) as (store, keys):
            async with store.read() as tx:
                found = await tx.keys.find(KeyId(key_id))
            if found is None or (merchant_id and found.merchant != merchant_id):
                raise NotFound(f"there is no key {key_id}")
            await keys.revoke(Caller(found.merchant, found.livemode, "command line", frozenset(found.scopes)), key_id)

    asyncio.run(work())
    click.echo(f"{key_id} is revoked")


async def _merchant(store: Store, wanted: str | None) -> Any:
    from pepay_core.domain.errors import NotFound

    async with store.read() as tx:
        merchants = await tx.merchants.all()
    if wanted is None and len(merchants) == 1:
        return merchants[0].id
    for each in merchants:
        if each.id == wanted:
            return each.id
    raise NotFound(f"there is no merchant {wanted}" if wanted else "name the merchant with --merchant; `pepay merchant list` shows them")
