"""What the data of mints and token accounts says, in both token programs."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pepay_core.api import decode, from_base_units, plain
from pepay_sandbox.solana import base58, programs

if TYPE_CHECKING:
    from solders.account import Account

MINT_BYTES: Final = 82
ACCOUNT_BYTES: Final = 165
_MULTISIG_BYTES: Final = 355
# Token-2022 writes what kind an account is behind the part that both programs share.
_KIND_MINT: Final = 1
_KIND_ACCOUNT: Final = 2
_STATES: Final = ("uninitialized", "initialized", "frozen")


@dataclass(frozen=True, slots=True)
class Mint:
    """A token."""

    program: str
    supply: int
    decimals: int
    initialized: bool
    mint_authority: str | None
    freeze_authority: str | None
    extensions: bytes


@dataclass(frozen=True, slots=True)
class TokenAccount:
    """Somebody's holding of one token."""

    program: str
    mint: str
    owner: str
    amount: int
    delegate: str | None
    delegated: int
    state: str
    rent_reserve: int | None
    close_authority: str | None
    extensions: bytes


def read_mint(account: Account | None) -> Mint | None:
    """Return the mint that an account is, or None."""
    program, data = _of_token_program(account)
    if _kind(program, data) != _KIND_MINT:
        return None
    return Mint(
        program,
        supply=struct.unpack_from("<Q", data, 36)[0],
        decimals=data[44],
        initialized=bool(data[45]),
        mint_authority=_optional_key(data, 0),
        freeze_authority=_optional_key(data, 46),
        extensions=data[ACCOUNT_BYTES + 1 :],
    )


def read_token_account(account: Account | None) -> TokenAccount | None:
    """Return the token account that an account is, or None."""
    program, data = _of_token_program(account)
    if _kind(program, data) != _KIND_ACCOUNT or not data[108]:
        return None
    amount, delegated = struct.unpack_from("<Q", data, 64)[0], struct.unpack_from("<Q", data, 121)[0]
    wrapped, reserve = struct.unpack_from("<IQ", data, 109)
    return TokenAccount(
        program,
        mint=base58.encode(data[:32]),
        owner=base58.encode(data[32:64]),
        amount=amount,
        delegate=_optional_key(data, 72),
        delegated=delegated,
        state=_STATES[data[108]],
        rent_reserve=reserve if wrapped else None,
        close_authority=_optional_key(data, 129),
        extensions=data[ACCOUNT_BYTES + 1 :],
    )


def ui_amount(units: int, decimals: int) -> dict[str, Any]:
    """Return an amount in the form that the protocol has for it: the number for old clients, the texts for careful ones."""
    text = plain(from_base_units(units, decimals))
    return {"uiAmount": decode(text if "." in text else f"{text}.0"), "decimals": decimals, "amount": str(units), "uiAmountString": text}


def _of_token_program(account: Account | None) -> tuple[str, bytes]:
    if account is None or str(account.owner) not in programs.TOKENS:
        return "", b""
    return str(account.owner), bytes(account.data)


def _kind(program: str, data: bytes) -> int:
    if len(data) == MINT_BYTES:
        return _KIND_MINT
    if len(data) == ACCOUNT_BYTES:
        return _KIND_ACCOUNT
    if program == programs.TOKEN_2022 and len(data) > ACCOUNT_BYTES and len(data) != _MULTISIG_BYTES:
        return data[ACCOUNT_BYTES]
    return 0


def _optional_key(data: bytes, offset: int) -> str | None:
    return base58.encode(data[offset + 4 : offset + 36]) if data[offset] else None
