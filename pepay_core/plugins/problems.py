"""What went wrong with a plugin: where, why, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pepay_core.log import redact

if TYPE_CHECKING:
    from pepay_core.domain.errors import PluginError


class Stage(StrEnum):
    """How far a plugin had come."""

    DISCOVER = "discover"
    COMPATIBILITY = "compatibility"
    IMPORT = "import"
    SETTINGS = "settings"
    REGISTER = "register"
    CONTRIBUTE = "contribute"
    CONFLICT = "conflict"
    MIGRATE = "migrate"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that keeps a plugin, or a part of what it contributes, from running."""

    plugin: str
    stage: Stage
    kind: type[PluginError]
    reason: str
    hint: str

    def error(self) -> PluginError:
        """Return the problem as something to raise."""
        return self.kind(self.plugin, self.reason, hint=self.hint)


def told(exc: BaseException) -> str:
    """Return what an exception of somebody else's code says, in one line and without secrets."""
    try:
        text = " ".join(str(exc).split())
    except Exception:  # noqa: BLE001 - even telling its name is up to somebody else's code
        text = ""
    return redact(f"{type(exc).__name__}: {text[:300]}" if text else type(exc).__name__)
