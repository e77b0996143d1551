"""A mail server on this machine that keeps what it is given, and refuses what it is told to."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default as modern
from typing import TYPE_CHECKING, Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path


@dataclass
class Got:
    """One mail as it arrived."""

    sender: str
    recipients: list[str]
    raw: bytes
    encrypted: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=modern)

    @property
    def text(self) -> str:
        return self.message.get_content().replace("\r\n", "\n")


@dataclass
class Mailbox:
    """Use it as ``async with Mailbox() as mailbox``. ``answers`` maps a command to what is answered in place of doing it.

    ``certificate`` makes it offer STARTTLS, or speak TLS from the start with ``implicit``; ``passwords`` makes it ask for one.
    """

    certificate: tuple[Path, Path] | None = None
    implicit: bool = False
    passwords: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    got: list[Got] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    """What was asked, in order: the commands."""
    port: int = 0
    silent: bool = False

    async def __aenter__(self) -> Self:
        context = None
        if self.certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*self.certificate)
        self._changed = asyncio.Condition()
        self._server = await asyncio.get_running_loop().create_server(
            lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader(), _silence) if self.silent else self._session(context),
            "127.0.0.1",
            0,
            ssl=context if self.implicit else None,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for transport in self._open:
            transport.abort()
        await asyncio.sleep(0)

    def __post_init__(self) -> None:
        self._open: set[Any] = set()

    def _session(self, context: ssl.SSLContext | None) -> SMTP:
        with warnings.catch_warnings():
            # It does not see TLS that was there before it.
            warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS")
            return _Session(
                self,
                hostname="mail.test",
                ident="test",
                enable_SMTPUTF8=True,
                tls_context=None if self.implicit else context,
                auth_required=bool(self.passwords),
                auth_require_tls=not self.implicit and context is not None,
                authenticator=self._authenticate if self.passwords else None,
                loop=asyncio.get_running_loop(),
            )

    def _authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        user = data.login.decode()
        session.peer_user = user
        return AuthResult(success=self.passwords.get(user) == data.password.decode(), handled=False)

    async def wait_for(self, number: int) -> list[Got]:
        """Return the mails once there are so many."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: len(self.got) >= number)
        return self.got

    # --- what the server asks its handler ------------------------------------------

    async def handle_EHLO(self, server, session, envelope, hostname, responses):  # noqa: N802
        self.seen.append(f"EHLO {hostname}")
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        self.seen.append("MAIL")
        if "MAIL" in self.answers:
            return self.answers["MAIL"]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        self.seen.append("RCPT")
        if "RCPT" in self.answers:
            return self.answers["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.seen.append("DATA")
        if "DATA" in self.answers:
            return self.answers["DATA"]
        encrypted = session.ssl is not None or self.implicit
        self.got.append(Got(envelope.mail_from, list(envelope.rcpt_tos), envelope.original_content, encrypted, getattr(session, "peer_user", None)))
        async with self._changed:
            self._changed.notify_all()
        return "250 taken"


class _Session(SMTP):
    def __init__(self, mailbox: Mailbox, **options: Any) -> None:
        self._mailbox = mailbox
        super().__init__(mailbox, **options)

    def connection_made(self, transport: Any) -> None:
        self._mailbox._open.add(transport)
        super().connection_made(transport)


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


def certificate(folder: Path, *names: str, days: int = 1) -> tuple[Path, Path]:
    """Make a certificate for names and addresses, signed by itself, and return the files of it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    alternatives = [x509.IPAddress(ipaddress.ip_address(each)) if each[0].isdigit() else x509.DNSName(each) for each in names]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{names[0]}.pem", folder / f"{names[0]}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files
