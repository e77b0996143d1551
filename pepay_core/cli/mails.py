"""``pepay mail``: what became of letters, and whether mail works at all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from pepay_core.cli.invocation import Invocation, as_json, as_table, pass_invocation

if TYPE_CHECKING:
    from pepay_core.runtime import Runtime

as_json_option = click.option("--json", "json_", is_flag=True, help="Print for machines.")


@click.group()
def mail() -> None:
    """See what became of letters, and send a test."""


@mail.command("list")
@click.option("--failed", is_flag=True, help="Only those that were given up.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="How many, newest first.")
@as_json_option
@pass_invocation
def list_mails(invocation: Invocation, *, failed: bool, limit: int, json_: bool) -> None:
    """List letters, newest first, without addresses and texts."""
    from pepay_core.domain.mails import MailState
    from pepay_core.services.paging import Page

    async def work(runtime: Runtime) -> list[dict[str, Any]]:
        return list((await runtime.mailing.page(Page(limit=limit), state=MailState.FAILED if failed else None)).items)

    found = _run(invocation, work)
    if json_:
        as_json(found)
    else:
        rows = [[each["id"], each["kind"], each["state"], str(each["attempts"]), _day(each["created_at"]), each["error"] or ""] for each in found]
        as_table(["LETTER", "KIND", "STATE", "ATTEMPTS", "WRITTEN", "ERROR"], rows)


@mail.command("retry")
@click.argument("mail_id")
@pass_invocation
def retry_mail(invocation: Invocation, mail_id: str) -> None:
    """Have the server send a letter that was given up again."""

    async def work(runtime: Runtime) -> dict[str, Any]:
        return await runtime.mailing.retry(mail_id)

    click.echo(f"{_run(invocation, work)['id']} is on its way")


@mail.command("test")
@click.argument("address")
@pass_invocation
def send_test(invocation: Invocation, address: str) -> None:
    """Send a letter to an address now, and say whether the mail server took it."""

    async def work(runtime: Runtime) -> None:
        await runtime.mailing.try_out(address)

    _run(invocation, work)
    click.echo("The mail server took it.")


def _run(invocation: Invocation, work: Any) -> Any:
    from pepay_core.cli.opening import opened

    async def run() -> Any:
        async with opened(invocation) as runtime:
            return await work(runtime)

    return asyncio.run(run())


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
