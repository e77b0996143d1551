"""``pepay chain``: how far each chain was looked at, and looking again."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import click

from pepay_core.cli.invocation import Invocation, as_json, as_table, pass_invocation
from pepay_core.cli.opening import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_STALE: Final = 60
"""Seconds after which what is written down is no longer what is: a watcher that runs writes every ten."""


@click.group()
def chain() -> None:
    """See how far each chain was looked at, and look again."""


def _range(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which blocks are read, and through whom."""
    for option in (
        click.option("--json", "json_", is_flag=True, help="Print for machines."),
        click.option("--provider", metavar="ENDPOINT", help="Ask this endpoint alone, named as `pepay chain status --json` does."),
        click.option("--to", "last", type=click.IntRange(min=0), metavar="HEIGHT", required=True, help="The last block."),
        click.option("--from", "first", type=click.IntRange(min=0), metavar="HEIGHT", required=True, help="The first block."),
        click.argument("chain_id", metavar="CHAIN"),
    ):
        command = option(command)
    return command


@chain.command()
@click.option("--json", "json_", is_flag=True, help="Print for machines.")
@pass_invocation
def status(invocation: Invocation, *, json_: bool) -> None:
    """Show the newest known block, the covered range and the health of each chain and of its endpoints, as the watchers last wrote them down."""
    rows = asyncio.run(_status(invocation))
    if json_:
        as_json(rows)
        return
    if not rows:
        click.echo("No network is configured. Next: name one under [plugin.evm.networks] or [plugin.solana.clusters] in pepay.toml")
        return
    as_table(
        ["CHAIN", "NAME", "STATE", "TIP", "COVERED", "LAG"],
        [[row["id"], row["name"], row["state"], _text(row["tip"]), _ranges(row["covered"]), _text(row["lag"])] for row in rows],
    )
    for row in rows:
        if row["reason"]:
            click.echo(f"\n{row['id']}: {row['reason']}")
        if stale := _stale(row["checked_at"], int(time.time())):
            click.echo(f"\n{row['id']}: {stale}")
        if row["catching_up"]:
            click.echo(f"\n{row['id']}: {_progress(row['catching_up'])}")
    endpoints = [[row["id"], each["endpoint"], each["state"], _text(each["head"]), each["reason"] or ""] for row in rows for each in row["endpoints"]]
    if endpoints:
        click.echo("")
        as_table(["CHAIN", "ENDPOINT", "STATE", "HEAD", ""], endpoints)


@chain.command()
@_range
@pass_invocation
def rescan(invocation: Invocation, chain_id: str, first: int, last: int, provider: str | None, *, json_: bool) -> None:
    """Look at blocks again, for every address that was ever given out, and credit what is new. The server may run meanwhile."""
    found = asyncio.run(_rescan(invocation, chain_id, first, last, provider, show=not json_))
    if json_:
        as_json(found)
        return
    click.echo(f"{found['seen']} transfers seen in blocks {first} to {found['reached']}, {len(found['credited'])} of them new.")
    if found["credited"]:
        as_table(
            ["PAYMENT", "INVOICE", "BLOCK", "TRANSACTION"],
            [[each["payment"], each["invoice"], str(each["block"]), each["transaction"]] for each in found["credited"]],
        )


@chain.command()
@_range
@pass_invocation
def audit(invocation: Invocation, chain_id: str, first: int, last: int, provider: str | None, *, json_: bool) -> int:
    """Compare blocks with the database, and change nothing. The exit code is 1 when anything differs."""
    found = asyncio.run(_audit(invocation, chain_id, first, last, provider, show=not json_))
    if json_:
        as_json(found)
    else:
        click.echo(f"{found['matching']} payments are as the chain has them.")
        for name, said in (
            ("missing", "on the chain, and not in the database"),
            ("extra", "in the database, and not on the chain"),
            ("different", "otherwise in the database than on the chain"),
        ):
            for each in found[name]:
                what = each["on_chain"] if name == "different" else each
                click.echo(f"{name}: {what['transaction']} in block {what['block']}, {what['amount_base_units']} units of {what['asset']}: {said}")
        if found["missing"]:
            click.echo(f"\nNext: pepay chain rescan {chain_id} --from {first} --to {last}")
    return 0 if found["clean"] else 1


def _stale(checked_at: int | None, now: int) -> str | None:
    """Say of what time a statement is that nobody renews."""
    age = now - (checked_at or now)
    if age <= _STALE:
        return None
    return f"this is how it was {age // 60} min ago, and nobody has looked since: is `pepay serve` running?"


async def _status(invocation: Invocation) -> list[dict[str, Any]]:
    from pepay_core.services.callers import Caller

    async with opened(invocation) as runtime:
        async with runtime.store.read() as tx:
            merchants = await tx.merchants.all()
        rows: list[dict[str, Any]] = []
        for livemode in (True, False):
            # Which merchant asks makes no difference to a chain.
            owner = merchants[0].id if merchants else runtime.ids.merchant()
            rows += await runtime.offering.chains(Caller(owner, livemode, "command line"))
        return rows


async def _rescan(invocation: Invocation, chain_id: str, first: int, last: int, provider: str | None, *, show: bool) -> dict[str, Any]:
    from pepay_core.services.explanations import rescan_object
    from pepay_core.services.recording import operator

    async with opened(invocation) as runtime:
        noted = {"from": first, "to": last, "endpoint": provider}
        await runtime.store.run(lambda tx: runtime.recorder.note(tx, operator(), "chain.rescanned", chain_id, noted))
        with _bar(last - first + 1, show=show) as progress:
            found = await runtime.rescanning.rescan(chain_id, first, last, source=provider, progress=progress)
    return rescan_object(chain_id, last, found)


async def _audit(invocation: Invocation, chain_id: str, first: int, last: int, provider: str | None, *, show: bool) -> dict[str, Any]:
    from pepay_core.services.explanations import audit_object

    async with opened(invocation) as runtime:
        with _bar(last - first + 1, show=show) as progress:
            found = await runtime.auditing.audit(chain_id, first, last, source=provider, progress=progress)
    return audit_object(chain_id, found)


@contextlib.contextmanager
def _bar(blocks: int, *, show: bool) -> Iterator[Callable[[int], None]]:
    """Show how many blocks are done, to people only."""
    if not show or not sys.stderr.isatty():
        yield lambda _done: None
        return
    with click.progressbar(length=max(blocks, 1), label="blocks", file=sys.stderr, show_pos=True) as bar:
        yield lambda done: bar.update(done - bar.pos)


def _progress(catching_up: dict[str, Any]) -> str:
    eta = catching_up["eta"]
    left = "and the tip gets away" if eta is None else f"about {eta // 60} min {eta % 60} s to go"
    return f"{catching_up['blocks_behind']} blocks behind, {catching_up['blocks_per_second']} blocks/s, {left}"


def _text(value: object) -> str:
    return "-" if value is None else str(value)


def _ranges(covered: list[dict[str, Any]]) -> str:
    """Return what was looked at, whoever answered."""
    ranges: list[list[int]] = []
    for each in covered:
        if ranges and ranges[-1][1] + 1 == each["from_block"]:
            ranges[-1][1] = each["to_block"]
        elif each["to_block"] >= each["from_block"]:
            ranges.append([each["from_block"], each["to_block"]])
    return ", ".join(f"{first}-{last}" for first, last in ranges) or "-"
