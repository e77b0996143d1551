"""``jsonParsed`` for instructions: what those of the well-known programs say, with names."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from pepay_sandbox.solana import base58, programs
from pepay_sandbox.solana.tokens import ui_amount

if TYPE_CHECKING:
    from collections.abc import Callable

    Parser = Callable[["_Reader", list[str]], "dict[str, Any]"]


def parsed_instruction(program: str, accounts: list[str], octets: bytes) -> Any:
    """Return what an instruction says, or None where it is of no program that is known, or makes no sense to it."""
    try:
        if program in programs.MEMOS:
            return octets.decode()
        if program == programs.SYSTEM:
            return _system(_Reader(octets), accounts)
        if program in programs.TOKENS:
            return _token(_Reader(octets), accounts)
        if program == programs.ASSOCIATED_TOKEN:
            return _associated(_Reader(octets or b"\0"), accounts)
        if program == programs.LOOKUP_TABLE:
            return _lookup_table(_Reader(octets), accounts)
    except (IndexError, struct.error, UnicodeDecodeError):
        return None
    return None


class _Reader:
    """Takes the fields of an instruction one after another."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._offset = 0

    def _take(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self._octets, self._offset)
        self._offset += struct.calcsize(form)
        return value

    def u8(self) -> int:
        return self._take("<B")

    def u16(self) -> int:
        return self._take("<H")

    def u32(self) -> int:
        return self._take("<I")

    def u64(self) -> int:
        return self._take("<Q")

    def octets(self, count: int) -> bytes:
        self._offset += count
        if self._offset > len(self._octets):
            raise IndexError
        return self._octets[self._offset - count : self._offset]

    def key(self) -> str:
        return base58.encode(self.octets(32))

    def optional_key(self) -> str | None:
        return self.key() if self.u8() else None

    def text(self) -> str:
        return self.octets(self.u64()).decode()


def _said(kind: str, **info: Any) -> dict[str, Any]:
    return {"type": kind, "info": info}


# --- the system program ---------------------------------------------------------------


def _system(read: _Reader, accounts: list[str]) -> dict[str, Any] | None:
    match read.u32():
        case 0:
            return _said("createAccount", source=accounts[0], newAccount=accounts[1], lamports=read.u64(), space=read.u64(), owner=read.key())
        case 1:
            return _said("assign", account=accounts[0], owner=read.key())
        case 2:
            return _said("transfer", source=accounts[0], destination=accounts[1], lamports=read.u64())
        case 3:
            fields = {"base": read.key(), "seed": read.text(), "lamports": read.u64(), "space": read.u64(), "owner": read.key()}
            return _said("createAccountWithSeed", source=accounts[0], newAccount=accounts[1], **fields)
        case 4:
            return _said("advanceNonce", nonceAccount=accounts[0], recentBlockhashesSysvar=accounts[1], nonceAuthority=accounts[2])
        case 8:
            return _said("allocate", account=accounts[0], space=read.u64())
        case 11:
            fields = {"lamports": read.u64(), "sourceSeed": read.text(), "sourceOwner": read.key()}
            return _said("transferWithSeed", source=accounts[0], sourceBase=accounts[1], destination=accounts[2], **fields)
    return None


# --- the token programs ---------------------------------------------------------------

_AUTHORITIES: Final = (
    "mintTokens",
    "freezeAccount",
    "accountOwner",
    "closeAccount",
    "transferFeeConfig",
    "withheldWithdraw",
    "closeMint",
    "interestRate",
    "permanentDelegate",
)


def _signed(accounts: list[str], position: int, name: str) -> dict[str, Any]:
    """Name who signed. Whatever accounts follow, nodes take for the signers of a multisig, references to payments too."""
    if len(accounts) > position + 1:
        return {f"multisig{name[0].upper()}{name[1:]}": accounts[position], "signers": accounts[position + 1 :]}
    return {name: accounts[position]}


def _checked(read: _Reader) -> dict[str, Any]:
    units = read.u64()
    return ui_amount(units, read.u8())


def _new_mint(kind: str, read: _Reader, accounts: list[str]) -> dict[str, Any]:
    said = _said(kind, mint=accounts[0], decimals=read.u8(), mintAuthority=read.key())
    if kind == "initializeMint":
        said["info"]["rentSysvar"] = accounts[1]
    freezer = read.optional_key()
    if freezer:
        said["info"]["freezeAuthority"] = freezer
    return said


def _set_authority(read: _Reader, accounts: list[str]) -> dict[str, Any]:
    kind = _AUTHORITIES[read.u8()]
    subject = "account" if kind in {"accountOwner", "closeAccount"} else "mint"
    return _said("setAuthority", **{subject: accounts[0]}, authorityType=kind, newAuthority=read.optional_key(), **_signed(accounts, 1, "authority"))


def _fees(read: _Reader, accounts: list[str]) -> dict[str, Any] | None:
    match read.u8():
        case 0:
            said = _said("initializeTransferFeeConfig", mint=accounts[0])
            for name in ("transferFeeConfigAuthority", "withdrawWithheldAuthority"):
                authority = read.optional_key()
                if authority:
                    said["info"][name] = authority
            said["info"] |= {"transferFeeBasisPoints": read.u16(), "maximumFee": read.u64()}
            return said
        case 1:
            units, decimals = read.u64(), read.u8()
            amounts = {"tokenAmount": ui_amount(units, decimals), "feeAmount": ui_amount(read.u64(), decimals)}
            parties = {"source": accounts[0], "mint": accounts[1], "destination": accounts[2]}
            return _said("transferCheckedWithFee", **parties, **amounts, **_signed(accounts, 3, "authority"))
    return None


_TOKEN: Final[dict[int, Parser]] = {
    0: lambda read, a: _new_mint("initializeMint", read, a),
    1: lambda _, a: _said("initializeAccount", account=a[0], mint=a[1], owner=a[2], rentSysvar=a[3]),
    3: lambda read, a: _said("transfer", source=a[0], destination=a[1], amount=str(read.u64()), **_signed(a, 2, "authority")),
    4: lambda read, a: _said("approve", source=a[0], delegate=a[1], amount=str(read.u64()), **_signed(a, 2, "owner")),
    5: lambda _, a: _said("revoke", source=a[0], **_signed(a, 1, "owner")),
    6: _set_authority,
    7: lambda read, a: _said("mintTo", mint=a[0], account=a[1], amount=str(read.u64()), **_signed(a, 2, "mintAuthority")),
    8: lambda read, a: _said("burn", account=a[0], mint=a[1], amount=str(read.u64()), **_signed(a, 2, "authority")),
    9: lambda _, a: _said("closeAccount", account=a[0], destination=a[1], **_signed(a, 2, "owner")),
    10: lambda _, a: _said("freezeAccount", account=a[0], mint=a[1], **_signed(a, 2, "freezeAuthority")),
    11: lambda _, a: _said("thawAccount", account=a[0], mint=a[1], **_signed(a, 2, "freezeAuthority")),
    12: lambda read, a: _said("transferChecked", source=a[0], mint=a[1], destination=a[2], tokenAmount=_checked(read), **_signed(a, 3, "authority")),
    13: lambda read, a: _said("approveChecked", source=a[0], mint=a[1], delegate=a[2], tokenAmount=_checked(read), **_signed(a, 3, "owner")),
    14: lambda read, a: _said("mintToChecked", mint=a[0], account=a[1], tokenAmount=_checked(read), **_signed(a, 2, "mintAuthority")),
    15: lambda read, a: _said("burnChecked", account=a[0], mint=a[1], tokenAmount=_checked(read), **_signed(a, 2, "authority")),
    16: lambda read, a: _said("initializeAccount2", account=a[0], mint=a[1], owner=read.key(), rentSysvar=a[2]),
    17: lambda _, a: _said("syncNative", account=a[0]),
    18: lambda read, a: _said("initializeAccount3", account=a[0], mint=a[1], owner=read.key()),
    20: lambda read, a: _new_mint("initializeMint2", read, a),
    21: lambda _, a: _said("getAccountDataSize", mint=a[0]),
    22: lambda _, a: _said("initializeImmutableOwner", account=a[0]),
    23: lambda read, a: _said("amountToUiAmount", mint=a[0], amount=str(read.u64())),
    25: lambda read, a: _said("initializeMintCloseAuthority", mint=a[0], newAuthority=read.optional_key()),
}


def _token(read: _Reader, accounts: list[str]) -> dict[str, Any] | None:
    number = read.u8()
    if number == 26:
        return _fees(read, accounts)
    parser = _TOKEN.get(number)
    return parser(read, accounts) if parser else None


# --- token accounts at the address that follows from their owner ----------------------


def _associated(read: _Reader, accounts: list[str]) -> dict[str, Any] | None:
    kinds = ("create", "createIdempotent")
    number = read.u8()
    if number >= len(kinds):
        return None
    names = ("source", "account", "wallet", "mint", "systemProgram", "tokenProgram")
    return _said(kinds[number], **{name: accounts[index] for index, name in enumerate(names)})


# --- lookup tables --------------------------------------------------------------------


def _lookup_table(read: _Reader, accounts: list[str]) -> dict[str, Any] | None:
    table = {"lookupTableAccount": accounts[0], "lookupTableAuthority": accounts[1]}
    match read.u32():
        case 0:
            paid = {"payerAccount": accounts[2], "systemProgram": accounts[3]}
            return _said("createLookupTable", **table, **paid, recentSlot=read.u64(), bumpSeed=read.u8())
        case 1:
            return _said("freezeLookupTable", **table)
        case 2:
            paid = {"payerAccount": accounts[2], "systemProgram": accounts[3]} if len(accounts) > 3 else {}
            return _said("extendLookupTable", **table, newAddresses=[read.key() for _ in range(read.u64())], **paid)
        case 3:
            return _said("deactivateLookupTable", **table)
        case 4:
            return _said("closeLookupTable", **table, recipient=accounts[2])
    return None
