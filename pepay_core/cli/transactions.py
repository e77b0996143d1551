"""``pepay tx``: what became of a transaction."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from pepay_core.cli.invocation import Invocation, as_json, as_table, pass_invocation
from pepay_core.cli.opening import opened


@click.group()
def tx() -> None:
    """Say what became of a transaction."""


@tx.command()
@click.argument("hash_", metavar="HASH")
@click.option("--chain", metavar="CHAIN", help="Ask this chain alone; all of them otherwise.")
@click.option("--json", "json_", is_flag=True, help="Print for machines.")
@pass_invocation
def explain(invocation: Invocation, hash_: str, chain: str | None, *, json_: bool) -> None:
    """Say whether a transaction was credited, and if not, why not and what to do. The server may run meanwhile."""
    found = asyncio.run(_explain(invocation, hash_, chain))
    if json_:
        as_json(found)
        return
    reason = f" ({found['reason']})" if found["reason"] else ""
    click.echo(f"{found['answer']}{reason}\n{found['message']}")
    if found["block"] is not None:
        click.echo(f"{found['chain']}, block {found['block']}")
    if found["transfers"]:
        click.echo()
        rows = [[_line(each), each["to"], each["reason"] or each["answer"], each["invoice"] or "-"] for each in found["transfers"]]
        as_table(["AMOUNT", "TO", "ANSWER", "INVOICE"], rows)
    if found["rescan"]:
        again = found["rescan"]
        click.echo(f"\nNext: pepay chain rescan {found['chain']} --from {again['from_block']} --to {again['to_block']}")
    for each in found["asked"]:
        if each["problem"]:
            click.echo(f"\n{each['chain']} was not asked: {each['problem']}")


async def _explain(invocation: Invocation, transaction: str, chain: str | None) -> dict[str, Any]:
    from pepay_core.services.explanations import explanation_object

    async with opened(invocation) as runtime:
        return explanation_object(await runtime.explaining.explain(transaction, chain_id=chain), runtime.catalogue)


def _line(part: dict[str, Any]) -> str:
    if part["amount"] is not None:
        return f"{part['amount']} {part['symbol']}"
    return f"{part['amount_base_units'] or '?'} units of {part['asset']}"
