"""``pepay init``: a configuration, a master key, a database, the first admin, a merchant with its first keys."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from pepay_core.cli.invocation import Invocation, as_json, pass_invocation
from pepay_core.domain.errors import ConfigError, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pepay_core.settings import Settings

TEMPLATE = """\
# PePay's configuration. Every line that is commented out shows a default or an example;
# PEPAY_SECTION__KEY in the environment overrides what stands here.

# [server]
# host = "127.0.0.1"
# port = 8000
# base_url = "http://localhost:8000"       # what buyers and shops reach; https in production

{database}
# [secrets]
# driver = "file"                          # or "env": the key in PEPAY_MASTER_KEY
# path = "pepay.key"

# [plugins]
# enabled = ["evm", "solana", "coingecko", "coinbase", "kraken", "webhook-hmac"]
# required = ["evm"]

# [rates]
# providers = ["coingecko", "coinbase", "kraken"]
# quorum = 2
# max_age = 120
# max_deviation = "0.02"

# [webhooks]
# allow_private = false                    # true lets webhooks reach this machine: for development only

# Ethereum, BSC, Avalanche, Arbitrum and Solana need only endpoints; two or more, of different operators, check each other:
# [plugin.evm.networks.arbitrum]
# rpc = ["https://...", "https://..."]
# [plugin.solana.clusters.mainnet]
# rpc = ["https://..."]

# Any other EVM network is described in full:
# [plugin.evm.networks.dev]
# name = "Dev"
# chain = "eip155:31337"
# rpc = ["http://127.0.0.1:8545"]
# testnet = true
# native = {{ symbol = "ETH", decimals = 18, rate_id = "ethereum" }}
# confirmations = 2
# tokens = [{{ symbol = "USDC", address = "0x...", decimals = 6, rate_id = "usd-coin" }}]
"""

_DATABASE = """\
# [database]
# url = "sqlite:///pepay.db"               # or "postgres://user:password@host/name"
"""


@click.command()
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option("--json", "json_", is_flag=True, help="Print one object for machines.")
@click.option("--merchant", "name", metavar="NAME", help="What the first merchant is called.")
@click.option("--email", metavar="ADDRESS", help="By which address the first admin signs in; `admin@` this server when not given.")
@click.option("--database", metavar="URL", help="The database, when it is not to be SQLite beside the configuration.")
@pass_invocation
def init(invocation: Invocation, *, yes: bool, json_: bool, name: str | None, email: str | None, database: str | None) -> None:
    """Make a configuration, a master key, a database, the first admin and the first merchant; print password and keys once."""
    path = (invocation.named or Path("pepay.toml")).absolute()
    if path.exists():
        raise ConfigError(f"{path} exists, and is not overwritten", hint="give another place with --config, or go on with `pepay serve`")
    if name is None:
        name = "My shop" if yes else click.prompt("What is the merchant called?", default="My shop", err=True)
    if email is None and not yes:
        email = click.prompt("By which mail address do you sign in?", default="admin@localhost", err=True)
    made = asyncio.run(_init(path, invocation, name, database, email))
    if json_:
        as_json({name: value for name, value in made.items() if name != "url"})
        return
    click.echo(f"Configuration  {made['config']}")
    click.echo(f"Database       {made['database']}")
    click.echo(f"Admin          {made['admin']['email']}")
    click.echo(f"Password       {made['admin']['password']}")
    click.echo(f"Merchant       {made['merchant']}  {name}")
    click.echo(f"Test key       {made['keys']['test']}")
    click.echo(f"Live key       {made['keys']['live']}")
    click.echo("\nPassword and keys are not shown again. Keep pepay.key safe and backed up: without it, stored secrets cannot be read.")
    click.echo(f"Next: name your networks in pepay.toml, then `pepay doctor` and `pepay serve`. Sign in at {made['url']}/login.")


async def _init(path: Path, invocation: Invocation, name: str, database: str | None, email: str | None) -> dict[str, Any]:
    from pepay_core.services.people.addressing import canonical
    from pepay_core.settings import load_settings

    email = None if email is None else canonical(email)

    path.parent.mkdir(parents=True, exist_ok=True)
    # A TOML basic string and a JSON string agree on everything that a URL may contain.
    section = _DATABASE if database is None else f"[database]\nurl = {_quoted(database)}\n"
    with _undone_on_failure() as made:
        _write_private(path, TEMPLATE.format(database=section))
        made.append(path)
        settings = load_settings(path, invocation.environ)
        if settings.secrets.driver == "file":
            key_existed = settings.key_path.exists()
            _create_key(settings, invocation)
            if not key_existed:
                made.append(settings.key_path)
        return await _found(settings, invocation, name, path, email)


async def _found(settings: Settings, invocation: Invocation, name: str, path: Path, email: str | None) -> dict[str, Any]:
    from pepay_core.clock import SystemClock
    from pepay_core.secrets import open_vault
    from pepay_core.services.founding import found
    from pepay_core.services.keeping_keys import KeepingKeys
    from pepay_core.services.minting import Ids
    from pepay_core.services.people.composing import compose_people
    from pepay_core.services.people.founders import first_admin
    from pepay_core.services.unlocking import unlock
    from pepay_core.storage.migrating import is_empty, migrate
    from pepay_core.storage.opening import open_store

    vault = open_vault(settings, invocation.environ)
    clock = SystemClock()
    ids = Ids(clock)
    if not await is_empty(settings.database_url):
        raise ConfigError(
            f"the database {settings.database_name} is not empty", hint="name an empty one, or `pepay merchant create` adds a merchant to it"
        )
    # What is made here holds customers and sealed secrets: it is for its owner alone, whatever the shell's habit.
    habit = os.umask(0o077)
    try:
        await migrate(settings.database_url)
    finally:
        os.umask(habit)
    async with open_store(settings.database_url, clock) as store:
        await unlock(store, vault)
        keys = KeepingKeys(store, clock, ids, vault)
        founded = await found(store, keys, ids, clock, name)
        people = compose_people(store, clock, ids, vault, settings.own_url, keys.recorder)
        address = email or _address_of_admin(settings.server.base_url)
        admin = await first_admin(store, people, address, founded.merchant.id)
        await people.close()
    return {
        "config": str(path),
        "url": settings.own_url.rstrip("/"),
        "database": settings.database_name,
        "admin": {"email": address, "password": admin},
        "merchant": founded.merchant.id,
        "keys": {"test": founded.test_key, "live": founded.live_key},
    }


def _address_of_admin(base_url: str) -> str:
    """Return an address of this server, or of this machine where the server has no name that mail could be sent to."""
    from pepay_core.services.people.addressing import canonical

    try:
        return canonical(f"admin@{urlsplit(base_url).hostname}")
    except InvalidInput:
        return "admin@localhost"


def _create_key(settings: Settings, invocation: Invocation) -> None:
    from pepay_core.secrets import FileSecrets

    driver = FileSecrets(settings.key_path, invocation.environ)
    if settings.key_path.exists():
        driver.master_key()
    else:
        driver.create()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner may read: the database URL may hold a password."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


@contextlib.contextmanager
def _undone_on_failure() -> Iterator[list[Path]]:
    """Take back the files that were made when something later fails, so that `init` can simply be run again."""
    made: list[Path] = []
    try:
        yield made
    except BaseException:
        for each in made:
            each.unlink(missing_ok=True)
        raise
