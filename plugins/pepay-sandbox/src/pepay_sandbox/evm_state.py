"""An Ethereum chain in memory: blocks, state and a pool of waiting transactions, run by py-evm.

Slow to import; import it in the thread that runs it. Nothing here is thread-safe: one thread owns a chain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import rlp
from eth.chains.base import MiningChain
from eth.constants import BLANK_ROOT_HASH, POST_MERGE_DIFFICULTY, POST_MERGE_MIX_HASH, POST_MERGE_NONCE, ZERO_ADDRESS
from eth.db.atomic import AtomicDB
from eth.db.backends.memory import MemoryDB
from eth.exceptions import Revert, VMError
from eth.vm.forks.berlin.transactions import TypedTransaction
from eth.vm.forks.cancun import CancunVM
from eth.vm.spoof import SpoofTransaction
from eth_typing import BlockNumber
from eth_utils.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GAS_LIMIT: Final = 30_000_000
_BASE_FEE: Final = 1_000_000_000


class Rejected(Exception):
    """A transaction that can never be mined as it is; the text is what nodes say to wallets."""


class ExecutionFailed(Exception):
    """A call or an estimate that reverts; ``data`` is what the contract returned."""

    def __init__(self, reason: str, data: bytes = b"") -> None:
        super().__init__(reason)
        self.data = data


@dataclass(frozen=True, slots=True)
class Log:
    """One log, with its position in the block."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    index: int


@dataclass(frozen=True, slots=True)
class Mined:
    """A transaction in its block, with what became of it."""

    transaction: Any
    index: int
    succeeded: bool
    gas_used: int
    cumulative_gas: int
    bloom: int
    contract: bytes | None
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class MinedBlock:
    """A block and its transactions."""

    header: Any
    size: int
    transactions: tuple[Mined, ...] = ()

    @property
    def number(self) -> int:
        """Height above the first block."""
        return int(self.header.block_number)

    @property
    def hash(self) -> bytes:
        """The hash of the header."""
        return self.header.hash


@dataclass(slots=True)
class _Snapshot:
    height: int
    store: dict[bytes, bytes]
    pool: dict[bytes, dict[int, Any]] = field(default_factory=dict)


def kind_of(transaction: Any) -> int:
    """Return the EIP-2718 type: 0 for a legacy transaction."""
    return (transaction.type_id or 0) if isinstance(transaction, TypedTransaction) else 0


def fee_paid(transaction: Any, base_fee: int) -> int:
    """Return what a transaction pays for each gas in a block with this base fee."""
    return min(transaction.max_fee_per_gas, transaction.max_priority_fee_per_gas + base_fee)


class EvmState:
    """A chain that starts empty at ``now`` (epoch seconds) and grows by :meth:`mine`."""

    def __init__(self, chain_id: int, now: int) -> None:
        identity = chain_id

        class _Chain(MiningChain):
            chain_id = identity
            vm_configuration = ((BlockNumber(0), CancunVM),)

        self.chain_id = chain_id
        self._memory = MemoryDB()
        genesis = {
            "coinbase": ZERO_ADDRESS,
            "difficulty": POST_MERGE_DIFFICULTY,
            "extra_data": b"",
            "gas_limit": GAS_LIMIT,
            "mix_hash": POST_MERGE_MIX_HASH,
            "nonce": POST_MERGE_NONCE,
            "receipt_root": BLANK_ROOT_HASH,
            "timestamp": now,
            "transaction_root": BLANK_ROOT_HASH,
            "base_fee_per_gas": _BASE_FEE,
        }
        self._chain: Any = _Chain.from_genesis(AtomicDB(self._memory), genesis, {})
        header = self._chain.get_canonical_head()
        self.blocks: list[MinedBlock] = [MinedBlock(header, len(rlp.encode(header)))]
        self._by_hash = {header.hash: 0}
        self._places: dict[bytes, tuple[int, int]] = {}
        self._pool: dict[bytes, dict[int, Any]] = {}
        self._snapshots: list[_Snapshot] = []
        self._mined = 0

    # --- looking ----------------------------------------------------------------------

    @property
    def head(self) -> MinedBlock:
        """The newest block."""
        return self.blocks[-1]

    def by_hash(self, block_hash: bytes) -> MinedBlock | None:
        """Return a block of the chain as it is now."""
        height = self._by_hash.get(block_hash)
        return None if height is None else self.blocks[height]

    def find(self, transaction_hash: bytes) -> tuple[MinedBlock, Mined] | None:
        """Return where a transaction was mined."""
        place = self._places.get(transaction_hash)
        if place is None:
            return None
        block = self.blocks[place[0]]
        return block, block.transactions[place[1]]

    def waiting(self) -> Iterator[Any]:
        """Yield the transactions that are not mined yet."""
        for queue in self._pool.values():
            yield from queue.values()

    def account(self, address: bytes, at: MinedBlock) -> tuple[int, int, bytes]:
        """Return balance, nonce and code as they were after a block."""
        state = self._chain.get_vm(at.header).state
        return state.get_balance(address), state.get_nonce(address), state.get_code(address)

    def storage(self, address: bytes, slot: int, at: MinedBlock) -> int:
        """Return one word of a contract's storage after a block."""
        return self._chain.get_vm(at.header).state.get_storage(address, slot)

    def next_nonce(self, address: bytes) -> int:
        """Return the nonce for the sender's next transaction, counting those that wait."""
        nonce = self.account(address, self.head)[1]
        queue = self._pool.get(address, {})
        while nonce in queue:
            nonce += 1
        return nonce

    def next_base_fee(self) -> int:
        """Return the base fee of the block to come, in wei for each gas."""
        return self._chain.create_header_from_parent(self.head.header).base_fee_per_gas

    # --- running without a trace ------------------------------------------------------

    def call(self, fields: Mapping[str, Any], at: MinedBlock) -> bytes:
        """Return what a call returns; raises ExecutionFailed."""
        with self._chain.get_vm(at.header).in_costless_state() as state:
            return self._execute(state, self._unsigned(state, fields))

    def estimate(self, fields: Mapping[str, Any], at: MinedBlock) -> int:
        """Return the gas that a transaction needs; raises ExecutionFailed when none suffices."""
        with self._chain.get_vm(at.header).in_costless_state() as state:
            transaction = self._unsigned(state, fields)
            snapshot = state.snapshot()
            self._execute(state, transaction)
            state.revert(snapshot)
            return self._chain.gas_estimator(state, transaction)

    def _unsigned(self, state: Any, fields: Mapping[str, Any]) -> Any:
        sender = fields.get("from") or ZERO_ADDRESS
        transaction = self._chain.create_unsigned_transaction(
            nonce=state.get_nonce(sender),
            gas_price=0,
            gas=min(fields.get("gas") or GAS_LIMIT, GAS_LIMIT),
            to=fields.get("to") or b"",
            value=fields.get("value") or 0,
            data=fields.get("data") or b"",
        )
        return SpoofTransaction(transaction, from_=sender)

    @staticmethod
    def _execute(state: Any, transaction: Any) -> bytes:
        if state.get_balance(transaction.sender) < transaction.value:
            raise ExecutionFailed("insufficient funds for transfer")
        try:
            computation = state.apply_transaction(transaction)
        except (ValidationError, VMError) as exc:
            raise ExecutionFailed(str(exc)) from exc
        if computation.is_error:
            if isinstance(computation.error, Revert):
                raise ExecutionFailed("execution reverted", computation.output)
            raise ExecutionFailed(str(computation.error) or type(computation.error).__name__)
        return computation.output

    # --- growing ----------------------------------------------------------------------

    def submit(self, raw: bytes) -> bytes:
        """Take a signed transaction into the pool and return its hash; raises Rejected."""
        try:
            transaction = self._chain.get_vm(self.head.header).get_transaction_builder().decode(raw)
            transaction.validate()
            sender = transaction.sender
        except Exception as exc:
            raise Rejected("failed to decode signed transaction") from exc
        if transaction.chain_id not in {None, self.chain_id}:
            raise Rejected("invalid chain id for signer")
        balance, nonce, _ = self.account(sender, self.head)
        if transaction.nonce < nonce:
            raise Rejected("nonce too low")
        if transaction.gas > GAS_LIMIT:
            raise Rejected("exceeds block gas limit")
        if transaction.gas < transaction.intrinsic_gas:
            raise Rejected("intrinsic gas too low")
        if balance < transaction.value + transaction.gas * transaction.max_fee_per_gas:
            raise Rejected("insufficient funds for gas * price + value")
        queue = self._pool.setdefault(sender, {})
        rival = queue.get(transaction.nonce)
        if rival is not None and rival.hash == transaction.hash:
            raise Rejected("transaction already imported")
        if rival is not None and transaction.max_fee_per_gas * 10 < rival.max_fee_per_gas * 11:
            raise Rejected("replacement transaction underpriced")
        queue[transaction.nonce] = transaction
        return transaction.hash

    def mine(self, now: int, balances: Mapping[bytes, int] | None = None) -> MinedBlock:
        """Mine what waits into a block no older than ``now``; ``balances`` are set by decree before anything runs."""
        self._mined += 1
        parent = self.head.header
        # The counter makes a block that is mined again after a revert a different block, as on a real chain.
        self._chain.header = self._chain.create_header_from_parent(
            parent, timestamp=max(now, parent.timestamp + 1), gas_limit=GAS_LIMIT, extra_data=self._mined.to_bytes(8, "big")
        )
        if balances:
            self._decree(balances)
        mined: list[Mined] = []
        for transaction in self._executable():
            if transaction.gas > GAS_LIMIT - self._chain.header.gas_used or transaction.max_fee_per_gas < self._chain.header.base_fee_per_gas:
                continue
            used_before = self._chain.header.gas_used
            try:
                _, receipt, computation = self._chain.apply_transaction(transaction)
            except (ValidationError, VMError):
                continue
            mined.append(self._record(transaction, receipt, computation, used_before, mined))
        block = self._chain.mine_block()
        done = MinedBlock(block.header, len(rlp.encode(block)), tuple(mined))
        self._by_hash[done.hash] = done.number
        self.blocks.append(done)
        for each in mined:
            self._places[each.transaction.hash] = (done.number, each.index)
        self._prune()
        return done

    def _decree(self, balances: Mapping[bytes, int]) -> None:
        state = self._chain.get_vm(self._chain.header).state
        for address, wei in balances.items():
            state.set_balance(address, wei)
        state.persist()
        self._chain.header = self._chain.header.copy(state_root=state.state_root)

    def _executable(self) -> Iterator[Any]:
        for sender, queue in list(self._pool.items()):
            nonce = self.account(sender, self.head)[1]
            while nonce in queue:
                yield queue[nonce]
                nonce += 1

    @staticmethod
    def _record(transaction: Any, receipt: Any, computation: Any, used_before: int, earlier: list[Mined]) -> Mined:
        first = sum(len(each.logs) for each in earlier)
        logs = tuple(
            Log(log.address, tuple(topic.to_bytes(32, "big") for topic in log.topics), log.data, first + offset)
            for offset, log in enumerate(receipt.logs)
        )
        return Mined(
            transaction=transaction,
            index=len(earlier),
            succeeded=receipt.state_root == b"\x01",
            gas_used=receipt.gas_used - used_before,
            cumulative_gas=receipt.gas_used,
            bloom=receipt.bloom,
            contract=computation.msg.storage_address if transaction.to == b"" else None,
            logs=logs,
        )

    def _prune(self) -> None:
        for sender, queue in list(self._pool.items()):
            nonce = self.account(sender, self.head)[1]
            kept = {each: transaction for each, transaction in queue.items() if each >= nonce}
            if kept:
                self._pool[sender] = kept
            else:
                del self._pool[sender]

    # --- going back -------------------------------------------------------------------

    def snapshot(self) -> int:
        """Remember the chain as it is and return the number for :meth:`revert`."""
        pool = {sender: dict(queue) for sender, queue in self._pool.items()}
        self._snapshots.append(_Snapshot(self.head.number, dict(self._memory.kv_store), pool))
        return len(self._snapshots) - 1

    def revert(self, number: int) -> bool:
        """Go back to a snapshot, which is used up with all that came after it; blocks above it are gone."""
        if not 0 <= number < len(self._snapshots):
            return False
        snapshot = self._snapshots[number]
        del self._snapshots[number:]
        for block in self.blocks[snapshot.height + 1 :]:
            del self._by_hash[block.hash]
            for each in block.transactions:
                del self._places[each.transaction.hash]
        del self.blocks[snapshot.height + 1 :]
        self._memory.kv_store = snapshot.store
        self._pool = snapshot.pool
        return True
