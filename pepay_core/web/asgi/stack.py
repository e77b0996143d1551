"""The layers, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.web.asgi.addressing import addressing
from pepay_core.web.asgi.bounding import bounding
from pepay_core.web.asgi.hardening import hardening
from pepay_core.web.asgi.heading import heading
from pepay_core.web.asgi.hosting import hosting
from pepay_core.web.asgi.spelling import spelling
from pepay_core.web.asgi.tracing import tracing

if TYPE_CHECKING:
    from collections import Counter

    from litestar.types import ASGIApp

    from pepay_core.contracts.context import Clock
    from pepay_core.settings import Settings
    from pepay_core.web.limiting import Allowances


def layered(app: ASGIApp, settings: Settings, clock: Clock, allowances: Allowances, counted: Counter[tuple[str, int]]) -> ASGIApp:
    """Return the application behind everything that every request must pass; the last line is the outermost layer."""
    server = settings.server
    app = spelling(app, server.base_url)
    app = bounding(app, allowances, strays_per_minute=settings.limits.reads_per_minute, base_url=server.base_url)
    app = hosting(app, server.base_url, server.hosts)
    app = addressing(app, server.trusted_proxies, server.forwarded_header)
    app = heading(app)
    app = tracing(app, clock, counted, server.base_url)
    return hardening(app, https=server.base_url.startswith("https://"))
