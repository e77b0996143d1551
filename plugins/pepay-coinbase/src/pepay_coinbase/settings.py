"""What an operator can say about Coinbase."""

from __future__ import annotations

from pydantic import Field

from pepay_core.api import PluginSettings


class CoinbaseSettings(PluginSettings):
    """``[plugin.coinbase]``."""

    base_url: str = Field("https://api.coinbase.com/v2", pattern=r"^https?://[^\s?#]+$")
    """Where the API is."""
