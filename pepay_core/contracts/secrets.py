"""What PePay asks of whoever keeps the master key."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from pepay_core.domain.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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
        """Return the 32 bytes, always the same until they are replaced; raises ConfigError, without any part of the key, when they cannot be had."""

    def other_keys(self) -> Sequence[bytes]:
        """Return the keys that stored records may be sealed with besides: the one before, and the next one while a replacement runs."""
        return ()

    def version(self) -> object:
        """Return something that changes with the key and costs nothing to ask for; a running process reads the key again when it has changed."""
        return None

    def prepare(self) -> bytes:
        """Make the next master key, keep it so that it cannot be lost, and return it; the same one when asked again before the switch."""
        raise ConfigError("this secrets driver cannot replace its key", hint="ask its author, or choose another in [secrets] driver")

    def switch(self) -> None:
        """Make the next key the master key and the present one another key; once that is done, do nothing."""
        raise ConfigError("this secrets driver cannot replace its key", hint="ask its author, or choose another in [secrets] driver")
