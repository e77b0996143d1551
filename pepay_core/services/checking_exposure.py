"""What `pepay doctor` says of the way between PePay and the world: proxies, certificates, files that others can read."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pepay_core.certificates import read_certificate
from pepay_core.contracts.check import Check, Finding, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from pepay_core.settings import Settings

_SOON: Final = timedelta(days=14)
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class ExposureCheck(Check):
    """Whether what is between this process and its buyers is as the configuration says."""

    name = "exposure"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        parts = urlsplit(settings.server.base_url)
        self._https = parts.scheme == "https"
        self._host = parts.hostname or ""

    async def run(self) -> list[Finding]:
        """Look at everything."""
        return [*self._proxy(), *self._certificate(), *self._files(), *self._development()]

    def _proxy(self) -> list[Finding]:
        server = self._settings.server
        behind = self._https and self._settings.tls_files is None
        if behind and not server.trusted_proxies:
            return [
                Finding(
                    Verdict.WARNING,
                    "server.trusted_proxies",
                    "base_url is https and there is no certificate here, so a proxy is in front; its clients all count as one address",
                    'name the proxy: trusted_proxies = ["127.0.0.1"], or the address from which it connects',
                )
            ]
        if not self._https and self._host not in _LOCAL and server.trusted_proxies:
            return [
                Finding(
                    Verdict.PROBLEM,
                    "server.base_url",
                    "there is a proxy, and base_url is plain http: cookies and links are for http",
                    "set base_url to the https address of the proxy",
                )
            ]
        return []

    def _certificate(self) -> list[Finding]:
        files = self._settings.tls_files
        if files is None:
            return []
        findings: list[Finding] = []
        if not self._https:
            findings.append(_certificate_problem("there is a certificate, and base_url is not https", "set base_url to the https address"))
        try:
            certificate = read_certificate(*files)
        except (OSError, ValueError) as exc:
            return [
                *findings,
                _certificate_problem(f"the files cannot be read ({type(exc).__name__})", "give a certificate chain and its key in PEM"),
            ]
        now = datetime.now(UTC)
        if not certificate.fits_key:
            findings.append(_certificate_problem("the key is not the certificate's", "give the key that the certificate was made for"))
        if certificate.until <= now:
            findings.append(_certificate_problem(f"the certificate expired at {certificate.until:%Y-%m-%d}", "renew it"))
        elif certificate.until - now < _SOON:
            days = (certificate.until - now).days
            findings.append(Finding(Verdict.WARNING, "server.tls_certificate", f"the certificate expires in {days} days", "renew it in time"))
        if certificate.since > now:
            findings.append(_certificate_problem("the certificate is not valid yet", "look at this machine's clock"))
        if not certificate.is_for(self._host):
            findings.append(_certificate_problem(f"the certificate is not for {self._host}", "get one for the name in base_url"))
        return findings

    def _files(self) -> list[Finding]:
        settings = self._settings
        files = {"the configuration": settings.config_path, "the master key": settings.key_path if settings.secrets.driver == "file" else None}
        if settings.tls_files is not None:
            files["the key of the certificate"] = settings.tls_files[1]
        if settings.database_url.startswith("sqlite:///"):
            files["the database"] = settings.folder / settings.database_url.removeprefix("sqlite:///")
        return [
            Finding(Verdict.PROBLEM, "files", f"{name} {path} can be read by everybody on this machine", f"chmod 600 {path}")
            for name, path in files.items()
            if path is not None and _open_to_all(path)
        ]

    def _development(self) -> list[Finding]:
        if not (self._settings.webhooks.allow_private and self._https and self._host not in _LOCAL):
            return []
        return [
            Finding(
                Verdict.PROBLEM,
                "webhooks.allow_private",
                "this server is public, and merchants can have it call every address in its own network",
                "take allow_private out of the configuration",
            )
        ]


def _certificate_problem(message: str, remedy: str) -> Finding:
    return Finding(Verdict.PROBLEM, "server.tls_certificate", message, remedy)


def _open_to_all(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
