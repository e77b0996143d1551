"""What a merchant's own wallet can receive: whether it is a wallet at all, and which token accounts it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pepay_core.api import InvalidAddress
from pepay_solana import base58
from pepay_solana.addresses import SYSTEM, TOKEN, TOKEN_2022, token_account
from pepay_solana.mints import read_accounts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pepay_core.api import AssetId
    from pepay_solana.clusters import Mint
    from pepay_solana.decoding import Account
    from pepay_solana.rpc import Endpoint

_FROZEN: Final = 2


async def check_wallets(endpoint: Endpoint, addresses: Sequence[str]) -> None:
    """Raise InvalidAddress for an address that the chain knows as something other than a wallet; one that was never used is fine."""
    for address, account in zip(addresses, await read_accounts(endpoint, addresses), strict=True):
        _insist(address, account)


async def missing_accounts(endpoint: Endpoint, wallet: str, mints: Sequence[Mint]) -> dict[AssetId, str]:
    """Return the tokens that a wallet cannot be paid in, each with what its owner can do about it."""
    own, *held = await read_accounts(endpoint, [wallet, *(token_account(wallet, mint.address, mint.program) for mint in mints)])
    _insist(wallet, own)
    found: dict[AssetId, str] = {}
    for mint, account in zip(mints, held, strict=True):
        symbol = mint.token.symbol
        if account is None:
            found[mint.token.id] = (
                f"the wallet has no account for {symbol} yet, and wallets refuse to pay to one that is not there: "
                f"send any amount of {symbol} to the wallet once, or run spl-token create-account {mint.address}"
            )
        elif account.owner != mint.program or len(account.data) < 165 or account.data[32:64] != base58.decode_key(wallet):
            found[mint.token.id] = f"the wallet's account for {symbol} belongs to somebody else: give another wallet"
        elif account.data[108] == _FROZEN:
            found[mint.token.id] = f"the wallet's account for {symbol} is frozen: ask the issuer of {symbol}, or give another wallet"
    return found


def _insist(address: str, account: Account | None) -> None:
    if account is None or account.owner == SYSTEM:
        return
    what = "a token account or a mint" if account.owner in {TOKEN, TOKEN_2022} else "an account that belongs to a program"
    raise InvalidAddress(address, f"this is {what}, not a wallet: what is sent there may be lost. Give the address of the wallet itself")
