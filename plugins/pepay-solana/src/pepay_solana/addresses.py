"""Addresses of wallets and of their token accounts: which is which, and what is refused as a place to be paid at."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from pepay_core.api import Address, InvalidAddress
from pepay_solana import base58

SYSTEM: Final = "11111111111111111111111111111111"
TOKEN: Final = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"  # noqa: S105 (a program)
TOKEN_2022: Final = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"  # noqa: S105
ASSOCIATED: Final = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
MEMO: Final = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
WRAPPED_SOL: Final = "So11111111111111111111111111111111111111112"

_NOT_WALLETS: Final = {
    SYSTEM: "this is the System Program",
    TOKEN: "this is the Token Program",
    TOKEN_2022: "this is the Token-2022 Program",
    ASSOCIATED: "this is the Associated Token Account Program",
    MEMO: "this is the Memo Program",
    WRAPPED_SOL: "this is the mint of wrapped SOL",
}
# Ed25519: -x² + y² = 1 + d·x²·y² modulo p.
_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P


def parse(text: str) -> Address:
    """Return the address as it stands, or raise InvalidAddress; base58 has one spelling, and no checksum.

    An address that no key can sign for is refused: it is a program's, such as a token account. A text longer than an address may be
    a private key, so it is not repeated in the error.
    """
    stripped = text.strip()
    if len(stripped) > 44:
        raise InvalidAddress("(not shown)", "too long for an address; if this is a private key or a seed phrase, it belongs nowhere near a server")
    try:
        key = base58.decode_key(stripped)
    except ValueError:
        raise InvalidAddress(stripped, "an address is 32 to 44 letters and digits that write 32 bytes in base58") from None
    if stripped in _NOT_WALLETS:
        raise InvalidAddress(stripped, f"{_NOT_WALLETS[stripped]}: what is sent there is lost")
    if not on_curve(key):
        raise InvalidAddress(stripped, "no wallet can sign for this address: it is a token account's or a program's. Give the wallet's own address")
    return Address(stripped)


def on_curve(key: bytes) -> bool:
    """Tell whether 32 bytes are a point of Ed25519, as every wallet's public key is and no derived address is."""
    y = int.from_bytes(key, "little") & (2**255 - 1)
    if y >= _P:
        # Such a spelling of a point is not canonical; what Solana's own check reads is the number modulo p.
        y -= _P
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    return square == 0 or pow(square, (_P - 1) // 2, _P) == 1


@lru_cache(maxsize=65_536)
def token_account(wallet: str, mint: str, program: str) -> str:
    """Return the associated token account: the one address at which everybody expects a wallet's tokens of a mint."""
    seeds = base58.decode_key(wallet) + base58.decode_key(program) + base58.decode_key(mint)
    owner = base58.decode_key(ASSOCIATED)
    for bump in range(255, -1, -1):
        derived = hashlib.sha256(seeds + bytes([bump]) + owner + b"ProgramDerivedAddress").digest()
        if not on_curve(derived):
            return base58.encode(derived)
    raise InvalidAddress(wallet, "no token account can be derived for it")
