"""Certificates for TLS: what one says of itself, and whether a key is its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificate:
    """The names that a certificate is for, when it is valid, and whether the key beside it is its own."""

    names: tuple[str, ...]
    since: datetime
    until: datetime
    fits_key: bool

    def is_for(self, host: str) -> bool:
        """Tell whether a host may show it; a ``*`` stands for one label (RFC 6125, section 6.4.3)."""
        return any(_matches(name.lower().rstrip("."), host.lower().rstrip(".")) for name in self.names)


def read_certificate(chain: Path, key: Path) -> Certificate:
    """Read the first certificate of a chain, and its key, from PEM files; raises OSError and ValueError."""
    leaf = x509.load_pem_x509_certificates(chain.read_bytes())[0]
    try:
        private = load_pem_private_key(key.read_bytes(), password=None)
    except TypeError:
        raise ValueError("the key asks for a password") from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    fits = leaf.public_key().public_bytes(*form) == private.public_key().public_bytes(*form)
    return Certificate(_names(leaf), leaf.not_valid_before_utc, leaf.not_valid_after_utc, fits)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress)))


def _matches(name: str, host: str) -> bool:
    return host.partition(".")[2] == name[2:] if name.startswith("*.") else name == host
