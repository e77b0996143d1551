"""What an operator can say about CoinGecko."""

from __future__ import annotations

from pydantic import Field, SecretStr

from pepay_core.api import PluginSettings


class CoinGeckoSettings(PluginSettings):
    """``[plugin.coingecko]``."""

    base_url: str = Field("https://api.coingecko.com/api/v3", pattern=r"^https?://[^\s?#]+$")
    """Where the API is; keys of a paid plan belong to ``https://pro-api.coingecko.com/api/v3``."""

    api_key: SecretStr = SecretStr("")
    """A demo or paid key; the public API answers without one, but less often."""
