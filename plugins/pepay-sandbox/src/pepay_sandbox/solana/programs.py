"""The addresses that are the same on every cluster."""

from __future__ import annotations

from typing import Final

SYSTEM: Final = "11111111111111111111111111111111"
TOKEN: Final = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"  # noqa: S105  an address
TOKEN_2022: Final = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"  # noqa: S105  an address
ASSOCIATED_TOKEN: Final = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"  # noqa: S105  an address
MEMO: Final = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
OLD_MEMO: Final = "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo"
LOOKUP_TABLE: Final = "AddressLookupTab1e1111111111111111111111111"
COMPUTE_BUDGET: Final = "ComputeBudget111111111111111111111111111111"
NATIVE_MINT: Final = "So11111111111111111111111111111111111111112"

RENT: Final = "SysvarRent111111111111111111111111111111111"

TOKENS: Final = frozenset({TOKEN, TOKEN_2022})
MEMOS: Final = frozenset({MEMO, OLD_MEMO})

NAMES: Final = {
    SYSTEM: "system",
    TOKEN: "spl-token",
    TOKEN_2022: "spl-token-2022",
    ASSOCIATED_TOKEN: "spl-associated-token-account",
    MEMO: "spl-memo",
    OLD_MEMO: "spl-memo",
    LOOKUP_TABLE: "address-lookup-table",
}
