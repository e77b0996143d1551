"""The base class of a plugin's settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class PluginSettings(BaseModel):
    """Read from ``[plugin.NAME]`` in ``pepay.toml`` and ``PEPAY_NAME__*`` in the environment.

    Declare secrets as ``pydantic.SecretStr``. A key that the class does not have is an error that names the nearest one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True)
