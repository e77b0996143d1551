"""The console of one plugin's commands: its context, and what was issued, read from the database."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from pepay_core.contracts.chain import WalletMaterial
from pepay_core.contracts.console import Console, Gateway, IssuedDeposit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from pepay_core.cli.invocation import Invocation
    from pepay_core.contracts.context import PluginContext
    from pepay_core.domain.assets import ChainId
    from pepay_core.plugins.info import PluginInfo


class PluginConsole(Console):
    """Opens the configuration that the command line named, for one plugin."""

    def __init__(self, invocation: Invocation, plugin: str, info: PluginInfo) -> None:
        self._invocation = invocation
        self._plugin = plugin
        self._info = info

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Gateway]:
        """Read the configuration, and give the plugin its context for as long as the block lasts."""
        from pepay_core.clock import SystemClock
        from pepay_core.http import AiohttpClient
        from pepay_core.plugins.context import build_context

        settings = self._invocation.settings
        given = settings.plugin.get(self._plugin, {})
        async with AiohttpClient(allow_private=settings.webhooks.allow_private) as http:
            yield _Opened(
                self._invocation, build_context(self._plugin, self._info, given, clock=SystemClock(), http=http, base_url=settings.server.base_url)
            )


class _Opened(Gateway):
    def __init__(self, invocation: Invocation, ctx: PluginContext) -> None:
        self.ctx = ctx
        self._invocation = invocation

    async def deposits(self, chain: ChainId, kind: str) -> Sequence[IssuedDeposit]:
        from pepay_core.secrets import open_vault
        from pepay_core.services.unlocking import unlock
        from pepay_core.storage.migrating import insist_migrated
        from pepay_core.storage.opening import open_store

        settings = self._invocation.settings
        await insist_migrated(settings.database_url, settings.database_name)
        async with open_store(settings.database_url, self.ctx.clock) as store:
            await unlock(store, open_vault(settings, self._invocation.environ))
            async with store.read() as tx:
                wallets = {each.id: each for each in await tx.wallets.of_kind(chain.partition(":")[0], kind)}
                issued = await tx.destinations.from_wallets(list(wallets))
                balances = await tx.sweeps.at_destinations(chain, list(wallets))
        return [
            IssuedDeposit(
                destination=each.destination,
                wallet=each.wallet,
                material=WalletMaterial(kind, wallets[each.wallet].value),
                index=each.index,
                livemode=each.livemode,
                balances=tuple(balances.get(each.destination.address, ())),
            )
            for each in issued
        ]
