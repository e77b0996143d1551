"""``[plugin.journal]``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from pepay_core.api import PluginSettings


class JournalSettings(PluginSettings):
    """Where the events go."""

    path: Path = Field(default=Path("events.jsonl"), description="the file that events are appended to")
