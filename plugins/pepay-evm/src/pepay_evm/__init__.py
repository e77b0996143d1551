"""Accept payments on Ethereum and every other EVM network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.api import PluginInfo, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import click

    from pepay_core.api import Chain, Check, PluginContext, Token

__pepay__ = PluginInfo(api="1.0", settings="pepay_evm.settings:EvmSettings")


@hookimpl
def pepay_chains(ctx: PluginContext) -> Iterable[Chain]:
    """Return one driver for each configured network."""
    from pepay_evm.chain import EvmChain  # the cryptography behind it is only paid for when a network is driven

    return [EvmChain(network, ctx.http, ctx.clock) for network in ctx.settings.resolved()]


@hookimpl
def pepay_tokens(ctx: PluginContext, chains: Mapping[str, Chain]) -> Iterable[Token]:
    """Return the native coin and the tokens of each configured network."""
    return [token for network in ctx.settings.resolved() if network.id in chains for token in (network.native, *network.tokens)]


@hookimpl
def pepay_checks(ctx: PluginContext) -> Iterable[Check]:
    """Return two questions for each configured network: whether it is well, and whether deposits can be flushed on it."""
    from pepay_evm.checks import NetworkCheck
    from pepay_evm.readiness import DepositsCheck

    return [check(network, ctx.http, ctx.clock) for network in ctx.settings.resolved() for check in (NetworkCheck, DepositsCheck)]


@hookimpl
def pepay_commands() -> Iterable[click.Command]:
    """Return the commands for CREATE2 deposits."""
    from pepay_evm.commands import deploy_factory, flush

    return [deploy_factory, flush]
