"""``pepay trigger``: an event of the test environment, now, for whoever writes what receives it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

import click

from pepay_core.cli.invocation import Invocation, as_json, pass_invocation

if TYPE_CHECKING:
    from pepay_core.runtime import Runtime
    from pepay_core.services.callers import Caller
    from pepay_core.services.triggering import Pay, Triggered

_PATIENCE: Final = 120.0
_LOOKS: Final = 0.5


@click.command()
@click.argument("event")
@click.option("--merchant", metavar="ID", help="Whose event; may be left out while there is one merchant.")
@click.option("--faucet", metavar="URL", help="Pay for real, from the faucet that `pepay sandbox evm` prints.")
@click.option("--asset", metavar="ASSET", help="What to pay with; the first that is available when not given.")
@click.option("--json", "json_", is_flag=True, help="Print for machines.")
@pass_invocation
def trigger(invocation: Invocation, event: str, *, merchant: str | None, faucet: str | None, asset: str | None, json_: bool) -> int:
    """Make an event of a type happen in the test environment, such as invoice.paid.

    What can be done at once is done: an invoice is created, canceled, or paid from a faucet, and the event follows because of it.
    Anything else is told as an example, which says so in its envelope.
    """
    from pepay_core.services.triggering import TRIGGERS

    if event not in TRIGGERS:
        raise click.BadParameter(f"must be one of {', '.join(TRIGGERS)}", param_hint="EVENT")
    outcome, came = asyncio.run(_trigger(invocation, event, merchant, faucet, asset))
    if json_:
        as_json({"event": outcome.kind, "real": outcome.real, "subject": outcome.subject, "done": outcome.done, "id": came})
    else:
        click.echo(f"{outcome.kind}: {outcome.done} ({outcome.subject})")
        click.echo(f"It is told as {came}" if came else f"It did not come within {_PATIENCE:g} s: is the server running?", err=not came)
    return 0 if came else 1


async def _trigger(invocation: Invocation, kind: str, merchant: str | None, faucet: str | None, asset: str | None) -> tuple[Triggered, str | None]:
    from pepay_core.cli.keys import whose
    from pepay_core.cli.opening import opened
    from pepay_core.domain.merchants import SCOPES
    from pepay_core.http import AiohttpClient
    from pepay_core.services.callers import Caller

    async with opened(invocation) as runtime, AiohttpClient() as http:
        caller = Caller(await whose(runtime.store, merchant), False, "command line", frozenset(SCOPES))
        before = await runtime.feed.latest(caller)
        pay = _from_faucet(http, faucet) if faucet else None
        outcome = await runtime.triggering.trigger(caller, kind, asset=asset, pay=pay)
        return outcome, await _awaited(runtime, caller, outcome, before)


def _from_faucet(http: Any, url: str) -> Pay:
    """Return how to pay from a faucet of the sandbox."""

    async def pay(option: dict[str, Any], amount: str) -> None:
        from pepay_core.domain.errors import InvalidInput, Unavailable

        if option["reference"]:
            raise InvalidInput(f"a faucet cannot pay in {option['symbol']} on {option['network']}; name another --asset")
        coin = "eth" if "/slip44:" in option["asset"] else "usdc"
        if coin == "usdc" and option["symbol"] != "USDC":
            raise InvalidInput(f"the faucet has no {option['symbol']}; name another --asset")
        wish = {"address": option["destination"], coin: amount}
        answer = await http.post(url, json.dumps(wish).encode(), headers={"Content-Type": "application/json"}, timeout=60)
        if answer.status != 200:
            raise Unavailable(f"the faucet answers {answer.status}: {answer.body[:200].decode(errors='replace')}")

    return pay


async def _awaited(runtime: Runtime, caller: Caller, outcome: Triggered, before: Any) -> str | None:
    """Return the id of the event once it is written down: at once, unless a payment must be seen and become final first."""
    try:
        async with asyncio.timeout(_PATIENCE):
            while True:
                for each in await runtime.feed.after(caller, before, patience=_LOOKS):
                    before = each.id
                    if each.type == outcome.kind and outcome.subject in {each.subject, *_subjects(each.body)}:
                        return each.id
    except TimeoutError:
        return None


def _subjects(body: bytes) -> set[Any]:
    obj = json.loads(body)["data"]["object"]
    return {obj.get("id"), obj.get("invoice")}
