"""What a plugin module says of itself in ``__pepay__``."""

from __future__ import annotations

from dataclasses import dataclass

API_VERSION = "1.0"
"""The version of ``pepay_core.api``: the major changes when a plugin could break, the minor when something is added."""


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """``api`` is the lowest plugin API it needs; ``settings`` and ``piccolo_app`` are ``module:Name`` and ``module``, resolved late."""

    api: str
    settings: str | None = None
    piccolo_app: str | None = None
