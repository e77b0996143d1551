"""Local chains, a test wallet and a demo shop: what `pepay demo` runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.api import PluginInfo, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click

    from pepay_core.api import PluginContext, RateProvider

__pepay__ = PluginInfo(api="1.0", settings="pepay_sandbox.settings:SandboxSettings")


@hookimpl
def pepay_rate_providers(ctx: PluginContext) -> Iterable[RateProvider]:
    """Contribute the fixed rates, where some are configured."""
    from pepay_sandbox.rates import FixedRates

    return [FixedRates(ctx.settings.rates, ctx.clock)] if ctx.settings.rates else []


@hookimpl
def pepay_commands() -> Iterable[click.Command]:
    """Contribute `pepay sandbox evm` and `pepay sandbox solana`, and the command behind `pepay demo`."""
    from pepay_sandbox.commands import demo, evm, solana

    return [evm, solana, demo]
