"""Accept SOL and SPL tokens on Solana."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.api import PluginInfo, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pepay_core.api import Chain, Check, PluginContext, Token

__pepay__ = PluginInfo(api="1.0", settings="pepay_solana.settings:SolanaSettings")


@hookimpl
def pepay_chains(ctx: PluginContext) -> Iterable[Chain]:
    """Return one driver for each configured cluster."""
    from pepay_solana.chain import SolanaChain

    return [SolanaChain(cluster, ctx.http, ctx.clock) for cluster in ctx.settings.resolved()]


@hookimpl
def pepay_tokens(ctx: PluginContext, chains: Mapping[str, Chain]) -> Iterable[Token]:
    """Return SOL and the tokens of each configured cluster."""
    return [token for cluster in ctx.settings.resolved() if cluster.id in chains for token in (cluster.native, *cluster.tokens)]


@hookimpl
def pepay_checks(ctx: PluginContext) -> Iterable[Check]:
    """Return one question for each configured cluster."""
    from pepay_solana.checks import ClusterCheck

    return [ClusterCheck(cluster, ctx.http, ctx.clock) for cluster in ctx.settings.resolved()]
