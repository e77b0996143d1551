"""What an operator can say about Kraken."""

from __future__ import annotations

from pydantic import Field

from pepay_core.api import PluginSettings


class KrakenSettings(PluginSettings):
    """``[plugin.kraken]``."""

    base_url: str = Field("https://api.kraken.com/0/public", pattern=r"^https?://[^\s?#]+$")
    """Where the public API is."""
