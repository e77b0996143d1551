"""Methods that take a transaction: to send it, to try it, or to price it."""

from __future__ import annotations

import base64
from binascii import Error as NotBase64
from typing import TYPE_CHECKING, Any, Final

from solders.errors import SignerError
from solders.message import from_bytes_versioned
from solders.transaction import VersionedTransaction

from pepay_sandbox.jsonrpc import INTERNAL_ERROR, RpcError
from pepay_sandbox.solana import base58, params, programs
from pepay_sandbox.solana.encoding import account_body, inner_body, return_data_body
from pepay_sandbox.solana.engine import CannotRun
from pepay_sandbox.solana.failures import sentence
from pepay_sandbox.solana.methods_chain import in_context
from pepay_sandbox.solana.params import Config, invalid

if TYPE_CHECKING:
    from pepay_sandbox.solana.engine import Outcome
    from pepay_sandbox.solana.node import Node
    from pepay_sandbox.solana.records import Block

PREFLIGHT_FAILURE: Final = -32002
SIGNATURE_FAILURE: Final = -32003
_MAX_BYTES: Final = 1232
_LAMPORTS_PER_SIGNATURE: Final = 5000
_SET_LIMIT: Final = 2
_SET_PRICE: Final = 3
_DEFAULT_UNITS: Final = 200_000
_MOST_UNITS: Final = 1_400_000
_ENCODINGS: Final = ("base58", "base64")


def _send_transaction(node: Node, raw: Any, config: Any = None) -> str:
    config = Config(config)
    transaction, octets = _decoded(raw, config.choice("encoding", _ENCODINGS, "base58"))
    if not config.flag("skipPreflight"):
        _verify(transaction)
        view = config.view(node.ledger, config.commitment("preflightCommitment"))
        result = _tried(node, transaction, view, config=Config({}))
        if result["err"] is not None:
            raise RpcError(PREFLIGHT_FAILURE, f"Transaction simulation failed: {sentence(result['err'])}", result)
    if _is_signed(transaction):  # leaders drop what is not, and nobody hears of it
        node.received(str(transaction.signatures[0]))
        node.ledger.submit(transaction, octets)
    return str(transaction.signatures[0])


def _simulate_transaction(node: Node, raw: Any, config: Any = None) -> dict[str, Any]:
    config = Config(config)
    transaction, _ = _decoded(raw, config.choice("encoding", _ENCODINGS, "base58"))
    view = config.view(node.ledger)
    replaced = config.flag("replaceRecentBlockhash")
    if config.flag("sigVerify"):
        if replaced:
            raise invalid("sigVerify may not be used with replaceRecentBlockhash")
        _verify(transaction)
    result = _tried(node, transaction, view, config=config, any_blockhash=replaced)
    if replaced:
        result["replacementBlockhash"] = {"blockhash": view.hash, "lastValidBlockHeight": view.height + 150}
    return in_context(view, result)


def _tried(node: Node, transaction: VersionedTransaction, view: Block, *, config: Config, any_blockhash: bool = False) -> dict[str, Any]:
    """Return what would come of a transaction, in the form that both the answer and the error of a preflight have."""
    result: dict[str, Any] = {
        "accounts": None,
        "err": None,
        "fee": None,
        "innerInstructions": None,
        "loadedAccountsDataSize": 0,
        "loadedAddresses": None,
        "logs": [],
        "postBalances": None,
        "postTokenBalances": None,
        "preBalances": None,
        "preTokenBalances": None,
        "replacementBlockhash": None,
        "returnData": None,
        "unitsConsumed": 0,
    }
    landed = node.ledger.find(str(transaction.signatures[0]))
    if not any_blockhash and landed is not None and landed.block.height <= view.height:
        return result | {"err": "AlreadyProcessed"}
    if not any_blockhash and not node.ledger.is_alive(str(transaction.message.recent_blockhash), view):
        return result | {"err": "BlockhashNotFound"}
    try:
        keys = node.ledger.keys(transaction, view)
        outcome = node.ledger.simulate(transaction, view)
    except CannotRun as exc:
        return result | {"err": exc.error}
    result |= {
        "err": outcome.error,
        "fee": outcome.fee,
        "loadedAddresses": {"writable": keys.writable, "readonly": keys.readonly},
        "logs": outcome.logs,
        "unitsConsumed": outcome.units,
        "returnData": return_data_body(outcome.return_data) if outcome.return_data else None,
        "accounts": _accounts(node, outcome, config.get("accounts"), view),
    }
    if config.flag("innerInstructions"):
        result["innerInstructions"] = inner_body(outcome.inner, keys.all, parsed=True)
    return result


def _accounts(node: Node, outcome: Outcome, wanted: Any, view: Block) -> list[Any] | None:
    if wanted is None:
        return None
    config = Config(wanted)
    addresses = [params.address(each) for each in params.items(config.get("addresses", []), 100, "inputs")]
    if outcome.error is not None:
        return [None] * len(addresses)
    return [account_body(node.ledger, outcome.accounts.get(each) or node.ledger.account(each, view), config) for each in addresses]


def _get_fee_for_message(node: Node, message: Any, config: Any = None) -> dict[str, Any]:
    config = Config(config)
    view = config.view(node.ledger)
    try:
        read: Any = from_bytes_versioned(base64.b64decode(message, validate=True))
    except (TypeError, ValueError, NotBase64) as exc:
        raise invalid(f"failed to deserialize solana_message::versions::VersionedMessage: {exc!s:.100}") from None
    if not node.ledger.is_alive(str(read.recent_blockhash), view):
        return in_context(view, None)
    return in_context(view, _LAMPORTS_PER_SIGNATURE * read.header.num_required_signatures + priority_fee(read))


def priority_fee(message: Any) -> int:
    """Return what a message offers above the fee for its signatures, in lamports."""
    price = limit = 0
    keys = message.account_keys
    for each in message.instructions:
        octets = bytes(each.data)
        if str(keys[each.program_id_index]) != programs.COMPUTE_BUDGET:
            limit += _DEFAULT_UNITS
        elif octets[0] == _SET_PRICE:
            price = int.from_bytes(octets[1:9], "little")
    for each in message.instructions:
        octets = bytes(each.data)
        if str(keys[each.program_id_index]) == programs.COMPUTE_BUDGET and octets[0] == _SET_LIMIT:
            limit = int.from_bytes(octets[1:5], "little")
    return -(-price * min(limit, _MOST_UNITS) // 1_000_000)


def _request_airdrop(node: Node, address: Any, lamports: Any, config: Any = None) -> str:
    Config(config).commitment()
    landed = node.airdrop(params.address(address), params.number(lamports))
    if landed is None:
        raise RpcError(INTERNAL_ERROR, "airdrop request failed. This can happen when the rate limit is reached.")
    return landed.signature


def _decoded(raw: Any, encoding: str) -> tuple[VersionedTransaction, bytes]:
    if not isinstance(raw, str):
        raise invalid("Invalid params: invalid type, expected a string.")
    if len(raw) > 2 * _MAX_BYTES:
        raise invalid(f"{encoding} encoded solana_transaction::versioned::VersionedTransaction too large: {len(raw)} bytes (max: raw {_MAX_BYTES})")
    try:
        octets = base64.b64decode(raw, validate=True) if encoding == "base64" else base58.decode(raw)
    except ValueError as exc:
        raise invalid(f"invalid {encoding} encoding: {exc}") from None
    if len(octets) > _MAX_BYTES:
        raise invalid(
            f"decoded solana_transaction::versioned::VersionedTransaction too large: {len(octets)} bytes (max: {_MAX_BYTES} bytes)",
        )
    try:
        transaction = VersionedTransaction.from_bytes(octets)
        transaction.sanitize()
    except Exception as exc:  # noqa: BLE001  whatever the reader finds wrong
        raise invalid(f"failed to deserialize solana_transaction::versioned::VersionedTransaction: {exc!s:.100}") from None
    return transaction, octets


def _is_signed(transaction: VersionedTransaction) -> bool:
    try:
        return all(transaction.verify_with_results())
    except SignerError:
        return False


def _verify(transaction: VersionedTransaction) -> None:
    if not _is_signed(transaction):
        raise RpcError(SIGNATURE_FAILURE, "Transaction signature verification failure")


METHODS: Final = {
    "sendTransaction": _send_transaction,
    "simulateTransaction": _simulate_transaction,
    "getFeeForMessage": _get_fee_for_message,
    "requestAirdrop": _request_airdrop,
}
