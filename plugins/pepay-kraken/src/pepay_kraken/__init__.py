"""Exchange rates from Kraken, without a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.api import PluginInfo, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pepay_core.api import PluginContext, RateProvider

__pepay__ = PluginInfo(api="1.0", settings="pepay_kraken.settings:KrakenSettings")


@hookimpl
def pepay_rate_providers(ctx: PluginContext) -> Iterable[RateProvider]:
    """Contribute Kraken."""
    from pepay_kraken.provider import Kraken

    return [Kraken(ctx.settings, ctx.http, ctx.clock)]
