"""What an operator can say about mail."""

from __future__ import annotations

import re
from email.headerregistry import Address
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, FilePath, SecretStr, model_validator

from pepay_core.api import InvalidInput, PluginSettings, check_mail_address

_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


_SENDER: Final = re.compile(r'(?:"?(?P<name>[^<>"]*?)"? *<(?P<address>[^<> ]+)>|(?P<bare>[^<> ]+))')


def _taken_apart(text: str) -> Address:
    match = _SENDER.fullmatch(text)
    if match is None or not text.isprintable():
        raise InvalidInput("is not an address such as PePay <pay@shop.example>")
    return Address(match["name"] or "", addr_spec=check_mail_address(match["address"] or match["bare"]))


def _sender(text: str) -> str:
    try:
        _taken_apart(text)
    except InvalidInput:
        raise ValueError("must be an address such as PePay <pay@shop.example>") from None
    return text


class EmailSettings(PluginSettings):
    """``[plugin.email]``. Without a ``host`` no mail is sent."""

    host: str | None = Field(None, pattern=r"^[A-Za-z0-9.:_-]+$")
    """The mail server that takes mail from here."""
    port: int | None = Field(None, ge=1, le=65535)
    """587 for ``starttls``, 465 for ``tls``, 25 for ``none``, where nothing else is said."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is protected; ``none`` is for a server on this machine or in a closed network, and sends no password elsewhere."""
    ca_file: FilePath | None = None
    """PEM certificates of authorities to trust instead of the system's, for a server with a certificate of one's own."""
    user: str | None = None
    password: SecretStr | None = None
    sender: Annotated[str, AfterValidator(_sender)] | None = None
    """Whom mail is from, such as ``PePay <pay@shop.example>``."""
    timeout: float = Field(30, gt=0, le=60)
    """Seconds within which a mail must have been handed over."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.host and not self.sender:
            raise ValueError("sender is missing: whom mail is from, such as PePay <pay@shop.example>")
        if (self.user is None) != (self.password is None):
            raise ValueError("give both user and password, or neither")
        if self.user is not None and self.security == "none" and self.host not in _LOOPBACK:
            raise ValueError('a password is not sent over a connection that others can read: set security to "starttls" or "tls"')
        return self

    @property
    def server_port(self) -> int:
        """The port that is connected to."""
        return self.port or _PORTS[self.security]

    @property
    def from_address(self) -> Address:
        """Whom mail is from, taken apart."""
        return _taken_apart(self.sender or "")
