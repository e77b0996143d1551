"""``pepay plugin``: which plugins there are, what became of each, and what to do next."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pepay_core.cli.auditing import recorded
from pepay_core.cli.invocation import Invocation, as_json, as_table, pass_invocation
from pepay_core.clock import SystemClock
from pepay_core.domain.errors import ConfigError, PluginMissing, Unavailable
from pepay_core.plugins.lifecycle import PluginState, PluginStatus, assemble, default_enabled, rehearse
from pepay_core.plugins.loader import discover

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pepay_core.plugins.lifecycle import Assembly

# What the log would say, these commands print.
logging.getLogger("pepay.plugins").addHandler(logging.NullHandler())

as_json_option = click.option("--json", "json_", is_flag=True, help="Print for machines.")


@click.group()
def plugin() -> None:
    """List, check, enable, disable and make plugins."""


@plugin.command("list")
@as_json_option
@pass_invocation
def list_(invocation: Invocation, *, json_: bool) -> None:
    """Show every installed plugin, its state, and the next step where there is one."""
    statuses = list(_look(invocation).statuses.values())
    if json_:
        as_json([_as_dict(each) for each in statuses])
        return
    if not statuses:
        click.echo("No plugin is installed. Next: pip install pepay")
        return
    as_table(["NAME", "VERSION", "DISTRIBUTION", "STATE"], [[each.name, each.version, each.distribution, _word(each)] for each in statuses])
    for each in statuses:
        if each.reason:
            click.echo(f"\n{each.name}: {each.reason}\n  -> {each.hint}")


@plugin.command()
@click.argument("name")
@as_json_option
@pass_invocation
def show(invocation: Invocation, name: str, *, json_: bool) -> None:
    """Show one plugin: its state, its hooks, what it contributes and what it can be configured with."""
    assembly = _look(invocation)
    status = _known(assembly, name)
    ctx = assembly.contexts.get(name)
    keys = {key: (field.description or "") for key, field in type(ctx.settings).model_fields.items()} if ctx and ctx.settings else {}
    hooks = assembly.host.hooks_of(name) if name in assembly.host.plugins else ()
    if json_:
        as_json({**_as_dict(status), "hooks": list(hooks), "settings": keys, "piccolo_app": assembly.piccolo_apps.get(name)})
        return
    click.echo(f"{status.name} {status.version} ({status.distribution}): {_word(status)}")
    if status.reason:
        click.echo(f"  {status.reason}\n  -> {status.hint}")
    for title, lines in (
        ("hooks", hooks),
        ("contributes", status.contributes),
        (f"settings in [plugin.{name}]", [f"{k}  {v}".strip() for k, v in keys.items()]),
    ):
        if lines:
            click.echo(f"{title}:")
            click.echo("\n".join(f"  {line}" for line in lines))


@plugin.command()
@click.argument("name")
@as_json_option
@pass_invocation
def check(invocation: Invocation, name: str, *, json_: bool) -> None:
    """Import one plugin, enabled or not, and say what is wrong with it; exit code 1 when something is."""
    settings = invocation.settings
    alone = settings.model_copy(update={"plugins": settings.plugins.model_copy(update={"enabled": (name,), "required": ()})})
    assembly = assemble(alone, clock=SystemClock(), http=_NoHttp(), strict=False)
    status = _known(assembly, name)
    if json_:
        as_json(_as_dict(status))
    elif status.reason:
        click.echo(f"{name}: {status.stage}: {status.reason}\n  -> {status.hint}")
    else:
        click.echo(f"{name} {status.version} is well: {', '.join(status.contributes) or 'it contributes nothing as it is configured'}")
    if status.reason:
        raise click.exceptions.Exit(1)


@plugin.command()
@click.argument("name")
@pass_invocation
def enable(invocation: Invocation, name: str) -> None:
    """Let a plugin run: writes its name into [plugins] enabled."""
    if not any(each.name == name for each in discover()):
        raise PluginMissing(name, "is not installed", hint=f"pip install pepay-{name}, then once more: pepay plugin enable {name}")
    before = _enabled(invocation)
    wanted = before if name in before else [*before, name]
    recorded(invocation, "plugin.enabled", name, lambda: _write_enabled(invocation, wanted))
    click.echo(f"{name} is enabled. Next: restart PePay.")


@plugin.command()
@click.argument("name")
@pass_invocation
def disable(invocation: Invocation, name: str) -> None:
    """Keep a plugin from running: takes its name out of [plugins] enabled."""
    before = _enabled(invocation)
    if name in invocation.settings.plugins.required:
        raise ConfigError(f"the plugin {name} is required", hint="take it out of [plugins] required first")
    wanted = [each for each in before if each != name]
    recorded(invocation, "plugin.disabled", name, lambda: _write_enabled(invocation, wanted))
    click.echo(f"{name} is disabled. Next: restart PePay." if name in before else f"{name} was not enabled.")


@plugin.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(["rates", "chain"]), default="rates", show_default=True, help="What it contributes.")
@click.option("--into", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to write it; ./pepay-NAME when not given.")
@as_json_option
def new(name: str, *, kind: str, into: Path | None, json_: bool) -> None:
    """Write the beginning of a plugin: a project that installs, and whose tests pass as they are."""
    from pepay_core.plugins.scaffold import write

    folder = into or Path(f"pepay-{name}")
    written = write(name, kind, folder)
    if json_:
        as_json({"folder": str(folder), "files": [str(path.relative_to(folder)) for path in written]})
        return
    for path in written:
        click.echo(f"  {path}")
    click.echo(f"Next: pip install -e {folder}; pytest {folder}; pepay plugin check {name}")


def _enabled(invocation: Invocation) -> list[str]:
    if "PEPAY_PLUGINS__ENABLED" in invocation.environ:
        raise ConfigError("PEPAY_PLUGINS__ENABLED decides which plugins are enabled", hint="change or unset that variable instead")
    enabled = invocation.settings.plugins.enabled
    return list(enabled) if enabled is not None else default_enabled(discover())


def _write_enabled(invocation: Invocation, names: list[str]) -> None:
    from pepay_core.cli.editing import set_enabled

    path = invocation.settings.config_path
    if path is None:
        raise ConfigError("there is no pepay.toml here to write this into", hint="make one with `pepay init`, or name one with --config")
    set_enabled(path, names)


def _look(invocation: Invocation) -> Assembly:
    assembly = assemble(invocation.settings, clock=SystemClock(), http=_NoHttp(), strict=False)
    rehearse(assembly)
    return assembly


def _known(assembly: Assembly, name: str) -> PluginStatus:
    try:
        return assembly.statuses[name]
    except KeyError:
        raise PluginMissing(name, "is not installed", hint=f"`pepay plugin list` shows those that are; pip install pepay-{name}") from None


def _word(status: PluginStatus) -> str:
    # Nothing runs while a command looks: a plugin that came this far is one that would.
    return "ready" if status.state is PluginState.CONFIGURED else status.state.value


def _as_dict(status: PluginStatus) -> dict[str, object]:
    return {**asdict(status), "state": _word(status), "contributes": list(status.contributes)}


class _NoHttp:
    """Refuses every request: a plugin may do no I/O while it contributes."""

    async def _refuse(self, *_: Any, **__: Any) -> Any:
        raise Unavailable("nothing is asked of the network while plugins are looked at")

    async def listen(self, *_: Any, **__: Any) -> AsyncGenerator[bytes, None]:
        """Refuse to listen as well."""
        await self._refuse()
        yield b""

    get = post = post_public = check_public = _refuse
