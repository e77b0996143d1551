"""Methods about transactions that have landed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pepay_sandbox.solana import params, programs
from pepay_sandbox.solana.encoding import TRANSACTION_ENCODINGS, error_status, transaction_body
from pepay_sandbox.solana.methods_chain import in_context
from pepay_sandbox.solana.params import Config, invalid
from pepay_sandbox.solana.records import Commitment

if TYPE_CHECKING:
    from pepay_sandbox.solana.node import Node
    from pepay_sandbox.solana.records import Landed

_MAX_STATUSES: Final = 256
_MAX_SIGNATURES: Final = 1000


def _get_transaction(node: Node, signature: Any, config: Any = None) -> dict[str, Any] | None:
    config = Config.or_encoding(config)
    commitment = config.stored_commitment()
    encoding = config.choice("encoding", TRANSACTION_ENCODINGS, "json")
    landed = node.ledger.find(params.signature(signature))
    if landed is None or node.ledger.commitment(landed.block) < commitment:
        return None
    body = transaction_body(landed, encoding, config.number("maxSupportedTransactionVersion"))
    return {"slot": landed.block.slot, "blockTime": landed.block.time} | body


def _get_signature_statuses(node: Node, signatures: Any, config: Any = None) -> dict[str, Any]:
    Config(config).flag("searchTransactionHistory")
    wanted = [params.signature(each) for each in params.items(signatures, _MAX_STATUSES, "inputs")]
    return in_context(node.ledger.tip, [_status(node, node.ledger.find(each)) for each in wanted])


def _status(node: Node, landed: Landed | None) -> dict[str, Any] | None:
    if landed is None:
        return None
    commitment = node.ledger.commitment(landed.block)
    return {
        "slot": landed.block.slot,
        "confirmations": None if commitment is Commitment.FINALIZED else node.ledger.tip.height - landed.block.height,
        "err": landed.error,
        "status": error_status(landed.error),
        "confirmationStatus": commitment.word,
    }


def _get_signatures_for_address(node: Node, address: Any, config: Any = None) -> list[dict[str, Any]]:
    config = Config(config)
    commitment = config.stored_commitment()
    config.view(node.ledger, commitment)
    limit = config.number("limit")
    limit = _MAX_SIGNATURES if limit is None else limit
    if not 0 < limit <= _MAX_SIGNATURES:
        raise invalid(f"Invalid limit; max {_MAX_SIGNATURES}")
    key = params.address(address)
    before, until = config.get("before"), config.get("until")
    found: list[dict[str, Any]] = []
    last = node.ledger.find(params.signature(before)) if before is not None else None
    if before is not None and last is None:
        return found  # where it stands nobody knows, and so not what is older either
    first = node.ledger.find(params.signature(until)) if until is not None else None  # if unknown, nothing bounds the past
    for landed in node.ledger.mentioning(key):
        if first is not None and landed.place <= first.place:
            break
        reached = node.ledger.commitment(landed.block)
        if reached < commitment or (last is not None and landed.place >= last.place):
            continue
        found.append(
            {
                "signature": landed.signature,
                "slot": landed.block.slot,
                "err": landed.error,
                "memo": _memo(landed),
                "blockTime": landed.block.time,
                "confirmationStatus": reached.word,
            }
        )
        if len(found) == limit:
            break
    return found


def _memo(landed: Landed) -> str | None:
    keys = landed.keys.static
    memos = [bytes(each.data) for each in landed.transaction.message.instructions if keys[each.program_id_index] in programs.MEMOS]
    return "; ".join(f"[{len(each)}] {each.decode(errors='replace')}" for each in memos) or None


def _get_recent_prioritization_fees(node: Node, addresses: Any = None) -> list[dict[str, int]]:
    for each in params.items(addresses or [], 128, "inputs"):
        params.address(each)
    tip = node.ledger.tip.slot
    return [{"slot": block.slot, "prioritizationFee": 0} for block in node.ledger.blocks(max(0, tip - 149), tip)]


METHODS: Final = {
    "getTransaction": _get_transaction,
    "getSignatureStatuses": _get_signature_statuses,
    "getSignaturesForAddress": _get_signatures_for_address,
    "getRecentPrioritizationFees": _get_recent_prioritization_fees,
}
