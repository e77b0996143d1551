"""``pepay chain``: how far each chain was looked at."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from pepay_core.cli.invocation import Invocation, as_json, as_table, pass_invocation


@click.group()
def chain() -> None:
    """See how far each chain was looked at."""


@chain.command()
@click.option("--json", "json_", is_flag=True, help="Print for machines.")
@pass_invocation
def status(invocation: Invocation, *, json_: bool) -> None:
    """Show the newest known block, the covered range and the health of each chain, as the watchers last wrote them down."""
    rows = asyncio.run(_status(invocation))
    if json_:
        as_json(rows)
        return
    if not rows:
        click.echo("No network is configured. Next: name one under [plugin.evm.networks] in pepay.toml")
        return
    as_table(
        ["CHAIN", "NAME", "STATE", "TIP", "COVERED", "LAG"],
        [[row["id"], row["name"], row["state"], _text(row["tip"]), _ranges(row["covered"]), _text(row["lag"])] for row in rows],
    )
    for row in rows:
        if row["reason"]:
            click.echo(f"\n{row['id']}: {row['reason']}")


async def _status(invocation: Invocation) -> list[dict[str, Any]]:
    from pepay_core.runtime import Runtime
    from pepay_core.services.callers import Caller

    async with Runtime.open(invocation.settings, workers=False, environ=invocation.environ) as runtime:
        async with runtime.store.read() as tx:
            merchants = await tx.merchants.all()
        rows: list[dict[str, Any]] = []
        for livemode in (True, False):
            # Which merchant asks makes no difference to a chain.
            owner = merchants[0].id if merchants else runtime.ids.merchant()
            rows += await runtime.offering.chains(Caller(owner, livemode, "command line"))
        return rows


def _text(value: object) -> str:
    return "-" if value is None else str(value)


def _ranges(covered: list[dict[str, Any]]) -> str:
    return ", ".join(f"{each['from_block']}-{each['to_block']}" for each in covered if each["to_block"] >= each["from_block"]) or "-"
