"""``jsonParsed`` for accounts: mints, token accounts with their extensions, and lookup tables."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from pepay_sandbox.solana import base58, programs
from pepay_sandbox.solana.tokens import read_mint, read_token_account, ui_amount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from solders.account import Account

    from pepay_sandbox.solana.tokens import Mint, TokenAccount

_TABLE_HEADER_BYTES: Final = 56
_EXTENSIONS: Final = {
    1: "transferFeeConfig",
    2: "transferFeeAmount",
    3: "mintCloseAuthority",
    4: "confidentialTransferMint",
    5: "confidentialTransferAccount",
    6: "defaultAccountState",
    7: "immutableOwner",
    8: "memoTransfer",
    9: "nonTransferable",
    10: "interestBearingConfig",
    11: "cpiGuard",
    12: "permanentDelegate",
    13: "nonTransferableAccount",
    14: "transferHook",
    15: "transferHookAccount",
    16: "confidentialTransferFeeConfig",
    17: "confidentialTransferFeeAmount",
    18: "metadataPointer",
    19: "tokenMetadata",
    20: "groupPointer",
    21: "tokenGroup",
    22: "groupMemberPointer",
    23: "tokenGroupMember",
    24: "confidentialMintBurn",
    25: "scaledUiAmountConfig",
    26: "pausableConfig",
    27: "pausableAccount",
}


def parsed_account(account: Account, decimals: Callable[[str], int]) -> dict[str, Any] | None:
    """Return what the data of an account says, or None where nobody here knows; ``decimals`` answers for a mint."""
    said: tuple[str, dict[str, Any]] | None = None
    if (mint := read_mint(account)) is not None:
        said = "mint", _mint(mint)
    elif (token := read_token_account(account)) is not None:
        said = "account", _token_account(token, decimals(token.mint))
    elif str(account.owner) == programs.LOOKUP_TABLE and len(account.data) >= _TABLE_HEADER_BYTES:
        said = "lookupTable", _lookup_table(bytes(account.data))
    if said is None:
        return None
    return {"program": programs.NAMES[str(account.owner)], "parsed": {"type": said[0], "info": said[1]}, "space": len(account.data)}


def _mint(mint: Mint) -> dict[str, Any]:
    return {
        "mintAuthority": mint.mint_authority,
        "supply": str(mint.supply),
        "decimals": mint.decimals,
        "isInitialized": mint.initialized,
        "freezeAuthority": mint.freeze_authority,
    } | _extended(mint.extensions)


def _token_account(token: TokenAccount, decimals: int) -> dict[str, Any]:
    info: dict[str, Any] = {
        "mint": token.mint,
        "owner": token.owner,
        "tokenAmount": ui_amount(token.amount, decimals),
        "state": token.state,
        "isNative": token.rent_reserve is not None,
    }
    if token.rent_reserve is not None:
        info["rentExemptReserve"] = ui_amount(token.rent_reserve, decimals)
    if token.delegate:
        info |= {"delegate": token.delegate, "delegatedAmount": ui_amount(token.delegated, decimals)}
    if token.close_authority:
        info["closeAuthority"] = token.close_authority
    return info | _extended(token.extensions)


def _extended(octets: bytes) -> dict[str, Any]:
    found = [_extension(kind, value) for kind, value in _entries(octets)]
    return {"extensions": found} if found else {}


def _entries(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the extensions of a Token-2022 account: each has a kind, a length, and as many bytes."""
    offset = 0
    while offset + 4 <= len(octets):
        kind, size = struct.unpack_from("<HH", octets, offset)
        if not kind:
            return
        yield kind, octets[offset + 4 : offset + 4 + size]
        offset += 4 + size


def _extension(kind: int, value: bytes) -> dict[str, Any]:
    name = _EXTENSIONS.get(kind)
    if name is None:
        return {"extension": "unparseableExtension"}
    reader = _STATES.get(name)
    return {"extension": name} | ({"state": reader(value)} if reader else {})


def _fee(value: bytes, offset: int) -> dict[str, Any]:
    epoch, most, points = struct.unpack_from("<QQH", value, offset)
    return {"epoch": epoch, "maximumFee": most, "transferFeeBasisPoints": points}


def _key(value: bytes, offset: int = 0) -> str | None:
    key = value[offset : offset + 32]
    return base58.encode(key) if any(key) else None


_STATES: Final[dict[str, Callable[[bytes], dict[str, Any]]]] = {
    "transferFeeConfig": lambda value: {
        "transferFeeConfigAuthority": _key(value),
        "withdrawWithheldAuthority": _key(value, 32),
        "withheldAmount": struct.unpack_from("<Q", value, 64)[0],
        "olderTransferFee": _fee(value, 72),
        "newerTransferFee": _fee(value, 90),
    },
    "transferFeeAmount": lambda value: {"withheldAmount": struct.unpack_from("<Q", value)[0]},
    "mintCloseAuthority": lambda value: {"closeAuthority": _key(value)},
    "defaultAccountState": lambda value: {"accountState": ("uninitialized", "initialized", "frozen")[value[0]]},
    "memoTransfer": lambda value: {"requireIncomingTransferMemos": bool(value[0])},
    "permanentDelegate": lambda value: {"delegate": _key(value)},
    "transferHook": lambda value: {"authority": _key(value), "programId": _key(value, 32)},
    "metadataPointer": lambda value: {"authority": _key(value), "metadataAddress": _key(value, 32)},
}


def _lookup_table(octets: bytes) -> dict[str, Any]:
    deactivated, extended, start = struct.unpack_from("<QQB", octets, 4)
    addresses = octets[_TABLE_HEADER_BYTES:]
    info: dict[str, Any] = {
        "deactivationSlot": str(deactivated),
        "lastExtendedSlot": str(extended),
        "lastExtendedSlotStartIndex": start,
        "addresses": [base58.encode(addresses[each : each + 32]) for each in range(0, len(addresses), 32)],
    }
    if octets[21]:
        info["authority"] = base58.encode(octets[22:54])
    return info
