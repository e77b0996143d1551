"""The alphabet in which Solana writes keys, hashes and signatures."""

from __future__ import annotations

from typing import Final

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = {letter: value for value, letter in enumerate(_ALPHABET)}


def encode(data: bytes) -> str:
    """Return bytes as text; a leading zero byte is a leading ``1``."""
    number, letters = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        letters = _ALPHABET[digit] + letters
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + letters


def decode(text: str) -> bytes:
    """Return the bytes that a text writes; raises ValueError for a letter that the alphabet does not have."""
    number = 0
    for letter in text:
        if letter not in _VALUES:
            raise ValueError("not base58")
        number = number * 58 + _VALUES[letter]
    return b"\0" * (len(text) - len(text.lstrip("1"))) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def decode_key(text: str) -> bytes:
    """Return the 32 bytes of a public key or a hash; raises ValueError for everything else."""
    if not 32 <= len(text) <= 44 or len(data := decode(text)) != 32:
        raise ValueError("not 32 bytes")
    return data
