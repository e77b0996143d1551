"""TLS by certificate files, for those who put no proxy in front."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING, Final

from pepay_core.domain.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

_LOOKING: Final = 60.0  # seconds between looks for a renewed certificate


class Certificate:
    """A certificate chain with its key. Connections that come after the files were renewed get the new one."""

    def __init__(self, chain: Path, key: Path) -> None:
        """Read the files; raises ConfigError when they cannot be used together."""
        self._chain = chain
        self._key = key
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._read: tuple[int, int] | None = None
        self._load()

    async def follow(self) -> None:
        """Look for renewed files for ever. Files that cannot be used are said in the log, and the certificate stays as it was."""
        while True:
            await asyncio.sleep(_LOOKING)
            self.renew()

    def renew(self) -> None:
        """Read the files again when they have changed."""
        if self._stamp() == self._read:
            return
        try:
            self._load()
        except ConfigError as exc:
            log.warning("the certificate was not renewed: %s", exc)
        else:
            log.info("the certificate was renewed from %s", self._chain)

    def _load(self) -> None:
        stamp = self._stamp()
        for path, name in ((self._chain, "tls_certificate"), (self._key, "tls_key")):
            try:
                path.read_bytes()
            except OSError as exc:
                raise ConfigError(
                    f"the file {path} cannot be read: {exc.strerror}", hint=f"correct {name} in [server], and let the user that runs PePay read it"
                ) from None
        # A context that was given half of a pair would serve nobody, so the files are tried apart from it.
        try:
            for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.context):
                context.load_cert_chain(self._chain, self._key, password=_refuse_password)
        except (ssl.SSLError, ValueError) as exc:
            reason = exc.reason if isinstance(exc, ssl.SSLError) else str(exc)
            raise ConfigError(
                f"{self._chain} and {self._key} are not a certificate chain and its key in PEM: {reason}",
                hint="give the full chain, and the key that belongs to its first certificate, without a password",
            ) from None
        self._read = stamp

    def _stamp(self) -> tuple[int, int] | None:
        try:
            return self._chain.stat().st_mtime_ns, self._key.stat().st_mtime_ns
        except OSError:
            return None


def _refuse_password() -> str:
    raise ValueError("the key has a password")
