"""Tokens that misbehave, and how they are called. Their source is ``contracts/OddTokens.sol``."""

from __future__ import annotations

from typing import Final

import odd_bytecode as compiled

from pepay_evm.addresses import keccak


def made(creation: str, *arguments: int | str) -> str:
    """Return what deploys a contract with these arguments: numbers, and addresses as 0x text."""
    return creation + "".join(map(_word, arguments))


def call(signature: str, *arguments: int | str) -> str:
    """Return the data of a call, such as ``call("pause(bool)", 1)``."""
    return "0x" + keccak(signature.encode())[:4].hex() + "".join(map(_word, arguments))


def _word(value: int | str) -> str:
    return f"{value:064x}" if isinstance(value, int) else f"{value.removeprefix('0x').lower():0>64}"


FEE: Final = compiled.FEE_TOKEN_CREATION
REBASING: Final = compiled.REBASING_TOKEN_CREATION
LYING: Final = compiled.LYING_TOKEN_CREATION
GUARDED: Final = compiled.GUARDED_TOKEN_CREATION
LOGIC: Final = compiled.LOGIC_CREATION
UPGRADEABLE: Final = compiled.UPGRADEABLE_CREATION
PURSE: Final = compiled.PURSE_CREATION
