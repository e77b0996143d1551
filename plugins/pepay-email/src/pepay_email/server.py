"""The mail server: one connection per mail, encrypted and verified unless the operator says otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING

import aiosmtplib

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from email.message import EmailMessage

    from pepay_email.settings import EmailSettings


class Refusal(Exception):
    """The server answered, and did not take the mail. ``code`` is SMTP's (RFC 5321 §4.2); ``about`` says what it refused."""

    def __init__(self, about: str, code: int, text: str) -> None:
        super().__init__(f"the mail server refuses {about}: {code} {text}")
        self.about = about
        self.code = code
        self.text = text

    @property
    def for_good(self) -> bool:
        """Whether the server says that trying again is of no use."""
        return 500 <= self.code < 600


class Unreachable(Exception):
    """No connection, none that can be trusted, or no answer."""


class Server:
    """Hands mail over. Every call has the deadline of the settings, and raises Refusal or Unreachable."""

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings

    async def hand_over(self, message: EmailMessage, sender: str, recipient: str) -> str:
        """Give one message to the server for one recipient, and return what it answered."""
        async with self._connected() as smtp:
            with _refusing("the sender"):
                await smtp.mail(sender)
            with _refusing("the recipient"):
                await smtp.rcpt(recipient)
            with _refusing("the text"):
                answer = await smtp.data(message.as_bytes())
            return f"{answer.code} {answer.message}"

    async def try_out(self) -> None:
        """Connect and sign in, and send nothing."""
        async with self._connected() as smtp:
            with _refusing("to be asked"):
                await smtp.noop()

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        settings = self._settings
        smtp = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.server_port,
            local_hostname=settings.from_address.domain,
            timeout=settings.timeout,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            tls_context=None if settings.security == "none" else _context(settings),
        )
        try:
            async with asyncio.timeout(settings.timeout):
                with _refusing("the connection"):
                    await smtp.connect()
                if settings.user is not None and settings.password is not None:
                    with _refusing("the password"):
                        await smtp.login(settings.user, settings.password.get_secret_value())
                yield smtp
                # Whatever it says now, it has taken the mail.
                with contextlib.suppress(aiosmtplib.SMTPException):
                    await smtp.quit()
        except TimeoutError:
            raise Unreachable(f"the mail server did not answer within {settings.timeout:g} s") from None
        finally:
            smtp.close()


@contextlib.contextmanager
def _refusing(about: str):  # noqa: ANN202 - a context manager
    # The library's errors are not chained: some quote what was sent.
    try:
        yield
    except aiosmtplib.SMTPResponseException as exc:
        raise Refusal(about, exc.code, _line(exc.message)) from None
    except aiosmtplib.SMTPTimeoutError:
        raise Unreachable("the mail server does not answer in time") from None
    except (aiosmtplib.SMTPException, OSError) as exc:
        raise Unreachable(_why(exc)) from None


def _why(error: BaseException) -> str:
    """Say what came between, in words of our own: the library's quote what was sent."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    for each in chain:
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"the mail server's certificate is not valid: {_line(each.verify_message)}"
    if any(isinstance(each, ssl.SSLError) for each in chain):
        return "no TLS connection to the mail server can be made"
    if "STARTTLS" in str(error):
        return "the mail server offers no STARTTLS, and without it nothing is sent"
    for each in chain:
        if isinstance(each, OSError) and not isinstance(each, aiosmtplib.SMTPException):
            return f"the mail server cannot be reached: {each.strerror or 'the connection broke'}"
    return f"the mail server cannot be talked to: {type(error).__name__}"


def _context(settings: EmailSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:200]
