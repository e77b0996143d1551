"""Writes every event into a file, one JSON object a line."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pepay_core.api import PluginInfo, hookimpl

if TYPE_CHECKING:
    from pathlib import Path

    from pepay_core.api import Event, PluginContext

__pepay__ = PluginInfo(api="1.0", settings="pepay_journal.settings:JournalSettings")


@hookimpl
async def pepay_event(event: Event, ctx: PluginContext) -> None:
    """Append the event as it was stored."""
    await asyncio.to_thread(_append, ctx.settings.path, event.body)


def _append(path: Path, line: bytes) -> None:
    with path.open("ab") as file:
        file.write(line + b"\n")
