"""``pepay merchant``: make, list, suspend and resume merchants, on the machine where the database is."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from pepay_core.cli.invocation import Invocation, as_json, as_table, pass_invocation
from pepay_core.cli.keys import as_json_option, opened_keys


@click.group()
def merchant() -> None:
    """Make, list, suspend and resume merchants."""


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
        async with opened_keys(invocation) as (store, keys):
            made = await found(store, keys, Ids(clock), clock, name)
        return {"merchant": made.merchant.id, "name": made.merchant.name, "keys": {"test": made.test_key, "live": made.live_key}}

    made = asyncio.run(work())
    if json_:
        as_json(made)
    else:
        click.echo(f"Merchant  {made['merchant']}\nTest key  {made['keys']['test']}\nLive key  {made['keys']['live']}")
        click.echo(f"Nobody signs in to it yet: `pepay member add EMAIL owner --merchant {made['merchant']}` makes somebody its owner.", err=True)


@merchant.command("list")
@as_json_option
@pass_invocation
def list_merchants(invocation: Invocation, *, json_: bool) -> None:
    """List the merchants."""

    async def work() -> list[dict[str, Any]]:
        async with opened_keys(invocation) as (store, _), store.read() as tx:
            return [
                {
                    "id": each.id,
                    "name": each.name,
                    "currency": each.currency,
                    "created_at": int(each.created_at.timestamp()),
                    "suspended_at": None if each.suspended_at is None else int(each.suspended_at.timestamp()),
                }
                for each in await tx.merchants.all()
            ]

    found = asyncio.run(work())
    if json_:
        as_json(found)
    else:
        rows = [[each["id"], each["name"], each["currency"], "suspended" if each["suspended_at"] else "active"] for each in found]
        as_table(["MERCHANT", "NAME", "CURRENCY", "STATE"], rows)


@merchant.command("suspend")
@click.argument("id_", metavar="ID")
@pass_invocation
def suspend_merchant(invocation: Invocation, id_: str) -> None:
    """Let nothing new begin for a merchant; what its buyers owe is still watched and credited."""
    _set(invocation, id_, suspended=True)
    click.echo(f"{id_} is suspended")


@merchant.command("resume")
@click.argument("id_", metavar="ID")
@pass_invocation
def resume_merchant(invocation: Invocation, id_: str) -> None:
    """Let a suspended merchant go on."""
    _set(invocation, id_, suspended=False)
    click.echo(f"{id_} goes on")


def _set(invocation: Invocation, merchant_id: str, *, suspended: bool) -> None:
    from pepay_core.cli.users import opened_people
    from pepay_core.services.recording import operator

    async def work() -> None:
        async with opened_people(invocation) as (_, people):
            act = people.platform.suspend if suspended else people.platform.resume
            await act(operator(), merchant_id)

    asyncio.run(work())
