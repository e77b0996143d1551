"""``pepay invoice``: create, show and list invoices, on the machine where the database is."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import click

from pepay_core.cli.invocation import Invocation, as_json, as_table, pass_invocation
from pepay_core.cli.opening import opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pepay_core.runtime import Runtime
    from pepay_core.services.callers import Caller


def _whose(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say for whom a command acts, and how it prints."""
    for option in (
        click.option("--json", "json_", is_flag=True, help="Print for machines."),
        click.option("--live", is_flag=True, help="Real money; the test environment otherwise."),
        click.option("--merchant", metavar="ID", help="Whose invoices; may be left out while there is one merchant."),
    ):
        command = option(command)
    return command


@contextlib.asynccontextmanager
async def _acting(invocation: Invocation, merchant: str | None, *, live: bool) -> AsyncIterator[tuple[Runtime, Caller]]:
    from pepay_core.domain.errors import NotFound
    from pepay_core.domain.merchants import SCOPES
    from pepay_core.services.callers import Caller

    async with opened(invocation) as runtime:
        async with runtime.store.read() as tx:
            known = [each.id for each in await tx.merchants.all()]
        wanted = [each for each in known if merchant in {None, each}]
        if len(wanted) != 1:
            raise NotFound("name the merchant with --merchant; `pepay merchant list` shows them")
        yield runtime, Caller(wanted[0], live, "command line", frozenset(SCOPES))


@click.group()
def invoice() -> None:
    """Create, show and list invoices."""


@invoice.command()
@click.argument("amount")
@click.option("--currency", default="USD", show_default=True)
@click.option("--pay-with", metavar="ASSET", help="Quote this asset at once and issue an address.")
@click.option("--description")
@click.option("--expires-in", type=int, metavar="SECONDS")
@_whose
@pass_invocation
def create(
    invocation: Invocation,
    amount: str,
    currency: str,
    pay_with: str | None,
    description: str | None,
    expires_in: int | None,
    merchant: str | None,
    *,
    live: bool,
    json_: bool,
) -> None:
    """Create an invoice and print the page where it is paid."""
    from pepay_core.services.requesting import InvoiceRequest

    async def work() -> dict[str, Any]:
        async with _acting(invocation, merchant, live=live) as (runtime, caller):
            request = InvoiceRequest(amount=amount, currency=currency, pay_with=pay_with, description=description, expires_in=expires_in)
            return await runtime.invoicing.create(caller, request)

    made = asyncio.run(work())
    if json_:
        as_json(made)
    else:
        click.echo(f"{made['id']}  {made['amount']} {made['currency']}\n{made['payment_url']}")


@invoice.command()
@click.argument("invoice_id")
@_whose
@pass_invocation
def show(invocation: Invocation, invoice_id: str, merchant: str | None, *, live: bool, json_: bool) -> None:
    """Show one invoice."""

    async def work() -> dict[str, Any]:
        async with _acting(invocation, merchant, live=live) as (runtime, caller):
            return await runtime.invoicing.get(caller, invoice_id)

    found = asyncio.run(work())
    if json_:
        as_json(found)
        return
    for name in ("id", "status", "fulfil", "amount", "currency", "amount_paid", "amount_remaining", "timing", "resolution", "payment_url"):
        click.echo(f"{name.ljust(18)}{found[name]}")
    for payment in found["payments"]:
        click.echo(f"{'payment'.ljust(18)}{payment['id']}  {payment['amount']} {payment['symbol']}  {payment['status']}  {payment['transaction']}")


@invoice.command("list")
@click.option("--status", metavar="STATUS")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@_whose
@pass_invocation
def list_(invocation: Invocation, status: str | None, limit: int, merchant: str | None, *, live: bool, json_: bool) -> None:
    """List the newest invoices."""
    from pepay_core.services.paging import Page

    async def work() -> list[dict[str, Any]]:
        async with _acting(invocation, merchant, live=live) as (runtime, caller):
            where = {"status": status} if status else {}
            return list((await runtime.invoicing.page(caller, Page(limit=limit), where)).items)

    found = asyncio.run(work())
    if json_:
        as_json(found)
    else:
        as_table(
            ["INVOICE", "STATUS", "AMOUNT", "PAID"],
            [[each["id"], each["status"], f"{each['amount']} {each['currency']}", each["amount_paid"]] for each in found],
        )
