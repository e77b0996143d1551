"""The methods of an Ethereum node, over a chain in memory: what wallets and drivers ask, with the answers that real nodes give."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pepay_sandbox import jsonrpc
from pepay_sandbox.evm_answers import block_body, log_body, pending_body, receipt_body, transaction_body
from pepay_sandbox.evm_state import ExecutionFailed, MinedBlock, Rejected
from pepay_sandbox.jsonrpc import RpcError, parse_data, parse_quantity, quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pepay_sandbox.evm_state import EvmState, Log

# How far behind the head the two tags stand; a local node has no consensus that would say.
_SAFE_DEPTH: Final = 32
_FINALIZED_DEPTH: Final = 64
_TIP: Final = 1_000_000_000
_MAX_MINED: Final = 10_000
_MAX_HISTORY: Final = 1024

CLIENT: Final = "pepay-sandbox/py-evm"


_SERVED: Final[dict[str, str]] = {}
_F = TypeVar("_F", bound="Callable[..., Any]")


def _serves(*names: str) -> Callable[[_F], _F]:
    def note(function: _F) -> _F:
        _SERVED.update(dict.fromkeys(names, function.__name__))
        return function

    return note


class EvmMethods:
    """Answers calls, one at a time; ``clock`` gives epoch seconds, and ``automine`` mines each transaction as it comes."""

    def __init__(self, state: EvmState, clock: Callable[[], int], *, automine: bool) -> None:
        self._state = state
        self._clock = clock
        self._ahead = 0
        self._automine = automine
        bound = {name: getattr(self, attribute) for name, attribute in _SERVED.items()}
        self._table = {name: (method, inspect.signature(method)) for name, method in bound.items()}

    def answer(self, method: str, params: list[Any]) -> Any:
        """Return the result of a call; raises RpcError."""
        if method not in self._table:
            raise RpcError(jsonrpc.METHOD_NOT_FOUND, f"the method {method[:80]} does not exist")
        function, signature = self._table[method]
        try:
            signature.bind(*params)
        except TypeError as exc:
            raise RpcError(jsonrpc.INVALID_PARAMS, f"{method}: {exc}") from exc
        try:
            return function(*params)
        except ExecutionFailed as exc:
            raise RpcError(jsonrpc.EXECUTION_REVERTED, str(exc), jsonrpc.data(exc.data)) from exc
        except Rejected as exc:
            raise RpcError(jsonrpc.TRANSACTION_REJECTED, str(exc)) from exc

    def mine(self) -> None:
        """Mine one block now."""
        self._state.mine(self._now())

    def _now(self) -> int:
        return self._clock() + self._ahead

    # --- the node ---------------------------------------------------------------------

    @_serves("web3_clientVersion")
    def _web3_client_version(self) -> str:
        return CLIENT

    @_serves("net_version")
    def _net_version(self) -> str:
        return str(self._state.chain_id)

    @_serves("net_listening")
    def _net_listening(self) -> bool:
        return True

    @_serves("eth_chainId")
    def _eth_chain_id(self) -> str:
        return quantity(self._state.chain_id)

    @_serves("eth_syncing")
    def _eth_syncing(self) -> bool:
        return False

    @_serves("eth_accounts")
    def _eth_accounts(self) -> list[str]:
        return []

    # --- blocks and logs --------------------------------------------------------------

    @_serves("eth_blockNumber")
    def _eth_block_number(self) -> str:
        return quantity(self._state.head.number)

    @_serves("eth_getBlockByNumber")
    def _eth_get_block_by_number(self, tag: Any, full: bool = False) -> dict[str, Any] | None:
        if tag == "pending":
            return pending_body(
                self._state.head, list(self._state.waiting()), base_fee=self._state.next_base_fee(), timestamp=self._now(), full=bool(full)
            )
        block = self._block(tag)
        return block_body(block, full=bool(full)) if block else None

    @_serves("eth_getBlockByHash")
    def _eth_get_block_by_hash(self, block_hash: Any, full: bool = False) -> dict[str, Any] | None:
        block = self._state.by_hash(parse_data(block_hash, length=32))
        return block_body(block, full=bool(full)) if block else None

    @_serves("eth_getBlockReceipts")
    def _eth_get_block_receipts(self, tag: Any) -> list[dict[str, Any]] | None:
        block = self._block(tag)
        return [receipt_body(block, each) for each in block.transactions] if block else None

    @_serves("eth_getLogs")
    def _eth_get_logs(self, wanted: Any) -> list[dict[str, Any]]:
        if not isinstance(wanted, dict):
            raise RpcError(jsonrpc.INVALID_PARAMS, "the filter must be an object")
        addresses = _addresses(wanted.get("address"))
        topics = _topics(wanted.get("topics"))
        return [
            log_body(block, mined, log)
            for block in self._range(wanted)
            for mined in block.transactions
            for log in mined.logs
            if (addresses is None or bytes(log.address) in addresses) and _matches(log, topics)
        ]

    def _range(self, wanted: dict[str, Any]) -> Iterator[MinedBlock]:
        if wanted.get("blockHash") is not None:
            if wanted.get("fromBlock") is not None or wanted.get("toBlock") is not None:
                raise RpcError(jsonrpc.INVALID_PARAMS, "give blockHash, or fromBlock and toBlock, not both")
            block = self._state.by_hash(parse_data(wanted["blockHash"], length=32))
            if block is None:
                raise RpcError(jsonrpc.SERVER_ERROR, "unknown block")
            return iter((block,))
        first, last = self._height(wanted.get("fromBlock")), self._height(wanted.get("toBlock"))
        if first > self._state.head.number:
            raise RpcError(jsonrpc.INVALID_PARAMS, f"the block height is {self._state.head.number}, but {first} was requested")
        return iter(self._state.blocks[first : last + 1])

    def _height(self, tag: Any) -> int:
        head = self._state.head.number
        named = {None: head, "latest": head, "pending": head, "earliest": 0, "safe": head - _SAFE_DEPTH, "finalized": head - _FINALIZED_DEPTH}
        if tag is None or (isinstance(tag, str) and tag in named):
            return max(named[tag], 0)
        return parse_quantity(tag)

    def _block(self, tag: Any) -> MinedBlock | None:
        if isinstance(tag, dict):  # EIP-1898
            if "blockHash" in tag:
                return self._state.by_hash(parse_data(tag["blockHash"], length=32))
            tag = tag.get("blockNumber")
        elif isinstance(tag, str) and len(tag) == 66:
            return self._state.by_hash(parse_data(tag, length=32))
        height = self._height(tag)
        return self._state.blocks[height] if height <= self._state.head.number else None

    def _known(self, tag: Any) -> MinedBlock:
        block = self._block(tag)
        if block is None:
            raise RpcError(jsonrpc.INVALID_PARAMS, f"the chain has no block {tag!r:.80}; its height is {self._state.head.number}")
        return block

    # --- transactions -----------------------------------------------------------------

    @_serves("eth_getTransactionByHash")
    def _eth_get_transaction_by_hash(self, transaction_hash: Any) -> dict[str, Any] | None:
        wanted = parse_data(transaction_hash, length=32)
        if place := self._state.find(wanted):
            block, mined = place
            return transaction_body(mined.transaction, block, mined)
        return next((transaction_body(each) for each in self._state.waiting() if each.hash == wanted), None)

    @_serves("eth_getTransactionReceipt")
    def _eth_get_transaction_receipt(self, transaction_hash: Any) -> dict[str, Any] | None:
        place = self._state.find(parse_data(transaction_hash, length=32))
        return receipt_body(*place) if place else None

    @_serves("eth_sendRawTransaction")
    def _eth_send_raw_transaction(self, raw: Any) -> str:
        transaction_hash = self._state.submit(parse_data(raw))
        if self._automine:
            self.mine()
        return jsonrpc.data(transaction_hash)

    # --- accounts and calls -----------------------------------------------------------

    @_serves("eth_getBalance")
    def _eth_get_balance(self, address: Any, tag: Any = "latest") -> str:
        return quantity(self._state.account(parse_data(address, length=20), self._known(tag))[0])

    @_serves("eth_getTransactionCount")
    def _eth_get_transaction_count(self, address: Any, tag: Any = "latest") -> str:
        account = parse_data(address, length=20)
        return quantity(self._state.next_nonce(account) if tag == "pending" else self._state.account(account, self._known(tag))[1])

    @_serves("eth_getCode")
    def _eth_get_code(self, address: Any, tag: Any = "latest") -> str:
        return jsonrpc.data(self._state.account(parse_data(address, length=20), self._known(tag))[2])

    @_serves("eth_getStorageAt")
    def _eth_get_storage_at(self, address: Any, slot: Any, tag: Any = "latest") -> str:
        word = self._state.storage(parse_data(address, length=20), parse_quantity(slot), self._known(tag))
        return jsonrpc.data(word.to_bytes(32, "big"))

    @_serves("eth_call")
    def _eth_call(self, call: Any, tag: Any = "latest") -> str:
        return jsonrpc.data(self._state.call(_call_fields(call), self._known(tag)))

    @_serves("eth_estimateGas")
    def _eth_estimate_gas(self, call: Any, tag: Any = "latest") -> str:
        return quantity(self._state.estimate(_call_fields(call), self._known(tag)))

    # --- fees -------------------------------------------------------------------------

    @_serves("eth_gasPrice")
    def _eth_gas_price(self) -> str:
        return quantity(self._state.next_base_fee() + _TIP)

    @_serves("eth_maxPriorityFeePerGas")
    def _eth_max_priority_fee_per_gas(self) -> str:
        return quantity(_TIP)

    @_serves("eth_feeHistory")
    def _eth_fee_history(self, count: Any, newest: Any = "latest", percentiles: Any = None) -> dict[str, Any]:
        last = self._known(newest).number
        first = max(0, last + 1 - min(max(parse_quantity(count), 1), _MAX_HISTORY))
        headers = [block.header for block in self._state.blocks[first : last + 1]]
        following = self._state.blocks[last + 1].header.base_fee_per_gas if last < self._state.head.number else self._state.next_base_fee()
        history: dict[str, Any] = {
            "oldestBlock": quantity(first),
            "baseFeePerGas": [quantity(header.base_fee_per_gas) for header in headers] + [quantity(following)],
            "gasUsedRatio": [header.gas_used / header.gas_limit for header in headers],
        }
        if percentiles:
            history["reward"] = [[quantity(_TIP)] * len(percentiles) for _ in headers]
        return history

    # --- commanding the chain ---------------------------------------------------------

    @_serves("evm_mine")
    def _evm_mine(self, _options: Any = None) -> str:
        self.mine()
        return "0x0"

    @_serves("anvil_mine", "hardhat_mine")
    def _anvil_mine(self, count: Any = 1, interval: Any = None) -> None:
        for _ in range(min(parse_quantity(count), _MAX_MINED)):
            now = self._now() if interval is None else self._state.head.header.timestamp + parse_quantity(interval)
            self._state.mine(now)

    @_serves("evm_increaseTime")
    def _evm_increase_time(self, seconds: Any) -> int:
        self._ahead += parse_quantity(seconds)
        return self._ahead

    @_serves("evm_snapshot", "anvil_snapshot")
    def _evm_snapshot(self) -> str:
        return quantity(self._state.snapshot())

    @_serves("evm_revert", "anvil_revert")
    def _evm_revert(self, number: Any) -> bool:
        return self._state.revert(parse_quantity(number))

    @_serves("anvil_setBalance", "hardhat_setBalance")
    def _anvil_set_balance(self, address: Any, wei: Any) -> None:
        self._state.mine(self._now(), {parse_data(address, length=20): parse_quantity(wei)})


def _addresses(value: Any) -> set[bytes] | None:
    if value is None:
        return None
    values = value if isinstance(value, list) else [value]
    return {parse_data(each, length=20) for each in values} or None


def _topics(value: Any) -> list[set[bytes] | None]:
    """Return for each position the topics that match there, or None where any does."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise RpcError(jsonrpc.INVALID_PARAMS, "topics must be a list")
    positions: list[set[bytes] | None] = []
    for position in value:
        choices = position if isinstance(position, list) else [position]
        anything = not choices or None in choices
        positions.append(None if anything else {parse_data(each, length=32) for each in choices})
    return positions


def _matches(log: Log, topics: list[set[bytes] | None]) -> bool:
    if len(topics) > len(log.topics):
        return False
    return all(wanted is None or topic in wanted for wanted, topic in zip(topics, log.topics, strict=False))


def _call_fields(call: Any) -> dict[str, Any]:
    if not isinstance(call, dict):
        raise RpcError(jsonrpc.INVALID_PARAMS, "the call must be an object")
    octets = call.get("input", call.get("data"))
    return {
        "from": parse_data(call["from"], length=20) if call.get("from") else None,
        "to": parse_data(call["to"], length=20) if call.get("to") else None,
        "gas": parse_quantity(call["gas"]) if call.get("gas") is not None else None,
        "value": parse_quantity(call["value"]) if call.get("value") is not None else None,
        "data": parse_data(octets) if octets is not None else None,
    }
