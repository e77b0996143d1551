"""Exchange rates from CoinGecko, with a key or without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.api import PluginInfo, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pepay_core.api import PluginContext, RateProvider

__pepay__ = PluginInfo(api="1.0", settings="pepay_coingecko.settings:CoinGeckoSettings")


@hookimpl
def pepay_rate_providers(ctx: PluginContext) -> Iterable[RateProvider]:
    """Contribute CoinGecko."""
    from pepay_coingecko.provider import CoinGecko

    return [CoinGecko(ctx.settings, ctx.http, ctx.clock)]
