"""``pepay serve`` and ``pepay migrate``."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pepay_core.cli.invocation import Invocation, as_json, pass_invocation
from pepay_core.domain.errors import ConfigError

if TYPE_CHECKING:
    from pepay_core.settings import Settings


@click.command()
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="How many processes answer requests.")
@click.option(
    "--role",
    type=click.Choice(["api", "worker", "all"]),
    default="all",
    show_default=True,
    help="Answer requests (api), watch chains and deliver webhooks (worker), or both.",
)
@click.option("--safe", is_flag=True, help="Leave out every plugin that is not a stock one.")
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="The configuration, as before the command.")
@click.option("--listener", type=int, hidden=True, help="The socket of the process that started this one.")
@pass_invocation
def serve(invocation: Invocation, *, workers: int, role: str, safe: bool, config: Path | None, listener: int | None) -> None:
    """Run the server. An empty database is migrated; one that is behind is not touched."""
    from pepay_core import log

    if config is not None:
        invocation.config = config
    settings = invocation.settings
    log.configure(level=settings.log.level, as_json=settings.log.format == "json")
    if workers > 1 and settings.database_url.startswith("sqlite"):
        raise ConfigError("SQLite serves one process, and several were asked for", hint="leave --workers out, or set [database] url to a PostgreSQL")
    if listener is None:
        asyncio.run(_prepare(settings, safe=safe))
    if role == "worker":
        asyncio.run(_work(settings, safe=safe))
        return

    from pepay_core.web import serving

    with serving.listen(settings) if listener is None else socket.socket(fileno=listener) as listening:

        def ready() -> None:
            click.echo(f"PePay is ready at {serving.url_of(settings, listening)}")

        if workers > 1:
            from pepay_core.cli.supervising import supervise

            arguments = ["--role", role, *(["--safe"] if safe else []), "--listener", str(listening.fileno())]
            asyncio.run(supervise(invocation.command("serve", *arguments), workers, listening.fileno(), ready))
            return
        settings = serving.located(settings, listening)
        running = serving.serve(settings, listening, workers=role == "all", safe=safe, ready=ready, supervised=listener is not None)
        asyncio.run(running)


async def _work(settings: Settings, *, safe: bool) -> None:
    """Run watchers and dispatcher until a signal comes."""
    from pepay_core.runtime import Runtime

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop.set)
    async with Runtime.open(settings, workers=True, safe=safe):
        click.echo("PePay is working")
        await stop.wait()


async def _prepare(settings: Settings, *, safe: bool) -> None:
    """Migrate an empty database; raises ConfigError for one that is behind, or cannot be used."""
    from pepay_core.storage.migrating import insist_migrated, is_empty

    apps = _apps(settings, safe=safe)
    if await is_empty(settings.database_url):
        await _migrate(settings, apps)
    else:
        await insist_migrated(settings.database_url, settings.database_name, apps)


def _apps(settings: Settings, *, safe: bool = False) -> dict[str, str]:
    """Return the module of the tables of each plugin that has some."""
    from pepay_core.clock import SystemClock
    from pepay_core.http import AiohttpClient
    from pepay_core.plugins.lifecycle import assemble

    return assemble(settings, clock=SystemClock(), http=AiohttpClient(), safe=safe, strict=False).piccolo_apps


async def _migrate(settings: Settings, apps: dict[str, str]) -> dict[str, list[str]]:
    from pepay_core.storage.migrating import migrate as bring_up

    report = await bring_up(settings.database_url, apps)
    for plugin, reason in report.failed.items():
        click.echo(f"Warning: the tables of the plugin {plugin} were not migrated: {reason}", err=True)
    return {app: list(done) for app, done in report.applied.items()}


async def _seal_what_is_clear(invocation: Invocation, *, show: bool) -> None:
    """Seal what an older version stored in clear, or be told how; `pepay migrate` can be cut short, and goes on when it is run again."""
    from pepay_core.cli.secrets import progress_bar
    from pepay_core.clock import SystemClock
    from pepay_core.secrets import open_vault
    from pepay_core.services.rotating import seal_anew
    from pepay_core.services.unlocking import close_to_clear, unlock
    from pepay_core.storage.opening import open_store
    from pepay_core.storage.scrubbing import forget_deleted

    settings = invocation.settings
    try:
        vault = open_vault(settings, invocation.environ)
    except ConfigError as exc:
        click.echo(f"Warning: what an older version stored in clear is not sealed yet: {exc}. Run `pepay migrate` again then.", err=True)
        return
    async with open_store(settings.database_url, SystemClock()) as store:
        await unlock(store, vault)
        with progress_bar("records", show=show) as progress:
            done = await seal_anew(store, vault, progress)
        if done.damaged:
            click.echo(f"Warning: {len(done.damaged)} records cannot be sealed, {done.damaged[0]} among them.", err=True)
        else:
            await store.run(lambda tx: close_to_clear(tx, vault))
    if done.clear:
        # What was in clear is still in the pages that became free.
        forget_deleted(settings.database_url)


@click.command()
@click.option("--json", "json_", is_flag=True, help="Print for machines.")
@pass_invocation
def migrate(invocation: Invocation, *, json_: bool) -> None:
    """Bring the database to the state that the code needs."""
    settings = invocation.settings
    applied = asyncio.run(_migrate(settings, _apps(settings)))
    asyncio.run(_seal_what_is_clear(invocation, show=not json_))
    if json_:
        as_json(applied)
        return
    done = [f"{app}: {each}" for app, migrations in applied.items() for each in migrations]
    click.echo("\n".join(done) if done else "Nothing to do: the database is up to date.")
