"""Receiving material for the demo's merchant."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VERSION: Final = bytes.fromhex("0488b21e")
_ACCOUNT_DEPTH: Final = 3
_FIRST_HARDENED: Final = 2**31


def new_xpub() -> str:
    """Return a new account-level xpub (BIP-32 serialization). Its private half is forgotten at once: nobody will spend test money."""
    from eth_keys.datatypes import PrivateKey  # not needed before the demo runs

    point = PrivateKey(secrets.token_bytes(32)).public_key.to_compressed_bytes()
    # The parent never existed, so its fingerprint is as random as the chain code.
    return _base58check(
        _VERSION + bytes([_ACCOUNT_DEPTH]) + secrets.token_bytes(4) + _FIRST_HARDENED.to_bytes(4, "big") + secrets.token_bytes(32) + point
    )


def _base58check(payload: bytes) -> str:
    checksum = hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number = int.from_bytes(payload + checksum, "big")
    digits = ""
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
