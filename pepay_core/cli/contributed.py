"""The commands that plugins bring: found when a plugin is named, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pepay_core import __version__
from pepay_core.cli.console import PluginConsole
from pepay_core.domain.errors import PluginError
from pepay_core.plugins.host import PluginHost
from pepay_core.plugins.loader import discover, load

if TYPE_CHECKING:
    from pepay_core.cli.invocation import Invocation


def plugin_group(invocation: Invocation, name: str) -> click.Group | None:
    """Return the commands of a plugin as a group, or None when no plugin of that name is installed; raises PluginError when it may not run.

    A stock plugin may run when it is installed. Another must be enabled first: nothing runs because it was installed.
    """
    candidates = discover()
    named = [each for each in candidates if each.name == name]
    if not named:
        return None
    if not all(each.is_stock for each in named) and name not in (invocation.settings.plugins.enabled or ()):
        raise PluginError(name, "is installed, but not enabled", hint=f"pepay plugin enable {name}")
    report = load([name], __version__, candidates=candidates)
    if name in report.problems:
        raise report.problems[name].error()
    loaded = report.loaded[name]
    host = PluginHost()
    if not host.register(name, loaded.module, None):
        raise host.quarantined[name].error()
    console = PluginConsole(invocation, name, loaded.info)
    group = click.Group(name, help=loaded.module.__doc__, context_settings={"obj": console})
    for contribution in host.collect("pepay_commands", click.Command):
        command = contribution.value
        # A plugin may bring a whole group under its own name: `pepay evm evm scan` would be nobody's wish.
        if isinstance(command, click.Group) and command.name == name:
            for inner in command.commands.values():
                group.add_command(inner)
        else:
            group.add_command(command)
    return group
