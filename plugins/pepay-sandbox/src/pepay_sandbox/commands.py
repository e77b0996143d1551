"""The commands of the sandbox. What is heavy is imported inside them."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click

from pepay_sandbox.stopping import run_until_stopped


@click.command("evm")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where JSON-RPC listens; 0 lets the system choose.")
@click.option("--node", type=click.Choice(["auto", "anvil", "py-evm"]), default="auto", show_default=True, help="What runs the chain.")
@click.option("--chain-id", type=click.IntRange(1, 2**31), default=31337, show_default=True)
@click.option(
    "--block-seconds", type=click.IntRange(0, 600), default=1, show_default=True, help="Seconds between blocks; 0 mines each transaction at once."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object when ready.")
def evm(**options: Any) -> None:
    """Run a local EVM chain with a test USDC and a faucet until stopped."""
    try:
        run_until_stopped(_evm(**options))
    except OSError as exc:
        raise click.ClickException(exc.strerror or str(exc)) from exc


@click.command("solana")
@click.option(
    "--port", type=click.IntRange(0, 65534), default=0, help="Where JSON-RPC listens, with WebSockets at the next; 0 lets the system choose."
)
@click.option("--slot-ms", type=click.IntRange(0, 600_000), default=400, show_default=True, help="Milliseconds between slots; 0 leaves them to you.")
@click.option("--confirm-slots", type=click.IntRange(0, 1000), default=1, show_default=True, help="Slots until a transaction is confirmed.")
@click.option("--final-slots", type=click.IntRange(0, 1000), default=32, show_default=True, help="Slots until it is finalized.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object when ready.")
def solana(**options: Any) -> None:
    """Run a local Solana cluster with a test USDC and a faucet until stopped."""
    if options["confirm_slots"] > options["final_slots"]:
        raise click.UsageError("--confirm-slots may not be more than --final-slots: nothing is final before it is confirmed.")
    try:
        run_until_stopped(_solana(**options))
    except OSError as exc:
        raise click.ClickException(exc.strerror or str(exc)) from exc


@click.command("demo")
@click.option("--pay", is_flag=True, help="Buy once in the terminal, show each event with its timing, and stop.")
@click.option(
    "--with",
    "pay_with",
    type=click.Choice(["usdc", "eth", "solana-usdc", "sol"]),
    default="usdc",
    show_default=True,
    help="What --pay pays with; the last two where pepay-solana is installed.",
)
@click.option("--port", type=click.IntRange(0, 65535), help="Where PePay listens; 8000, or another where that is taken. 0 lets the system choose.")
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path, file_okay=False, resolve_path=True), help="Keep configuration, database and log here."
)
@click.option("--node", type=click.Choice(["auto", "anvil", "py-evm"]), default="auto", show_default=True, help="What runs the chain.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def demo(**options: Any) -> None:
    """Run PePay with a local chain, a shop and a wallet full of test money."""
    from pepay_sandbox.demo.command import demo as run

    try:
        went_well = run_until_stopped(run(**options))
    except OSError as exc:
        raise click.ClickException(exc.strerror or str(exc)) from exc
    # Stopped is how a demo ends, but not how a purchase does.
    if went_well is False or (options["pay"] and not went_well):
        raise click.exceptions.Exit(1)


async def _evm(*, port: int, node: Any, chain_id: int, block_seconds: int, as_json: bool) -> None:
    import asyncio

    import aiohttp

    from pepay_sandbox.faucet import faucet
    from pepay_sandbox.local_chain import local_chain
    from pepay_sandbox.loopback import serve
    from pepay_sandbox.wallet import TestWallet

    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        chain = await stack.enter_async_context(local_chain(session, node=node, chain_id=chain_id, block_seconds=block_seconds, port=port))
        wallet = await TestWallet.open(chain)
        usdc = await wallet.deploy_token()
        tap = await stack.enter_async_context(serve(faucet(chain, wallet, usdc)))
        ready = {"rpc": chain.rpc, "ws": chain.ws, "chain_id": chain.chain_id, "node": chain.node, "tokens": [usdc.body()], "faucet": tap}
        click.echo(json.dumps(ready) if as_json else _summary(ready))
        await asyncio.Event().wait()


async def _solana(*, port: int, slot_ms: int, confirm_slots: int, final_slots: int, as_json: bool) -> None:
    import asyncio

    import aiohttp

    from pepay_sandbox.loopback import serve
    from pepay_sandbox.solana.faucet import faucet
    from pepay_sandbox.solana.local_cluster import local_cluster
    from pepay_sandbox.solana.wallet import SolanaWallet

    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        cluster = await stack.enter_async_context(
            local_cluster(session, port=port, slot_ms=slot_ms, confirm_slots=confirm_slots, final_slots=final_slots)
        )
        wallet = await SolanaWallet.open(cluster)
        usdc = await wallet.deploy_token()
        await cluster.settle()
        tap = await stack.enter_async_context(serve(faucet(cluster, wallet, usdc)))
        ready = {"rpc": cluster.rpc, "ws": cluster.ws, "genesis": cluster.genesis, "tokens": [usdc.body()], "faucet": tap}
        click.echo(json.dumps(ready) if as_json else _solana_summary(cluster.id, ready))
        await asyncio.Event().wait()


def _solana_summary(chain: str, ready: dict[str, Any]) -> str:
    usdc = ready["tokens"][0]
    return "\n".join(
        [
            f"Cluster {chain}: {ready['rpc']}",
            f"WebSockets: {ready['ws']}",
            f"{usdc['symbol']} ({usdc['decimals']} decimals): {usdc['mint']}",
            f'Faucet: curl -d \'{{"address":"…","sol":"1","usdc":"100"}}\' {ready["faucet"]}',
            "Ctrl-C stops it, and nothing is kept.",
        ]
    )


def _summary(ready: dict[str, Any]) -> str:
    usdc = ready["tokens"][0]
    return "\n".join(
        [
            f"Chain {ready['chain_id']} on {ready['node']}: {ready['rpc']}",
            f"{usdc['symbol']} ({usdc['decimals']} decimals): {usdc['address']}",
            f'Faucet: curl -d \'{{"address":"0x…","eth":"1","usdc":"100"}}\' {ready["faucet"]}',
            "Ctrl-C stops it, and nothing is kept.",
        ]
    )
