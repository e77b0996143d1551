"""``pepay evm``: deploying the deposit factory, and moving deposits to their treasuries. What is heavy is imported inside."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from pepay_core.api import Console


def paying(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say who pays for gas, and whether anything is sent at all."""
    for option in (
        click.option("--yes", is_flag=True, help="With --send: do not ask first."),
        click.option(
            "--keystore", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="An encrypted key file; its password is asked."
        ),
        click.option("--key-env", metavar="NAME", help="The environment variable that holds the key; else it is asked for, unseen."),
        click.option("--print", "print_", is_flag=True, help="Print the transactions as JSON, for a wallet of your own to sign and send."),
        click.option("--send", is_flag=True, help="Sign and send; without it nothing is sent."),
    ):
        command = option(command)
    return command


@click.command("deploy-factory")
@click.argument("network")
@paying
@click.pass_obj
def deploy_factory(console: Console, **options: Any) -> None:
    """Deploy the deposit factory on NETWORK, once for everybody, at the address that it has on every network."""
    from pepay_evm.errands import deploy

    asyncio.run(deploy(console, **options))


@click.command("flush")
@click.argument("network")
@click.option("--wallet", "wallets", multiple=True, metavar="ID", help="Only the deposits of this wallet; may be given several times.")
@click.option("--asset", "assets", multiple=True, metavar="SYMBOL", help="Only this asset, by symbol or id; may be given several times.")
@click.option("--min", "least", metavar="AMOUNT", help="Leave deposits that hold less of the asset, such as 5 or 0.01.")
@click.option("--limit", type=click.IntRange(1), help="Move only so many deposits of each asset, the largest first.")
@click.option("--batch", type=click.IntRange(1, 256), default=100, show_default=True, help="Deposits in one transaction.")
@click.option("--everywhere", is_flag=True, help="Look at every deposit that was ever issued, not only where the books say that something waits.")
@click.option("--recovery", metavar="LINE", help="Without the database: the wallet's recovery line.")
@click.option("--count", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, help="With --recovery: how many addresses to look at.")
@paying
@click.pass_obj
def flush(console: Console, **options: Any) -> None:
    """Show what lies at the deposits of NETWORK, and with --send move it to their treasuries."""
    from pepay_evm.errands import flush_deposits

    asyncio.run(flush_deposits(console, **options))
