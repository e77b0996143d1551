"""Keyless deposit addresses: the treasury is inside the address, and there is no key to it anywhere (CREATE2, EIP-1014).

The deployer stands at one address on every network, so the factory that it makes does too, and so does each deposit: what was sent to
one on a network where nothing is deployed yet can be moved there later.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pepay_core.api import InvalidAddress, InvalidInput, NoDestination
from pepay_evm.addresses import checksummed, keccak, parse
from pepay_evm.bytecode import DEPOSIT_FACTORY_CALLS, DEPOSIT_FACTORY_CREATION, DEPOSIT_INIT_CODE_HASH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pepay_core.api import Address

KIND: Final = "treasury"
"""The kind of wallet whose deposits these are."""

DEPLOYER: Final = checksummed("0x4e59b44847b379578588920cA78FbF26c0B4956C")
"""The deterministic deployer: whatever follows a 32-byte salt in its call data is created at an address that depends on nothing else."""

DEPLOYER_CODE: Final = (
    "0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
)

MOST: Final = 256
"""How many deposits one flush takes."""

_CREATION: Final = bytes.fromhex(DEPOSIT_FACTORY_CREATION[2:])
_INIT_CODE_HASH: Final = bytes.fromhex(DEPOSIT_INIT_CODE_HASH[2:])
_FLUSH: Final = DEPOSIT_FACTORY_CALLS["flush(address,address,bytes32[],uint256)"]
_SALT: Final = bytes(32)
_PRECOMPILED: Final = 0x1FF  # the reserved lowest addresses
_LINE: Final = re.compile(r"(0x[0-9a-fA-F]{40})/([0-9a-f]{32})")
_INDEX_BITS: Final = 128


def create2(creator: str, salt: bytes, code_hash: bytes) -> Address:
    """Return where a contract creates another with CREATE2."""
    return checksummed("0x" + keccak(b"\xff" + bytes.fromhex(creator[2:]) + salt + code_hash)[-20:].hex())


FACTORY: Final = create2(DEPLOYER, _SALT, keccak(_CREATION))
"""The factory, on every network."""

DEPLOYMENT: Final = "0x" + (_SALT + _CREATION).hex()
"""The call data with which the deployer makes the factory."""


@dataclass(frozen=True, slots=True)
class Treasury:
    """A treasury and the tag that tells one wallet of it from another; as text it is the wallet's recovery line.

    The tag is random, so two installations with one treasury never share an address. It is no secret: all that it can do is to find deposits.
    """

    address: Address
    tag: bytes

    @classmethod
    def new(cls, text: str) -> Treasury:
        """Return a treasury with a tag of its own, or raise InvalidAddress or InvalidInput."""
        if _LINE.fullmatch(text.strip()):
            raise InvalidInput(
                "this is the recovery line of another wallet, whose addresses were given to buyers already; give the treasury's address alone",
                field="value",
            )
        address = parse(text)
        if int(address, 16) <= _PRECOMPILED:
            raise InvalidAddress(address, "this address belongs to the network itself: money that is sent there is lost")
        if address in {DEPLOYER, FACTORY}:
            raise InvalidAddress(address, "this is a contract that anybody may use: money that is sent there is lost")
        return cls(address, secrets.token_bytes(16))

    @classmethod
    def read(cls, line: str) -> Treasury:
        """Return what a recovery line says, or raise InvalidInput."""
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise InvalidInput("a recovery line is the treasury's address, a slash, and 32 hexadecimal digits", field="value")
        return cls(parse(match[1]), bytes.fromhex(match[2]))

    def __str__(self) -> str:
        return f"{self.address}/{self.tag.hex()}"

    def ref(self, index: int) -> bytes:
        """Return what stands beside the treasury in the address at an index; raises NoDestination when there are no more."""
        if not 0 <= index < 1 << _INDEX_BITS:
            raise NoDestination("the wallet has no more addresses")
        return self.tag + index.to_bytes(16, "big")

    def deposit(self, index: int) -> Address:
        """Return the deposit address at an index, the same on every network."""
        salt = keccak(bytes.fromhex(f"{self.address[2:]:0>64}") + self.ref(index))
        return create2(FACTORY, salt, _INIT_CODE_HASH)


def flush_call(treasury: str, token: str, refs: Sequence[bytes], gas_each: int) -> str:
    """Return the data of ``flush``; ``token`` is the zero address for the native coin."""
    head = f"{treasury[2:].lower():0>64}{token[2:].lower():0>64}{128:064x}{gas_each:064x}{len(refs):064x}"
    return _FLUSH + head + b"".join(refs).hex()
