"""``pepay user`` and ``pepay member``: who may sign in, and what they are to a merchant, on the machine where the database is."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import click

from pepay_core.cli.invocation import Invocation, as_json, as_table, pass_invocation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pepay_core.domain.people import User
    from pepay_core.services.callers import Caller
    from pepay_core.services.people.composing import People
    from pepay_core.services.ports import Store

as_json_option = click.option("--json", "json_", is_flag=True, help="Print for machines.")
merchant_option = click.option("--merchant", "merchant_id", metavar="ID", help="Whose members; may be left out while there is one merchant.")


@contextlib.asynccontextmanager
async def opened_people(invocation: Invocation) -> AsyncIterator[tuple[Store, People]]:
    """Open the services of people for the time of the block; without plugins, so that links are printed and not sent."""
    from pepay_core.clock import SystemClock
    from pepay_core.secrets import open_vault
    from pepay_core.services.minting import Ids
    from pepay_core.services.people.composing import compose_people
    from pepay_core.services.recording import Recorder
    from pepay_core.services.unlocking import unlock
    from pepay_core.storage.migrating import insist_migrated
    from pepay_core.storage.opening import open_store

    settings, clock = invocation.settings, SystemClock()
    vault = open_vault(settings, invocation.environ)
    await insist_migrated(settings.database_url, settings.database_name)
    async with open_store(settings.database_url, clock) as store:
        await unlock(store, vault)
        people = compose_people(store, clock, Ids(clock), vault, settings.own_url, Recorder(clock, vault))
        try:
            yield store, people
        finally:
            await people.close()


@click.group()
def user() -> None:
    """Make, invite, list and suspend users, and help those who cannot sign in."""


@user.command("create")
@click.argument("email")
@click.option("--name", default="", help="What they are called.")
@click.option("--admin", is_flag=True, help="Let them look after users and merchants of this server.")
@as_json_option
@pass_invocation
def create_user(invocation: Invocation, email: str, *, name: str, admin: bool, json_: bool) -> None:
    """Make a user with a new password, shown once."""
    from pepay_core.services.people.accounts import generate_password
    from pepay_core.services.recording import operator

    async def work() -> dict[str, Any]:
        async with opened_people(invocation) as (store, people):
            password = generate_password()
            prepared = await people.accounts.prepare(password)
            made = await store.run(lambda tx: people.accounts.create(tx, email, prepared, name=name, is_admin=admin, by=operator()))
            return {**people.accounts.view(made), "password": password}

    made = asyncio.run(work())
    if json_:
        as_json(made)
    else:
        click.echo(f"User      {made['id']}  {made['email']}\nPassword  {made['password']}")


@user.command("invite")
@click.argument("email")
@click.option("--admin", is_flag=True, help="Let them look after users and merchants of this server.")
@as_json_option
@pass_invocation
def invite_user(invocation: Invocation, email: str, *, admin: bool, json_: bool) -> None:
    """Print a link by which somebody registers, once and within a week."""
    from pepay_core.services.recording import operator

    async def work() -> dict[str, Any]:
        async with opened_people(invocation) as (_, people):
            return await people.invitations.register(operator(), email, is_admin=admin)

    _tell_link(asyncio.run(work()), json_=json_)


@user.command("list")
@as_json_option
@pass_invocation
def list_users(invocation: Invocation, *, json_: bool) -> None:
    """List everybody who may sign in, newest first."""
    from pepay_core.services.paging import Page

    async def work() -> list[dict[str, Any]]:
        async with opened_people(invocation) as (_, people):
            found: list[dict[str, Any]] = []
            more = True
            while more:
                page = await people.accounts.page(Page(limit=100, starting_after=found[-1]["id"] if found else None))
                found += page.items
                more = page.has_more
            return found

    found = asyncio.run(work())
    if json_:
        as_json(found)
        return
    rows = [[each["id"], each["email"], each["name"], "admin" if each["is_admin"] else "", _state(each)] for each in found]
    as_table(["USER", "EMAIL", "NAME", "", "STATE"], rows)


@user.command("suspend")
@click.argument("who", metavar="USER")
@pass_invocation
def suspend_user(invocation: Invocation, who: str) -> None:
    """Keep a user out: their sessions end at once. USER is an address or an id."""
    _change(invocation, who, "suspend")
    click.echo(f"{who} is suspended")


@user.command("resume")
@click.argument("who", metavar="USER")
@pass_invocation
def resume_user(invocation: Invocation, who: str) -> None:
    """Let a suspended user sign in again. USER is an address or an id."""
    _change(invocation, who, "resume")
    click.echo(f"{who} may sign in again")


@user.command("admin")
@click.argument("who", metavar="USER")
@click.option("--remove", is_flag=True, help="Let them be one no more.")
@pass_invocation
def make_admin(invocation: Invocation, who: str, *, remove: bool) -> None:
    """Make a user an admin of this server, who looks after users and merchants and sees nothing that belongs to a merchant."""
    from pepay_core.services.recording import operator

    async def work() -> None:
        async with opened_people(invocation) as (store, people):
            await people.accounts.set_admin((await _user(store, people, who)).id, is_admin=not remove, by=operator())

    asyncio.run(work())
    click.echo(f"{who} is an admin no more" if remove else f"{who} is an admin")


@user.command("reset-password")
@click.argument("who", metavar="USER")
@click.option("--generate", is_flag=True, help="Make the new password here, and print it once, instead of a link.")
@as_json_option
@pass_invocation
def reset_password(invocation: Invocation, who: str, *, generate: bool, json_: bool) -> None:
    """Print a link by which a user chooses a new password, once and within half an hour. USER is an address or an id."""
    from pepay_core.services.people.accounts import generate_password
    from pepay_core.services.recording import operator

    async def work() -> dict[str, Any]:
        async with opened_people(invocation) as (store, people):
            found = await _user(store, people, who)
            if not generate:
                return {"user": found.id, "link": await people.password_resets.link(found, operator())}
            password = generate_password()
            prepared = await people.accounts.prepare(password)
            await store.run(lambda tx: people.accounts.set_password(tx, found.id, prepared, by=operator()))
            return {"user": found.id, "password": password}

    made = asyncio.run(work())
    if json_:
        as_json(made)
    else:
        click.echo(made.get("password") or made["link"])


@user.command("reset-2fa")
@click.argument("who", metavar="USER")
@pass_invocation
def reset_second_factors(invocation: Invocation, who: str) -> None:
    """Take one-time codes, passkeys and recovery codes of a user away: be sure who asks. USER is an address or an id."""
    from pepay_core.services.recording import operator

    async def work() -> None:
        async with opened_people(invocation) as (store, people):
            found = await _user(store, people, who)

            async def reset(tx: Any) -> None:
                await people.second_factors.reset(tx, await tx.users.get(found.id, lock=True), by=operator())

            await store.run(reset)

    asyncio.run(work())
    click.echo(f"{who} signs in with a password alone until they set a second factor up again")


@click.group()
def member() -> None:
    """Say who is what to a merchant."""


@member.command("list")
@merchant_option
@as_json_option
@pass_invocation
def list_members(invocation: Invocation, *, merchant_id: str | None, json_: bool) -> None:
    """List the members of a merchant, and what they are to it."""

    async def work() -> list[dict[str, Any]]:
        async with opened_people(invocation) as (store, people):
            return await people.memberships.list(await _caller(store, merchant_id))

    found = asyncio.run(work())
    if json_:
        as_json(found)
    else:
        as_table(["USER", "EMAIL", "ROLE", "STATE"], [[each["user"], each["email"], each["role"], _state(each)] for each in found])


@member.command("add")
@click.argument("email")
@click.argument("role")
@merchant_option
@as_json_option
@pass_invocation
def add_member(invocation: Invocation, email: str, role: str, *, merchant_id: str | None, json_: bool) -> None:
    """Make a user a member; print a link by which they register where there is no such user yet."""
    from pepay_core.services.people.memberships import role_of
    from pepay_core.services.recording import operator

    async def work() -> dict[str, Any]:
        async with opened_people(invocation) as (store, people):
            caller, wanted = await _caller(store, merchant_id), role_of(role)
            found = await people.accounts.by_email(email)
            if found is None:
                return await people.invitations.invite(caller, email, role)
            await store.run(lambda tx: people.memberships.add(tx, caller.merchant, found.id, wanted, by=operator()))
            return {"object": "member", "user": found.id, "merchant": caller.merchant, "role": wanted.value, "link": None}

    _tell_link(asyncio.run(work()), json_=json_)


@member.command("role")
@click.argument("who", metavar="USER")
@click.argument("role")
@merchant_option
@pass_invocation
def change_role(invocation: Invocation, who: str, role: str, *, merchant_id: str | None) -> None:
    """Give a member another role: owner, admin, developer, accountant or viewer."""

    async def work() -> None:
        async with opened_people(invocation) as (store, people):
            await people.memberships.set_role(await _caller(store, merchant_id), (await _user(store, people, who)).id, role)

    asyncio.run(work())
    click.echo(f"{who} is {role}")


@member.command("remove")
@click.argument("who", metavar="USER")
@merchant_option
@pass_invocation
def remove_member(invocation: Invocation, who: str, *, merchant_id: str | None) -> None:
    """Let a user be a member no more."""

    async def work() -> None:
        async with opened_people(invocation) as (store, people):
            await people.memberships.remove(await _caller(store, merchant_id), (await _user(store, people, who)).id)

    asyncio.run(work())
    click.echo(f"{who} is no member any more")


def _change(invocation: Invocation, who: str, act: str) -> None:
    from pepay_core.services.recording import operator

    async def work() -> None:
        async with opened_people(invocation) as (store, people):
            await getattr(people.accounts, act)((await _user(store, people, who)).id, by=operator())

    asyncio.run(work())


async def _user(store: Store, people: People, who: str) -> User:
    from pepay_core.domain.errors import NotFound
    from pepay_core.domain.ids import UserId

    if "@" in who:
        found = await people.accounts.by_email(who)
    else:
        async with store.read() as tx:
            found = await tx.users.find(UserId(who))
    if found is None:
        raise NotFound(f"there is no user {who[:60]!r}; `pepay user list` shows them")
    return found


async def _caller(store: Store, wanted: str | None) -> Caller:
    from pepay_core.cli.keys import whose
    from pepay_core.domain.merchants import SCOPES
    from pepay_core.services.callers import Caller

    return Caller(await whose(store, wanted), False, "command line", frozenset(SCOPES))


def _tell_link(made: dict[str, Any], *, json_: bool) -> None:
    if json_:
        as_json(made)
    else:
        click.echo(made["link"] or f"{made['user']} is {made['role']}")


def _state(each: dict[str, Any]) -> str:
    return "suspended" if each["suspended_at"] else "active"
