"""Local chains, a test wallet and a demo shop: what `pepay demo` runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pepay_core.api import PluginInfo, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import click

    from pepay_core.api import CheckoutPart, PluginContext, RateProvider

__pepay__ = PluginInfo(api="1.0", settings="pepay_sandbox.settings:SandboxSettings")


@hookimpl
def pepay_rate_providers(ctx: PluginContext) -> Iterable[RateProvider]:
    """Contribute the fixed rates, where some are configured."""
    from pepay_sandbox.rates import FixedRates

    return [FixedRates(ctx.settings.rates, ctx.clock)] if ctx.settings.rates else []


@hookimpl
def pepay_routes(ctx: PluginContext) -> Iterable[object]:
    """Contribute the simulator, the test wallet and the receiver of webhooks, where chains are named to simulate on."""
    if not ctx.settings.simulator:
        return []
    from pepay_sandbox.simulator.acting import Simulator
    from pepay_sandbox.simulator.catching import Catching
    from pepay_sandbox.simulator.chains import hand_on
    from pepay_sandbox.simulator.routes import routes

    hands = {chain: hand_on(chain, each, ctx.http) for chain, each in ctx.settings.simulator.items()}
    return routes(Simulator(ctx.http, ctx.base_url, hands), Catching())


@hookimpl
def pepay_checkout(invoice: Mapping[str, Any], token: str, ctx: PluginContext) -> Iterable[CheckoutPart]:
    """Contribute the simulator's bar and the test wallet to test payments on those chains."""
    if invoice["livemode"] or not ctx.settings.simulator:
        return []
    from pepay_sandbox.simulator.acting import can_simulate
    from pepay_sandbox.simulator.bar import bar

    return [bar(invoice, token)] if can_simulate(invoice, ctx.settings.simulator) else []


@hookimpl
def pepay_commands() -> Iterable[click.Command]:
    """Contribute `pepay sandbox evm` and `pepay sandbox solana`, and the command behind `pepay demo`."""
    from pepay_sandbox.commands import demo, evm, solana

    return [evm, solana, demo]
