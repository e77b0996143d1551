"""What ``pepay doctor`` asks of the mail server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.api import Check, Finding, Verdict
from pepay_email.server import Refusal, Unreachable

if TYPE_CHECKING:
    from pepay_email.server import Server
    from pepay_email.settings import EmailSettings


class ServerCheck(Check):
    """Whether mail can be sent."""

    name = "mail"

    def __init__(self, server: Server, settings: EmailSettings) -> None:
        self._server = server
        self._settings = settings

    async def run(self) -> list[Finding]:
        """Connect and sign in, and send nothing."""
        settings = self._settings
        if settings.host is None:
            return [
                Finding(
                    Verdict.WARNING,
                    "mail",
                    "no mail server is configured: invitations and links to a new password have to be handed over by hand",
                    "set host and sender in [plugin.email]",
                )
            ]
        place = f"{settings.host}:{settings.server_port}"
        try:
            await self._server.try_out()
        except (Refusal, Unreachable) as exc:
            return [Finding(Verdict.PROBLEM, "mail", f"{place}: {exc}", "correct [plugin.email], or ask whoever runs the mail server")]
        if settings.security == "none":
            return [Finding(Verdict.WARNING, "mail", f"{place} takes mail, over a connection that is not encrypted", 'set security = "starttls"')]
        return [Finding(Verdict.OK, "mail", f"{place} takes mail from {settings.from_address.addr_spec}")]
