"""Addresses of accounts: their one spelling, which is EIP-55, and what is refused as one."""

from __future__ import annotations

import re
from typing import Final

from Crypto.Hash import keccak as _keccak

from pepay_core.api import Address, InvalidAddress

_HEX: Final = re.compile(r"0[xX][0-9a-fA-F]{40}")
ZERO: Final = "0x" + "0" * 40


def keccak(data: bytes) -> bytes:
    """Return the Keccak-256 digest that Ethereum uses, which is not SHA3-256."""
    return _keccak.new(digest_bits=256, data=data).digest()


def checksummed(address: str) -> Address:
    """Return 0x and forty hexadecimal digits in the mixed case of EIP-55."""
    digits = address[2:].lower()
    digest = keccak(digits.encode()).hex()
    return Address("0x" + "".join(letter.upper() if nibble >= "8" else letter for letter, nibble in zip(digits, digest, strict=False)))


def parse(text: str) -> Address:
    """Return the address in EIP-55 spelling, or raise InvalidAddress; mixed case must have the right checksum.

    The zero address is refused, because whatever is sent there is lost. A text longer than an address may be a private key, so
    it is not repeated in the error.
    """
    stripped = text.strip()
    if len(stripped) > len(ZERO):
        raise InvalidAddress("(not shown)", "too long for an address; if this is a private key or a seed phrase, it belongs nowhere near a server")
    if not _HEX.fullmatch(stripped):
        raise InvalidAddress(stripped, "an address is 0x and 40 hexadecimal digits")
    address = checksummed(stripped)
    digits = stripped[2:]
    if digits not in (digits.lower(), digits.upper(), address[2:]):
        raise InvalidAddress(stripped, "the checksum does not match, so a character is probably wrong")
    if address == ZERO:
        raise InvalidAddress(stripped, "the zero address belongs to nobody")
    return address
