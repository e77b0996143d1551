"""What `pepay demo` does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from pepay_core.api import ConfigError, NotReady
from pepay_sandbox.demo import terminal
from pepay_sandbox.demo.purchase import purchase
from pepay_sandbox.demo.running import running_demo
from pepay_sandbox.demo.server import last_words

if TYPE_CHECKING:
    from pathlib import Path

    from pepay_sandbox.demo.purchase import Step
    from pepay_sandbox.demo.running import Demo
    from pepay_sandbox.demo.shop import Choice


async def demo(*, port: int | None, folder: Path | None, node: Any, pay: bool, pay_with: str, as_json: bool) -> bool:
    """Run the demo until it is stopped, or for one purchase; return whether all went well."""
    if not as_json:
        click.echo("Starting a chain, a shop and PePay…")
    async with running_demo(port=port, folder=folder, node=node) as running:
        if pay:
            return await _pay_once(running, _choice(running, pay_with), as_json=as_json)
        click.echo(json.dumps(terminal.body(running)) if as_json else terminal.ready(running, kept=folder is not None))
        status = await running.process.wait()
        raise NotReady(f"the server stopped by itself, with status {status}:\n{last_words(running.home)}")


def _choice(running: Demo, name: str) -> Choice:
    found = next((each for each in running.choices if each.name == name), None)
    if found is None:
        raise ConfigError(f"the demo cannot pay with {name}: pepay-solana is not installed", hint="pip install pepay-solana")
    return found


async def _pay_once(running: Demo, choice: Choice, *, as_json: bool) -> bool:
    steps: list[Step] = []

    def tell(step: Step) -> None:
        steps.append(step)
        if not as_json:
            click.echo(terminal.line(step))

    paid = await purchase(running, choice, tell)
    if as_json:
        click.echo(json.dumps({"paid": paid, "steps": [step.body() for step in steps]}))
    else:
        click.echo("Paid, and the webhook told so once." if paid else "The purchase did not end as it should have.")
    return paid
