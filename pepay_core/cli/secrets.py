"""``pepay secrets``: the master key, replaced."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Any

import click

from pepay_core.cli.invocation import Invocation, as_json, as_table, pass_invocation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pepay_core.services.rotating import Rotation


@click.group()
def secrets() -> None:
    """Replace the master key."""


@secrets.command()
@click.option("--dry-run", is_flag=True, help="Say how many records would be sealed anew, and change nothing.")
@click.option("--json", "json_", is_flag=True, help="Print for machines.")
@pass_invocation
def rotate(invocation: Invocation, *, dry_run: bool, json_: bool) -> int:
    """Seal everything with a new master key. The server may run meanwhile; a run that was cut short is finished by the next."""
    found = asyncio.run(_plan(invocation) if dry_run else _rotate(invocation, show=not json_))
    if json_:
        as_json(found)
    elif dry_run:
        as_table(["RECORDS", "PLACE"], [[str(number), place] for place, number in found["records"].items()])
    else:
        for place in found["damaged"]:
            click.echo(f"{place} opens with no key that is known, and was left as it is", err=True)
        click.echo(
            f"{sum(found['records'].values())} records are sealed with the new master key.{' An earlier run was finished.' * found['resumed']}"
        )
        click.echo(_next(found["driver"], found["kept"]))
    return 1 if found.get("damaged") else 0


def _next(driver: str, kept: str | None) -> str:
    if kept is not None:
        return f"Next: back up the new key. The old one is in {kept}: keep it as long as backups of the database from before today, and no longer."
    if driver == "env":
        return "Next: unset PEPAY_MASTER_KEY_PREVIOUS, and keep the old key as long as backups of the database from before today."
    return "Next: keep the old key as long as backups of the database from before today."


async def _plan(invocation: Invocation) -> dict[str, Any]:
    from pepay_core.secrets import open_driver
    from pepay_core.services.rotating import plan
    from pepay_core.storage.opening import open_store

    settings, clock = await _ready(invocation)
    async with open_store(settings.database_url, clock) as store:
        return {"dry_run": True, "records": await plan(store, open_driver(settings, invocation.environ))}


async def _rotate(invocation: Invocation, *, show: bool) -> dict[str, Any]:
    from pepay_core.secrets import FileSecrets, open_driver
    from pepay_core.services.rotating import rotate as replace
    from pepay_core.storage.opening import open_store

    settings, clock = await _ready(invocation)
    driver = open_driver(settings, invocation.environ)
    async with open_store(settings.database_url, clock) as store:
        with progress_bar("records", show=show) as progress:
            done: Rotation = await replace(store, driver, clock, progress)
    return {
        "dry_run": False,
        "resumed": done.resumed,
        "records": dict(done.sealing.records),
        "damaged": list(done.sealing.damaged),
        "driver": settings.secrets.driver,
        "kept": str(driver.previous_path) if isinstance(driver, FileSecrets) else None,
    }


async def _ready(invocation: Invocation) -> tuple[Any, Any]:
    from pepay_core.clock import SystemClock
    from pepay_core.storage.migrating import insist_migrated

    settings = invocation.settings
    await insist_migrated(settings.database_url, settings.database_name)
    return settings, SystemClock()


@contextlib.contextmanager
def progress_bar(label: str, *, show: bool) -> Iterator[Callable[[int, int], None]]:
    """Show how much is done, of how much, to people only."""
    if not show or not sys.stderr.isatty():
        yield lambda _done, _of: None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr, show_pos=True) as bar:

        def progress(done: int, of: int) -> None:
            bar.length = max(of, done, 1)
            bar.update(done - bar.pos)

        yield progress
