"""A simulated EVM chain: blocks with transactions, receipts and blooms, and the reorganisations that replace them. It is the truth."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from pepay_evm.blooms import mask

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

TRANSFER: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
CREATED: Final = 1_793_534_400
"""Unix seconds at which virtual time begins: noon of 1 November 2026."""

_bits = lru_cache(maxsize=100_000)(mask)


@dataclass(frozen=True, slots=True)
class Event:
    """What a contract logs."""

    address: str
    topics: tuple[str, ...]
    data: str


@dataclass(frozen=True, slots=True)
class Tx:
    """A transaction with what will come of it, whenever it is mined."""

    hash: str
    sender: str
    to: str
    value: int
    events: tuple[Event, ...] = ()
    succeeds: bool = True


@dataclass(frozen=True, slots=True)
class Arrival:
    """What truly arrived: a transfer of a good asset in a transaction that succeeded. ``token`` is empty for the native coin."""

    tx: str
    ordinal: str
    token: str
    to: str
    units: int


@dataclass(slots=True, eq=False)
class Block:
    """A block; ``parent`` leads back to the first one."""

    height: int
    hash: str
    parent: Block | None
    time: int
    txs: tuple[Tx, ...]
    header: dict[str, Any] = field(repr=False)
    full: dict[str, Any] = field(repr=False)
    logs: list[dict[str, Any]] = field(repr=False)
    receipts: dict[str, dict[str, Any]] = field(repr=False)
    arrivals: tuple[Arrival, ...] = ()
    holdings: dict[tuple[str, str], int] = field(default_factory=dict, repr=False)
    """What lies at each address, by token and address; one that nothing came to in a block is shared with its parent."""

    def lineage(self) -> Iterator[Block]:
        """Return this block and every one below it."""
        block: Block | None = self
        while block is not None:
            yield block
            block = block.parent


def transfer(token: str, sender: str, to: str, units: int, *extra: str) -> Event:
    """Return the event of an ERC-20 transfer; ``extra`` topics make it something else."""
    return Event(token, (TRANSFER, _word(sender), _word(to), *extra), f"0x{units:064x}")


def _word(address: str) -> str:
    return "0x" + address[2:].lower().rjust(64, "0")


class SimChain:
    """A chain with a mempool. ``tokens`` are the good contracts by address, with their decimals; ``deepest`` bounds reorganisations."""

    def __init__(self, number: int, tokens: dict[str, int], *, spacing: float, deepest: int, chance: random.Random) -> None:
        self.number = number
        self.tokens = tokens
        self.spacing = spacing
        self.deepest = deepest
        self.chance = chance
        self.pool: list[Tx] = []
        self.known: dict[str, Block] = {}
        """Every block that ever was, by its hash."""
        self.highest = 0
        self.finalized = 0
        self._serial = 0
        self.path: list[Block] = []
        for height in range(40):
            self._append((), CREATED - round((40 - height) * spacing))

    @property
    def head(self) -> Block:
        return self.path[-1]

    def mine(self, now: float) -> Block:
        """Put what waits into a block, in any order; a little of it may have to wait on."""
        txs, self.pool = self.pool, []
        self.chance.shuffle(txs)
        if len(txs) > 1 and self.chance.random() < 0.1:
            self.pool.append(txs.pop())
        block = self._append(tuple(txs), CREATED + int(now))
        self.finalized = max(self.finalized, self.head.height - self.deepest)
        return block

    def reorganise(self, depth: int, now: float, *, lost: float = 0.0) -> int:
        """Replace the newest blocks by one more than there were; ``lost`` is the share of their transactions that never return."""
        depth = min(depth, self.head.height - self.finalized)
        if depth <= 0:
            return 0
        back = [tx for block in self.path[-depth:] for tx in block.txs]
        del self.path[-depth:]
        self.pool = [tx for tx in back if self.chance.random() >= lost] + self.pool
        for _ in range(depth + 1):
            waiting, self.pool = self.pool, []
            mined: list[Tx] = []
            for tx in waiting:
                (mined if self.chance.random() < 0.35 else self.pool).append(tx)
            self.chance.shuffle(mined)
            self._append(tuple(mined), CREATED + int(now))
        return depth

    def arrivals(self) -> dict[tuple[str, str], tuple[Arrival, Block]]:
        """Return everything that truly arrived on the chain as it is now, by transaction and ordinal."""
        return {(each.tx, each.ordinal): (each, block) for block in self.path for each in block.arrivals}

    def _append(self, txs: tuple[Tx, ...], time: int) -> Block | None:
        parent = self.path[-1] if self.path else None
        self._serial += 1
        height = len(self.path)
        identity = "0x" + hashlib.sha256(f"{self.number}/{self._serial}/{height}".encode()).hexdigest()
        time = max(time, parent.time + 1) if parent else time
        block = _block(identity, parent, height, time, txs, self.tokens)
        self.path.append(block)
        self.known[identity] = block
        self.highest = max(self.highest, height)
        return block


def _block(identity: str, parent: Block | None, height: int, time: int, txs: tuple[Tx, ...], tokens: dict[str, int]) -> Block:
    logs: list[dict[str, Any]] = []
    receipts: dict[str, dict[str, Any]] = {}
    listed: list[dict[str, Any]] = []
    arrivals: list[Arrival] = []
    bloom = 0
    at = {"blockHash": identity, "blockNumber": hex(height)}
    for position, tx in enumerate(txs):
        place = {**at, "transactionHash": tx.hash, "transactionIndex": hex(position)}
        own = []
        for event in tx.events if tx.succeeds else ():
            bloom |= _bits(event.address, *event.topics)
            log = {"address": event.address, "topics": list(event.topics), "data": event.data, "logIndex": hex(len(logs)), "removed": False, **place}
            logs.append(log)
            own.append(log)
        receipts[tx.hash] = {
            "status": hex(tx.succeeds),
            "logs": own,
            "from": tx.sender,
            "to": tx.to,
            "gasUsed": hex(21_000),
            "cumulativeGasUsed": hex(21_000 * (position + 1)),
            "effectiveGasPrice": hex(10**9),
            "contractAddress": None,
            "type": "0x2",
            **place,
        }
        listed.append(
            {
                "hash": tx.hash,
                "from": tx.sender,
                "to": tx.to,
                "value": hex(tx.value),
                "input": "0x",
                "nonce": "0x0",
                "gas": hex(100_000),
                "type": "0x2",
                "transactionIndex": hex(position),
                **at,
            }
        )
        arrivals += _arrivals(tx, tokens)
    header = {
        "number": hex(height),
        "hash": identity,
        "parentHash": parent.hash if parent else "0x" + "00" * 32,
        "timestamp": hex(time),
        "logsBloom": f"0x{bloom:0512x}",
        "transactions": [tx.hash for tx in txs],
        "miner": "0x" + "00" * 20,
        "gasLimit": hex(30_000_000),
        "gasUsed": hex(21_000 * len(txs)),
        "baseFeePerGas": hex(10**9),
        "stateRoot": "0x" + "00" * 32,
        "extraData": "0x",
        "uncles": [],
    }
    for each in receipts.values():
        each["logsBloom"] = header["logsBloom"]
    holdings = parent.holdings if parent else {}
    if arrivals:
        holdings = dict(holdings)
        for each in arrivals:
            holdings[each.token, each.to] = holdings.get((each.token, each.to), 0) + each.units
    full = {**header, "transactions": listed}
    return Block(height, identity, parent, time, txs, header, full, logs, receipts, tuple(arrivals), holdings)


def _arrivals(tx: Tx, tokens: dict[str, int]) -> Iterator[Arrival]:
    if not tx.succeeds:
        return
    if tx.value > 0:
        yield Arrival(tx.hash, "0", "", tx.to, tx.value)
    for position, event in enumerate(tx.events):
        units = int(event.data, 16)
        if event.address in tokens and len(event.topics) == 3 and event.topics[0] == TRANSFER and units > 0 and event.topics[1] != event.topics[2]:
            yield Arrival(tx.hash, str(1 + position), event.address, "0x" + event.topics[2][26:], units)
