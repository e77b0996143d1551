"""What PePay asks of whoever keeps the master key."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class SecretsDriver(ABC):
    """Keeps the one key from which every other is made. Chosen by name in ``[secrets] driver``, before any plugin has settings.

    An implementation is an entry point in the group ``pepay.secrets``, and is constructed with the key file that is configured and
    the environment, of which it uses what it needs.
    """

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.path = path
        self.environ = environ

    @abstractmethod
    def master_key(self) -> bytes:
        """Return the 32 bytes, always the same; raises ConfigError, without any part of the key, when they cannot be had."""
