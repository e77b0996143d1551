"""``pepay``: finds a command, runs it, and turns errors into a sentence and an exit code."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from pepay_core import __version__
from pepay_core.cli.invocation import Invocation
from pepay_core.domain.errors import ConfigError, PePayError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_CONFIG: Final = 78


class Entry(NamedTuple):
    """Where a command lives, as ``module:attribute`` or ``@plugin:command``, and its line in ``pepay --help``."""

    target: str
    help: str


COMMANDS: Final[dict[str, Entry]] = {
    "audit": Entry("pepay_core.cli.auditing:audit", "Read the log of who did what, and prove that nothing in it was changed."),
    "chain": Entry("pepay_core.cli.chains:chain", "See how far each chain was looked at, and look again."),
    "doctor": Entry("pepay_core.cli.doctor:doctor", "Name every problem there is, with its remedy."),
    "invoice": Entry("pepay_core.cli.invoices:invoice", "Create, show and list invoices."),
    "demo": Entry("@sandbox:demo", "Everything local in one command: a chain, a shop, a payment."),
    "init": Entry("pepay_core.cli.init:init", "Make a configuration, a master key, a database, an admin, a merchant and its keys."),
    "key": Entry("pepay_core.cli.keys:key", "Make, list, rotate and revoke API keys."),
    "listen": Entry("pepay_core.cli.listening:listen", "Follow events, and forward them to a URL of yours."),
    "mail": Entry("pepay_core.cli.mails:mail", "See what became of letters, and send a test."),
    "member": Entry("pepay_core.cli.users:member", "Say who is what to a merchant."),
    "merchant": Entry("pepay_core.cli.merchants:merchant", "Make, list, suspend and resume merchants."),
    "migrate": Entry("pepay_core.cli.serve:migrate", "Bring the database to the state that the code needs."),
    "plugin": Entry("pepay_core.cli.plugins:plugin", "List, check, enable, disable and make plugins."),
    "secrets": Entry("pepay_core.cli.secrets:secrets", "Replace the master key."),
    "serve": Entry("pepay_core.cli.serve:serve", "Run the server."),
    "trigger": Entry("pepay_core.cli.triggering:trigger", "Make an event happen in the test environment."),
    "tx": Entry("pepay_core.cli.transactions:tx", "Say what became of a transaction."),
    "user": Entry("pepay_core.cli.users:user", "Make, invite, list and suspend users, and help them sign in."),
}


class LazyGroup(click.Group):
    """Imports a command when it is called, and a plugin when its name is."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names that ``--help`` lists."""
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command of ours, or the group of an installed plugin that may run."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return _plugin_group(ctx, cmd_name)
        home, _, attribute = entry.target.partition(":")
        if not home.startswith("@"):
            ours: click.Command = getattr(import_module(home), attribute)
            return ours
        plugin = home.removeprefix("@")
        group = _plugin_group(ctx, plugin)
        if group is None:
            raise ConfigError(f"`pepay {cmd_name}` comes with the plugin {plugin}, which is not installed", hint=f"pip install pepay-{plugin}")
        command = group.commands.get(attribute)
        if command is None:
            raise ConfigError(f"the plugin {plugin} has no command {attribute}", hint=f"pip install --upgrade pepay-{plugin}")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list from the table, without importing a single command."""
        rows = [(name, COMMANDS[name].help) for name in self.list_commands(ctx) if name in COMMANDS]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
        with formatter.section("Plugins"):
            formatter.write_text("`pepay NAME ...` runs the commands that the plugin NAME brings; `pepay plugin list` shows which there are.")


def _plugin_group(ctx: click.Context, name: str) -> click.Group | None:
    from pepay_core.cli.contributed import plugin_group

    invocation = ctx.ensure_object(Invocation)
    # A subcommand is looked up before the function below has run: what --config named is known by then, and not yet said.
    invocation.config = invocation.config or ctx.params.get("config")
    return plugin_group(invocation, name)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="The configuration; ./pepay.toml when not given.")
@click.version_option(__version__, "--version", prog_name="pepay")
@click.pass_context
def cli(ctx: click.Context, config: Path | None) -> None:
    """PePay: take crypto payments on your own server, straight into your own wallets."""
    ctx.obj = Invocation(config, dict(os.environ))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0, 1, 2 for wrong usage, 78 for a wrong configuration."""
    try:
        result = cli.main(list(arguments), prog_name="pepay", standalone_mode=False)
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    except click.Abort:
        click.echo("Aborted.", err=True)
        return EXIT_FAILED
    except ConfigError as exc:
        _tell(exc)
        return EXIT_CONFIG
    except PePayError as exc:
        _tell(exc)
        return EXIT_FAILED
    except BrokenPipeError:
        # Whoever read our output has had enough of it; closing it quietly keeps the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    return result if isinstance(result, int) else EXIT_OK


def _tell(exc: PePayError) -> None:
    from pepay_core.domain.errors import Refused
    from pepay_core.log import redact

    about = f"{exc.field}: " if isinstance(exc, Refused) and exc.field else ""
    click.echo(f"Error: {redact(f'{about}{exc}')}", err=True)


def main() -> None:
    """Run what the shell gave, and end the process."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
