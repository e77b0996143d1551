"""``pepay audit``: who did what, and whether the log still says so."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from pepay_core.cli.invocation import Invocation, as_json, as_table, pass_invocation
from pepay_core.cli.secrets import progress_bar
from pepay_core.domain.errors import ConfigError, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pepay_core.secrets import Vault
    from pepay_core.services.attesting import Attesting
    from pepay_core.services.ports import Store

as_json_option = click.option("--json", "json_", is_flag=True, help="Print for machines.")


@contextlib.asynccontextmanager
async def _opened(invocation: Invocation) -> AsyncIterator[tuple[Store, Vault]]:
    from pepay_core.clock import SystemClock
    from pepay_core.secrets import open_vault
    from pepay_core.services.unlocking import unlock
    from pepay_core.storage.migrating import insist_migrated
    from pepay_core.storage.opening import open_store

    settings = invocation.settings
    vault = open_vault(settings, invocation.environ)
    await insist_migrated(settings.database_url, settings.database_name)
    async with open_store(settings.database_url, SystemClock()) as store:
        await unlock(store, vault)
        yield store, vault


@contextlib.asynccontextmanager
async def _attesting(invocation: Invocation) -> AsyncIterator[Attesting]:
    from pepay_core.services.attesting import Attesting

    async with _opened(invocation) as (store, vault):
        yield Attesting(store, vault)


def recorded(invocation: Invocation, action: str, subject: str, change: Callable[[], None]) -> None:
    """Change something in files, and record that the operator did; where there is no log to write to, it says so and goes on."""
    asyncio.run(_recorded(invocation, action, subject, change))


async def _recorded(invocation: Invocation, action: str, subject: str, change: Callable[[], None]) -> None:
    from pepay_core.clock import SystemClock
    from pepay_core.services.recording import Recorder, operator
    from pepay_core.storage.migrating import is_empty

    async with contextlib.AsyncExitStack() as stack:
        try:
            if await is_empty(invocation.settings.database_url):
                change()
                return
            store, vault = await stack.enter_async_context(_opened(invocation))
            tx = await stack.enter_async_context(store.begin())
            await Recorder(SystemClock(), vault).note(tx, operator(), action, subject)
        except (ConfigError, StorageUnavailable) as exc:
            click.echo(f"This is not recorded in the audit log: {exc}", err=True)
        change()


@click.group()
def audit() -> None:
    """Read the log of who did what, and prove that nothing in it was changed."""


@audit.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many of the newest entries.")
@as_json_option
@pass_invocation
def list_(invocation: Invocation, limit: int, *, json_: bool) -> None:
    """Show the newest entries of all merchants and of the installation."""

    async def work() -> list[dict[str, Any]]:
        async with _attesting(invocation) as attesting:
            return [each async for each in attesting.newest(limit)]

    found = asyncio.run(work())
    if json_:
        as_json(found)
        return
    rows = [[str(each["sequence"]), _time(each), _actor(each), each["action"], each["subject"], each["merchant"] or "-"] for each in found]
    as_table(["NUMBER", "TIME", "WHO", "ACTION", "SUBJECT", "MERCHANT"], rows)


@audit.command()
@pass_invocation
def export(invocation: Invocation) -> None:
    """Print every entry, oldest first, one JSON object per line."""

    async def work() -> None:
        async with _attesting(invocation) as attesting:
            async for each in attesting.every():
                click.echo(json.dumps(each, ensure_ascii=False))

    asyncio.run(work())


@audit.command()
@as_json_option
@pass_invocation
def anchor(invocation: Invocation, *, json_: bool) -> None:
    """Print where the log ends now. Kept on another machine, it shows later whether the log was cut off before."""

    async def work() -> str:
        async with _attesting(invocation) as attesting:
            return await attesting.anchor()

    text = asyncio.run(work())
    if json_:
        as_json({"anchor": text})
    else:
        click.echo(text)


@audit.command()
@click.option("--anchor", "anchors", metavar="TEXT", multiple=True, help="What `pepay audit anchor` printed once, as often as needed.")
@as_json_option
@pass_invocation
def verify(invocation: Invocation, anchors: tuple[str, ...], *, json_: bool) -> int:
    """Prove that nothing was changed, taken away, added or moved. The exit code is 1 when something was."""
    from pepay_core.services.attesting import Attestation, read_anchor

    async def work() -> Attestation:
        async with _attesting(invocation) as attesting:
            with progress_bar("entries", show=not json_) as progress:
                return await attesting.verify(dict(map(read_anchor, anchors)), progress)

    found = asyncio.run(work())
    if json_:
        flaws = [{"sequence": each.sequence, "message": each.message} for each in found.flaws]
        as_json({"clean": not flaws, "entries": found.entries, "anchor": found.anchor, "flaws": flaws})
    else:
        for each in found.flaws:
            click.echo(f"entry {each.sequence}: {each.message}")
        click.echo(f"{found.entries} entries, {len(found.flaws) or 'nothing'} wrong.")
    return 1 if found.flaws else 0


def _time(entry: dict[str, Any]) -> str:
    return datetime.fromtimestamp(entry["created_at"], UTC).strftime("%Y-%m-%d %H:%M:%S")


def _actor(entry: dict[str, Any]) -> str:
    return f"{entry['actor']['kind']} {entry['actor']['name']}"
