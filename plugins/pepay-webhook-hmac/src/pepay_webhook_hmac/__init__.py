"""Signed webhooks: Standard Webhooks and X-Pepay-Signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.api import PluginInfo, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pepay_core.api import Notifier, PluginContext

__pepay__ = PluginInfo(api="1.0")


@hookimpl
def pepay_notifiers(ctx: PluginContext) -> Iterable[Notifier]:
    """Deliver events to ``webhook`` endpoints."""
    from pepay_webhook_hmac.notifier import WebhookNotifier

    return [WebhookNotifier(ctx.http, ctx.clock)]
