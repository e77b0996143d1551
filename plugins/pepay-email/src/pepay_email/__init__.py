"""Mail over SMTP: what PePay writes to people, and events for endpoints whose URL is ``mailto:…``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.api import PluginInfo, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pepay_core.api import Check, Notifier, PluginContext

__pepay__ = PluginInfo(api="1.0", settings="pepay_email.settings:EmailSettings")


@hookimpl
def pepay_notifiers(ctx: PluginContext) -> Iterable[Notifier]:
    """Send mail, where the settings name a server."""
    from pepay_email.notifier import MailNotifier
    from pepay_email.server import Server

    return [MailNotifier(Server(ctx.settings), ctx.settings)] if ctx.settings.host else []


@hookimpl
def pepay_checks(ctx: PluginContext) -> Iterable[Check]:
    """Look whether the server would take mail."""
    from pepay_email.checks import ServerCheck
    from pepay_email.server import Server

    return [ServerCheck(Server(ctx.settings), ctx.settings)]
