"""Blocks, transactions, receipts and logs, in the form in which nodes give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pepay_sandbox.evm_state import fee_paid, kind_of
from pepay_sandbox.jsonrpc import data, quantity

if TYPE_CHECKING:
    from pepay_sandbox.evm_state import Log, Mined, MinedBlock


def _bloom(bloom: int) -> str:
    return data(bloom.to_bytes(256, "big"))


def block_body(block: MinedBlock, *, full: bool) -> dict[str, Any]:
    """Return a block with its transactions, or with their hashes only."""
    header = block.header
    return {
        "hash": data(header.hash),
        "parentHash": data(header.parent_hash),
        "sha3Uncles": data(header.uncles_hash),
        "miner": data(header.coinbase),
        "stateRoot": data(header.state_root),
        "transactionsRoot": data(header.transaction_root),
        "receiptsRoot": data(header.receipt_root),
        "logsBloom": _bloom(header.bloom),
        "difficulty": "0x0",
        "number": quantity(header.block_number),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "extraData": data(header.extra_data),
        "mixHash": data(header.mix_hash),
        "nonce": data(header.nonce),
        "baseFeePerGas": quantity(header.base_fee_per_gas),
        "withdrawalsRoot": data(header.withdrawals_root),
        "blobGasUsed": quantity(header.blob_gas_used),
        "excessBlobGas": quantity(header.excess_blob_gas),
        "parentBeaconBlockRoot": data(header.parent_beacon_block_root),
        "size": quantity(block.size),
        "totalDifficulty": "0x0",
        "uncles": [],
        "withdrawals": [],
        "transactions": [transaction_body(each.transaction, block, each) if full else data(each.transaction.hash) for each in block.transactions],
    }


def pending_body(parent: MinedBlock, transactions: list[Any], *, base_fee: int, timestamp: int, full: bool) -> dict[str, Any]:
    """Return the block that is not mined yet: it has neither hash nor nonce."""
    body = block_body(parent, full=False)
    unknown = dict.fromkeys(("hash", "nonce", "miner"))
    return (
        body
        | unknown
        | {
            "parentHash": data(parent.hash),
            "number": quantity(parent.number + 1),
            "timestamp": quantity(timestamp),
            "baseFeePerGas": quantity(base_fee),
            "gasUsed": "0x0",
            "logsBloom": _bloom(0),
            "transactions": [transaction_body(each) if full else data(each.hash) for each in transactions],
        }
    )


def transaction_body(transaction: Any, block: MinedBlock | None = None, mined: Mined | None = None) -> dict[str, Any]:
    """Return a transaction; while it waits, its place is null."""
    kind = kind_of(transaction)
    body: dict[str, Any] = {
        "type": quantity(kind),
        "hash": data(transaction.hash),
        "nonce": quantity(transaction.nonce),
        "blockHash": data(block.hash) if block else None,
        "blockNumber": quantity(block.number) if block else None,
        "transactionIndex": quantity(mined.index) if mined else None,
        "from": data(transaction.sender),
        "to": data(transaction.to) if transaction.to else None,
        "value": quantity(transaction.value),
        "gas": quantity(transaction.gas),
        "gasPrice": quantity(fee_paid(transaction, block.header.base_fee_per_gas) if block else transaction.max_fee_per_gas),
        "input": data(transaction.data),
        "r": quantity(transaction.r),
        "s": quantity(transaction.s),
        "v": quantity(transaction.y_parity if kind else transaction.v),
    }
    if transaction.chain_id is not None:
        body["chainId"] = quantity(transaction.chain_id)
    if kind:
        body["yParity"] = body["v"]
        body["accessList"] = [
            {"address": data(address), "storageKeys": [data(key.to_bytes(32, "big")) for key in keys]} for address, keys in transaction.access_list
        ]
    if kind >= 2:
        body["maxFeePerGas"] = quantity(transaction.max_fee_per_gas)
        body["maxPriorityFeePerGas"] = quantity(transaction.max_priority_fee_per_gas)
    return body


def receipt_body(block: MinedBlock, mined: Mined) -> dict[str, Any]:
    """Return what became of a transaction."""
    transaction = mined.transaction
    return {
        "type": quantity(kind_of(transaction)),
        "status": quantity(int(mined.succeeded)),
        "cumulativeGasUsed": quantity(mined.cumulative_gas),
        "logs": [log_body(block, mined, log) for log in mined.logs],
        "logsBloom": _bloom(mined.bloom),
        "transactionHash": data(transaction.hash),
        "transactionIndex": quantity(mined.index),
        "blockHash": data(block.hash),
        "blockNumber": quantity(block.number),
        "gasUsed": quantity(mined.gas_used),
        "effectiveGasPrice": quantity(fee_paid(transaction, block.header.base_fee_per_gas)),
        "from": data(transaction.sender),
        "to": data(transaction.to) if transaction.to else None,
        "contractAddress": data(mined.contract) if mined.contract else None,
    }


def log_body(block: MinedBlock, mined: Mined, log: Log) -> dict[str, Any]:
    """Return a log with its place."""
    return {
        "address": data(log.address),
        "topics": [data(topic) for topic in log.topics],
        "data": data(log.data),
        "blockHash": data(block.hash),
        "blockNumber": quantity(block.number),
        "blockTimestamp": quantity(block.header.timestamp),
        "transactionHash": data(mined.transaction.hash),
        "transactionIndex": quantity(mined.index),
        "logIndex": quantity(log.index),
        "removed": False,
    }
