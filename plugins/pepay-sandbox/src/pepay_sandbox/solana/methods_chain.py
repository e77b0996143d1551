"""Methods about slots, blocks and the node itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pepay_sandbox.jsonrpc import RpcError
from pepay_sandbox.solana import params
from pepay_sandbox.solana.encoding import TRANSACTION_ENCODINGS, accounts_body, transaction_body
from pepay_sandbox.solana.engine import SLOTS_PER_EPOCH
from pepay_sandbox.solana.ledger import BLOCKHASH_BLOCKS
from pepay_sandbox.solana.params import Config
from pepay_sandbox.solana.records import Commitment

if TYPE_CHECKING:
    from pepay_sandbox.solana.node import Node
    from pepay_sandbox.solana.records import Block

API_VERSION: Final = "3.0.0"
BLOCK_CLEANED_UP: Final = -32001
BLOCK_NOT_AVAILABLE: Final = -32004
SLOT_SKIPPED: Final = -32007
_MAX_RANGE: Final = 500_000


def in_context(view: Block, value: Any) -> dict[str, Any]:
    """Return a value with the slot from which it was seen."""
    return {"context": {"apiVersion": API_VERSION, "slot": view.slot}, "value": value}


def _get_health(_: Node) -> str:
    return "ok"


def _get_version(_: Node) -> dict[str, Any]:
    return {"solana-core": API_VERSION, "feature-set": 0}


def _get_identity(_: Node) -> dict[str, Any]:
    return {"identity": "Sandbox111111111111111111111111111111111111"}


def _get_genesis_hash(node: Node) -> str:
    return node.ledger.genesis


def _get_slot(node: Node, config: Any = None) -> int:
    return Config(config).view(node.ledger).slot


def _get_block_height(node: Node, config: Any = None) -> int:
    return Config(config).view(node.ledger).height


def _get_transaction_count(node: Node, config: Any = None) -> int:
    Config(config).view(node.ledger)
    return node.ledger.transaction_count


def _get_epoch_info(node: Node, config: Any = None) -> dict[str, int]:
    view = Config(config).view(node.ledger)
    return {
        "absoluteSlot": view.slot,
        "blockHeight": view.height,
        "epoch": view.slot // SLOTS_PER_EPOCH,
        "slotIndex": view.slot % SLOTS_PER_EPOCH,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "transactionCount": node.ledger.transaction_count,
    }


def _get_epoch_schedule(_: Node) -> dict[str, Any]:
    return {
        "slotsPerEpoch": SLOTS_PER_EPOCH,
        "leaderScheduleSlotOffset": SLOTS_PER_EPOCH,
        "warmup": False,
        "firstNormalEpoch": 0,
        "firstNormalSlot": 0,
    }


def _get_first_available_block(node: Node) -> int:
    return node.ledger.first_slot


def _get_latest_blockhash(node: Node, config: Any = None) -> dict[str, Any]:
    view = Config(config).view(node.ledger)
    return in_context(view, {"blockhash": view.hash, "lastValidBlockHeight": view.height + BLOCKHASH_BLOCKS})


def _is_blockhash_valid(node: Node, blockhash: Any, config: Any = None) -> dict[str, Any]:
    view = Config(config).view(node.ledger)
    return in_context(view, node.ledger.is_alive(params.address(blockhash), view))


# --- stored blocks --------------------------------------------------------------------


def _get_block(node: Node, slot: Any, config: Any = None) -> dict[str, Any]:
    config = Config.or_encoding(config)
    block = _stored(node, params.number(slot), config.stored_commitment())
    details = config.choice("transactionDetails", ("full", "accounts", "signatures", "none"), "full")
    encoding = config.choice("encoding", TRANSACTION_ENCODINGS, "json")
    version = config.number("maxSupportedTransactionVersion")
    body: dict[str, Any] = {
        "blockhash": block.hash,
        "previousBlockhash": block.parent_hash,
        "parentSlot": block.parent_slot,
        "blockTime": block.time,
        "blockHeight": block.height,
    }
    if details == "full":
        body["transactions"] = [transaction_body(each, encoding, version) for each in block.landed]
    elif details == "accounts":
        body["transactions"] = [accounts_body(each, version) for each in block.landed]
    elif details == "signatures":
        body["signatures"] = [each.signature for each in block.landed]
    if config.flag("rewards", default=True):
        body["rewards"] = []
    return body


def _get_blocks(node: Node, first: Any, last: Any = None, config: Any = None) -> list[int]:
    if isinstance(last, dict):  # the end may be left out, and is then not null
        last, config = None, last
    commitment = Config(config).stored_commitment()
    start, newest = params.number(first), node.ledger.at(commitment).slot
    end = newest if last is None else min(params.number(last), newest)
    if end - start > _MAX_RANGE:
        raise params.invalid(f"Slot range too large; max {_MAX_RANGE}")
    return [block.slot for block in node.ledger.blocks(start, end)]


def _get_blocks_with_limit(node: Node, first: Any, limit: Any, config: Any = None) -> list[int]:
    newest = node.ledger.at(Config(config).stored_commitment()).slot
    most = params.number(limit)
    if most > _MAX_RANGE:
        raise params.invalid(f"Limit too large; max {_MAX_RANGE}")
    return [block.slot for block in node.ledger.blocks(params.number(first), newest)][:most]


def _get_block_time(node: Node, slot: Any) -> int:
    return _stored(node, params.number(slot), Commitment.CONFIRMED).time


def _stored(node: Node, slot: int, commitment: Commitment) -> Block:
    block = node.ledger.block(slot)
    if slot > node.ledger.at(commitment).slot:
        raise RpcError(BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
    if block is None and slot < node.ledger.first_slot:
        raise RpcError(BLOCK_CLEANED_UP, f"Block {slot} cleaned up, does not exist on node. First available block: {node.ledger.first_slot}")
    if block is None:
        raise RpcError(SLOT_SKIPPED, f"Slot {slot} was skipped, or missing due to ledger jump to recent snapshot")
    return block


METHODS: Final = {
    "getHealth": _get_health,
    "getVersion": _get_version,
    "getIdentity": _get_identity,
    "getGenesisHash": _get_genesis_hash,
    "getSlot": _get_slot,
    "getBlockHeight": _get_block_height,
    "getTransactionCount": _get_transaction_count,
    "getEpochInfo": _get_epoch_info,
    "getEpochSchedule": _get_epoch_schedule,
    "getFirstAvailableBlock": _get_first_available_block,
    "minimumLedgerSlot": _get_first_available_block,
    "getLatestBlockhash": _get_latest_blockhash,
    "isBlockhashValid": _is_blockhash_valid,
    "getBlock": _get_block,
    "getBlocks": _get_blocks,
    "getBlocksWithLimit": _get_blocks_with_limit,
    "getBlockTime": _get_block_time,
}
