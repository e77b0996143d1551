"""Accounts and transactions in the forms that clients ask for."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from pepay_sandbox.jsonrpc import RpcError
from pepay_sandbox.solana import base58, programs
from pepay_sandbox.solana.params import Config, invalid
from pepay_sandbox.solana.parsed_accounts import parsed_account
from pepay_sandbox.solana.parsed_instructions import parsed_instruction
from pepay_sandbox.solana.tokens import ui_amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from solders.account import Account

    from pepay_sandbox.solana.ledger import Ledger
    from pepay_sandbox.solana.records import Holding, Landed

UNSUPPORTED_VERSION: Final = -32015
_MAX_BASE58_BYTES: Final = 128
_NEVER: Final = 2**64 - 1
_ACCOUNT_ENCODINGS: Final = ("base58", "base64", "base64+zstd", "jsonParsed", "binary")
TRANSACTION_ENCODINGS: Final = ("json", "jsonParsed", "base64", "base58", "binary")


def account_body(ledger: Ledger, account: Account | None, config: Config, default: str = "base64") -> dict[str, Any] | None:
    """Return an account, or None where there is none."""
    if account is None:
        return None
    encoding = config.choice("encoding", _ACCOUNT_ENCODINGS, default)
    octets = bytes(account.data)
    body = {
        "lamports": account.lamports,
        "owner": str(account.owner),
        "executable": account.executable,
        "rentEpoch": _NEVER,
        "space": len(octets),
    }
    if encoding == "jsonParsed":
        parsed = parsed_account(account, ledger.decimals)
        if parsed is not None:
            return {"data": parsed} | body
        encoding = "base64"
    if encoding == "base64+zstd":
        raise invalid("base64+zstd is not served here")
    return {"data": _octets(_sliced(octets, config), encoding)} | body


def _sliced(octets: bytes, config: Config) -> bytes:
    part = config.get("dataSlice")
    if part is None:
        return octets
    part = Config(part)
    offset, length = part.number("offset") or 0, part.number("length") or 0
    return octets[offset : offset + length]


def _octets(octets: bytes, encoding: str) -> Any:
    if encoding == "base64":
        return [base64.b64encode(octets).decode(), "base64"]
    if len(octets) > _MAX_BASE58_BYTES:
        raise invalid(f"Encoded binary (base 58) data should be less than {_MAX_BASE58_BYTES} bytes, please use Base64 encoding.")
    text = base58.encode(octets)
    return text if encoding == "binary" else [text, "base58"]


# --- transactions ---------------------------------------------------------------------


def transaction_body(landed: Landed, encoding: str, max_version: int | None) -> dict[str, Any]:
    """Return a transaction with what came of it; raises RpcError where the caller cannot read its version."""
    version = version_of(landed.transaction)
    if version != "legacy" and (max_version is None or version > max_version):
        raise RpcError(
            UNSUPPORTED_VERSION,
            f"Transaction version ({version}) is not supported by the requesting client. "
            f'Please try the request again with the following configuration parameter: "maxSupportedTransactionVersion": {version}',
        )
    body: dict[str, Any] = {"transaction": _transaction(landed, encoding), "meta": _meta(landed, parsed=encoding == "jsonParsed")}
    if max_version is not None:
        body["version"] = version
    return body


def version_of(transaction: Any) -> Any:
    """Return ``legacy`` or a number."""
    version = transaction.version()
    return version if isinstance(version, int) else "legacy"


def accounts_body(landed: Landed, max_version: int | None) -> dict[str, Any]:
    """Return a transaction of a block of which only accounts and balances are asked for."""
    body = transaction_body(landed, "jsonParsed", max_version)
    meta = body["meta"]
    kept = ("err", "status", "fee", "preBalances", "postBalances", "preTokenBalances", "postTokenBalances")
    transaction = {"signatures": body["transaction"]["signatures"], "accountKeys": body["transaction"]["message"]["accountKeys"]}
    return body | {"transaction": transaction, "meta": {name: meta[name] for name in kept}}


def error_status(error: Any) -> dict[str, Any]:
    """Return the old form of an outcome, which clients still read."""
    return {"Ok": None} if error is None else {"Err": error}


def _meta(landed: Landed, *, parsed: bool) -> dict[str, Any]:
    outcome, keys = landed.outcome, landed.keys
    meta: dict[str, Any] = {
        "err": outcome.error,
        "status": error_status(outcome.error),
        "fee": outcome.fee,
        "preBalances": landed.balances_before,
        "postBalances": landed.balances_after,
        "innerInstructions": inner_body(outcome.inner, keys.all, parsed=parsed),
        "logMessages": outcome.logs,
        "preTokenBalances": [_holding(each) for each in landed.tokens_before],
        "postTokenBalances": [_holding(each) for each in landed.tokens_after],
        "rewards": [],
        "computeUnitsConsumed": outcome.units,
        "costUnits": outcome.units,
    }
    if not parsed:
        meta["loadedAddresses"] = {"writable": keys.writable, "readonly": keys.readonly}
    if outcome.return_data:
        meta["returnData"] = return_data_body(outcome.return_data)
    return meta


def return_data_body(returned: tuple[str, bytes]) -> dict[str, Any]:
    """Return what a program returned."""
    return {"programId": returned[0], "data": [base64.b64encode(returned[1]).decode(), "base64"]}


def inner_body(inner: Iterable[Sequence[Any]], keys: Sequence[str], *, parsed: bool) -> list[dict[str, Any]]:
    """Return the instructions that instructions called."""
    return [
        {"index": index, "instructions": [_instruction(each.instruction(), keys, each.stack_height(), parsed=parsed) for each in called]}
        for index, called in enumerate(inner)
        if called
    ]


def _holding(holding: Holding) -> dict[str, Any]:
    amount = ui_amount(holding.units, holding.decimals)
    # Of nothing at all, nodes give no number.
    return {
        "accountIndex": holding.index,
        "mint": holding.mint,
        "uiTokenAmount": amount if holding.units else amount | {"uiAmount": None},
        "owner": holding.owner,
        "programId": holding.program,
    }


def _transaction(landed: Landed, encoding: str) -> Any:
    if encoding == "base64":
        return [base64.b64encode(landed.raw).decode(), encoding]
    if encoding in {"base58", "binary"}:
        text = base58.encode(landed.raw)
        return text if encoding == "binary" else [text, encoding]
    parsed = encoding == "jsonParsed"
    message: Any = landed.transaction.message
    keys = landed.keys
    body: dict[str, Any] = {
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [_instruction(each, keys.all, 1, parsed=parsed) for each in message.instructions],
    }
    lookups = getattr(message, "address_table_lookups", None)
    if lookups is not None:
        body["addressTableLookups"] = [
            {
                "accountKey": str(each.account_key),
                "writableIndexes": list(bytes(each.writable_indexes)),
                "readonlyIndexes": list(bytes(each.readonly_indexes)),
            }
            for each in lookups
        ]
    header = message.header
    if parsed:
        body["accountKeys"] = list(_parsed_keys(landed))
    else:
        body["accountKeys"] = keys.static
        body["header"] = {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        }
    return {"signatures": [str(each) for each in landed.transaction.signatures], "message": body}


def _parsed_keys(landed: Landed) -> Iterable[dict[str, Any]]:
    header: Any = landed.transaction.message.header
    keys = landed.keys
    signers, count = header.num_required_signatures, len(keys.static)
    # A program that is called cannot be written to, whatever the header says.
    called = {each.program_id_index for each in landed.transaction.message.instructions}
    for index, key in enumerate(keys.static):
        last = signers - header.num_readonly_signed_accounts if index < signers else count - header.num_readonly_unsigned_accounts
        writable = index < last and index not in called and key not in programs.NAMES
        yield {"pubkey": key, "writable": writable, "signer": index < signers, "source": "transaction"}
    for key in keys.writable:
        yield {"pubkey": key, "writable": True, "signer": False, "source": "lookupTable"}
    for key in keys.readonly:
        yield {"pubkey": key, "writable": False, "signer": False, "source": "lookupTable"}


def _instruction(instruction: Any, keys: Sequence[str], height: int | None, *, parsed: bool) -> dict[str, Any]:
    indexes, octets = bytes(instruction.accounts), bytes(instruction.data)
    if not parsed:
        return {"programIdIndex": instruction.program_id_index, "accounts": list(indexes), "data": base58.encode(octets), "stackHeight": height}
    program: str = keys[int(instruction.program_id_index)]
    accounts = [keys[index] for index in indexes]
    known = parsed_instruction(program, accounts, octets)
    if known is not None:
        return {"program": programs.NAMES[program], "programId": program, "parsed": known, "stackHeight": height}
    return {"programId": program, "accounts": accounts, "data": base58.encode(octets), "stackHeight": height}
