"""Base58, in which Solana writes addresses, hashes, signatures and short data."""

from __future__ import annotations

from typing import Final

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}


def encode(octets: bytes) -> str:
    """Write bytes."""
    number = int.from_bytes(octets, "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = _ALPHABET[digit] + text
    return "1" * (len(octets) - len(octets.lstrip(b"\0"))) + text


def decode(text: str) -> bytes:
    """Read bytes; raises ValueError."""
    number = 0
    for character in text:
        if character not in _VALUES:
            raise ValueError("not base58")
        number = number * 58 + _VALUES[character]
    return b"\0" * (len(text) - len(text.lstrip("1"))) + number.to_bytes((number.bit_length() + 7) // 8, "big")
