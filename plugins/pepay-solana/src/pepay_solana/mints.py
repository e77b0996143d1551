"""What mints say of themselves, and which of the powers that Token-2022 gives to a mint's owner make it unfit to be paid with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pepay_solana import base58, decoding
from pepay_solana.addresses import TOKEN, TOKEN_2022
from pepay_solana.decoding import Malformed
from pepay_solana.rpc import Call

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pepay_core.api import AssetId
    from pepay_solana.clusters import Mint
    from pepay_solana.decoding import Account
    from pepay_solana.rpc import Endpoint

_SIZE: Final = 82
_PADDED: Final = 165
_IS_MINT: Final = 1
_TRANSFER_HOOK: Final = 14

# The extensions of a mint by number, as the token program's interface lists them.
EXTENSIONS: Final[Mapping[int, str]] = {
    1: "transfer_fee",
    3: "mint_close_authority",
    4: "confidential_transfer",
    6: "default_account_state",
    9: "non_transferable",
    10: "interest_bearing",
    12: "permanent_delegate",
    14: "transfer_hook",
    16: "confidential_transfer_fee",
    18: "metadata_pointer",
    19: "token_metadata",
    20: "group_pointer",
    21: "token_group",
    22: "group_member_pointer",
    23: "token_group_member",
    24: "confidential_mint_burn",
    25: "scaled_ui_amount",
    26: "pausable",
}
HARMLESS: Final = frozenset({"transfer_fee", "metadata_pointer", "token_metadata", "group_pointer", "token_group", "group_member_pointer"})
"""What changes nothing about money that has arrived: a fee is kept back on the way, and what arrives is what counts."""

# What the issuer of PYUSD has documented, on both clusters. A program in its transfer hook is refused all the same.
_TRUSTED: Final[Mapping[str, Collection[str]]] = dict.fromkeys(
    ("2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo", "CXk2AMBfi3TwaEL2468s6zP8xq9NxTXjp9gjMgzeUynM"),
    frozenset({"mint_close_authority", "permanent_delegate", "confidential_transfer", "confidential_transfer_fee", "transfer_hook"}),
)


async def refused(endpoint: Endpoint, mints: Sequence[Mint], allowed: Mapping[str, Collection[str]]) -> dict[AssetId, str]:
    """Return the tokens that must not be used, and why. ``allowed`` are the extensions that the operator accepts, by mint."""
    answers = await read_accounts(endpoint, [mint.address for mint in mints])
    found: dict[AssetId, str] = {}
    for mint, account in zip(mints, answers, strict=True):
        reason = _judged(mint, account, allowed.get(mint.address, ()))
        if reason is not None:
            found[mint.token.id] = reason
    return found


async def read_accounts(endpoint: Endpoint, addresses: Sequence[str]) -> list[Account | None]:
    """Return accounts as they are at ``confirmed``, in their order."""
    found: list[Account | None] = []
    parts = [addresses[start : start + 100] for start in range(0, len(addresses), 100)]
    options = {"encoding": "base64", "commitment": "confirmed"}
    answers: list[Any] = await endpoint.ask([Call("getMultipleAccounts", (list(part), options)) for part in parts]) if parts else []
    for part, answer in zip(parts, answers, strict=True):
        found += decoding.accounts(answer, len(part))
    return found


def _judged(mint: Mint, account: Account | None, allowed: Collection[str]) -> str | None:
    symbol = mint.token.symbol
    if account is None:
        return f"{symbol}: there is no mint at this address"
    if account.owner != mint.program:
        kept = {TOKEN: 'the Token Program: set program = "token"', TOKEN_2022: 'Token-2022: set program = "token-2022"'}
        return f"{symbol}: the address is kept by {kept.get(account.owner, 'a program that keeps no tokens')}"
    try:
        decimals, extensions = read_mint(account)
    except Malformed:
        return f"{symbol}: there is an account at this address, and it is not a mint"
    if decimals != mint.token.decimals:
        return f"{symbol} is configured with {mint.token.decimals} decimals, and its mint has {decimals}"
    accepted = {*HARMLESS, *_TRUSTED.get(mint.address, ()), *allowed}
    for number, data in extensions.items():
        name = EXTENSIONS.get(number)
        if name is None:
            return f"{symbol}: the mint has an extension that PePay does not know (number {number})"
        if name not in accepted:
            return f"{symbol}: the mint has the extension {name}, so what was received may change or be taken away afterwards"
        if number == _TRANSFER_HOOK and any(data[32:64]) and name not in allowed:
            return f"{symbol}: a program decides about each transfer of this mint ({base58.encode(data[32:64])})"
    return None


def read_mint(account: Account) -> tuple[int, dict[int, bytes]]:
    """Return a mint's decimals and its extensions by number; raises Malformed for what is no mint."""
    data = account.data
    if len(data) != _SIZE and (len(data) <= _PADDED or data[_PADDED] != _IS_MINT):
        raise Malformed("not a mint")
    if data[45] != 1:
        raise Malformed("a mint that was not initialised")
    extensions: dict[int, bytes] = {}
    at = _PADDED + 1
    while at + 4 <= len(data):
        number, length = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 2 : at + 4], "little")
        if number == 0:
            break
        if at + 4 + length > len(data):
            raise Malformed("an extension that ends outside of its account")
        extensions[number] = data[at + 4 : at + 4 + length]
        at += 4 + length
    return data[44], extensions
