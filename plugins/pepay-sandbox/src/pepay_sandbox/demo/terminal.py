"""What the demo says in the terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from pepay_sandbox.demo.purchase import Step
    from pepay_sandbox.demo.running import Demo

_NODES: Final = {"anvil": "anvil", "py-evm": "py-evm, in this process"}


def ready(demo: Demo, *, kept: bool) -> str:
    """Return the links, the key and what to do with them."""
    rows = [
        ("Shop", f"{demo.shop}/"),
        ("Webhooks", f"{demo.shop}/webhooks"),
        ("API", f"{demo.gateway}/api/v1   (described at {demo.gateway}/schema)"),
        ("Test key", demo.home.key),
        ("Chain", f"{demo.chain.id} at {demo.chain.rpc}   ({_NODES[demo.chain.node]})"),
        ("USDC", demo.usdc.address),
    ]
    if demo.solana:
        rows += [("Solana", f"{demo.solana.cluster.id} at {demo.solana.cluster.rpc}"), ("USDC there", demo.solana.usdc.mint)]
    width = max(len(name) for name, _ in rows) + 2
    lines = [
        "PePay runs on this machine, with money that is worth nothing and rates that are fixed.",
        "",
        *(f"  {click.style(name.ljust(width), bold=True)}{value}" for name, value in rows),
        "",
        "Create an invoice:",
        "",
        curl(demo),
        "",
        "It answers with a payment_url. The shop's order page has a wallet that pays:",
        f"  {demo.shop}/orders/<invoice id>",
        "",
        f"Ctrl-C stops everything, and {'keeps ' + str(demo.home.folder) if kept else 'nothing is kept'}.",
    ]
    return "\n".join(lines)


def curl(demo: Demo) -> str:
    """Return a command line that creates an invoice; it can be pasted as it is."""
    wanted = json.dumps({"amount_usd": "24.00", "description": "From the terminal", "pay_with": demo.usdc_asset})
    parts = (
        f"curl -s {demo.gateway}/api/v1/invoices",
        f"-H 'x-api-key: {demo.home.key}'",
        "-H 'content-type: application/json'",
        f"-d '{wanted}'",
    )
    return "  " + " \\\n    ".join(parts)


def body(demo: Demo) -> dict[str, Any]:
    """Return the same for machines."""
    return {
        "shop": f"{demo.shop}/",
        "webhooks": f"{demo.shop}/webhooks",
        "api": f"{demo.gateway}/api/v1",
        "merchant": demo.home.merchant,
        "key": demo.home.key,
        "chain": {"id": demo.chain.id, "rpc": demo.chain.rpc, "node": demo.chain.node},
        "tokens": [demo.usdc.body() | {"asset": demo.usdc_asset}],
        "solana": demo.solana.body() if demo.solana else None,
        "folder": str(demo.home.folder),
    }


def line(step: Step) -> str:
    """Return one step of a purchase as a line."""
    colour = {"api": "cyan", "wallet": "yellow", "webhook": "green"}[step.source]
    return f"  {step.seconds:7.3f} s  {click.style(step.source.ljust(8), fg=colour)} {step.what.ljust(44)} {step.detail}".rstrip()
