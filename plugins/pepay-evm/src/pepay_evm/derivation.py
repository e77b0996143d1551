"""Receiving addresses from an account's extended public key (BIP-32): the server never sees a private one."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NoReturn

import coincurve

from pepay_core.api import InvalidInput, NoDestination
from pepay_evm.addresses import checksummed, keccak

if TYPE_CHECKING:
    from pepay_core.api import Address

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_XPUB: Final = bytes.fromhex("0488b21e")
_PRIVATE: Final = {
    bytes.fromhex(version) for version in ("0488ade4", "049d7878", "04b2430c", "0295b005", "02aa7a99", "04358394", "044a4e28", "045f18bc")
}
_OTHERS: Final = {
    bytes.fromhex("049d7cb2"): "a ypub, made for Bitcoin",
    bytes.fromhex("04b24746"): "a zpub, made for Bitcoin",
    bytes.fromhex("0295b43f"): "a Ypub, made for Bitcoin",
    bytes.fromhex("02aa7ed3"): "a Zpub, made for Bitcoin",
    bytes.fromhex("043587cf"): "a tpub, made for test networks",
    bytes.fromhex("044a5262"): "a upub, made for Bitcoin's test network",
    bytes.fromhex("045f1cf6"): "a vpub, made for Bitcoin's test network",
}
_ACCOUNT_DEPTH: Final = 3
_HARDENED: Final = 2**31
_PATH: Final = "export the xpub of an account, such as m/44'/60'/0'"


@dataclass(frozen=True, slots=True)
class ExtendedKey:
    """A public key with the chain code that its children are derived by."""

    point: bytes
    chain_code: bytes

    def child(self, index: int) -> ExtendedKey:
        """Return a child that is not hardened; raises NoDestination for the one index in 2**127 that has none."""
        digest = hmac.digest(self.chain_code, self.point + index.to_bytes(4, "big"), "sha512")
        try:
            point = coincurve.PublicKey(self.point).add(digest[:32])
        except ValueError as exc:
            raise NoDestination(f"no key can be derived at index {index}") from exc
        return ExtendedKey(point.format(), digest[32:])

    @property
    def address(self) -> Address:
        """The account address of the key."""
        return checksummed("0x" + keccak(coincurve.PublicKey(self.point).format(compressed=False)[1:])[-20:].hex())


def check_xpub(text: str) -> str:
    """Return an account-level xpub as it stands, or raise InvalidInput; the text is never repeated, since it may be a private key."""
    xpub = text.strip()
    _parse(xpub)
    return xpub


def deposit_address(xpub: str, index: int) -> Address:
    """Return the address at ``0/index`` below the account, as every wallet derives it."""
    if not 0 <= index < _HARDENED:
        raise NoDestination("the xpub has no more addresses")
    return _receiving(xpub).child(index).address


@lru_cache(maxsize=256)
def _receiving(xpub: str) -> ExtendedKey:
    return _parse(xpub).child(0)


def _parse(text: str) -> ExtendedKey:
    payload = _base58check(text)
    version, depth, key = payload[:4], payload[4], payload[45:]
    if version in _PRIVATE or (version == _XPUB and key[0] == 0):
        _refuse("this is a PRIVATE key: whoever has it can take the money. Treat it as exposed, move its funds, and give PePay an xpub")
    if version in _OTHERS:
        _refuse(f"this is {_OTHERS[version]}; {_PATH}")
    if version != _XPUB:
        _refuse(f"not an xpub; {_PATH}")
    if depth != _ACCOUNT_DEPTH:
        _refuse(f"the key is at depth {depth}, an account is at depth {_ACCOUNT_DEPTH}; {_PATH}")
    try:
        coincurve.PublicKey(key)
    except ValueError:
        _refuse("the xpub holds no valid public key")
    return ExtendedKey(key, payload[13:45])


def _base58check(text: str) -> bytes:
    if len(text) != 111 or any(letter not in _ALPHABET for letter in text):
        _refuse(f"an xpub has 111 letters and digits and begins with xpub; {_PATH}")
    number = 0
    for letter in text:
        number = number * 58 + _ALPHABET.index(letter)
    if number >> (82 * 8):
        _refuse(f"not an xpub; {_PATH}")
    decoded = number.to_bytes(82, "big")
    payload, checksum = decoded[:-4], decoded[-4:]
    if hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4] != checksum:
        _refuse("the xpub's checksum does not match, so a character is probably wrong")
    return payload


def _refuse(reason: str) -> NoReturn:
    raise InvalidInput(reason, field="value")
