"""A chain in memory with a driver that keeps the contract: the shortest answer to "what does a driver look like", and a fake for tests."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from pepay_core.api import (
    MAX_BASE_UNITS,
    Address,
    AssetId,
    Block,
    Chain,
    ChainId,
    ChainUnavailable,
    CursorOrphaned,
    Destination,
    Feature,
    Finality,
    InvalidAddress,
    Scan,
    Tip,
    Token,
    Transfer,
    WalletMaterial,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pepay_core.api import Reference, Watchlist

TOY: Final = ChainId("toy:1")
COIN: Final = Token(AssetId("toy:1/slip44:1"), "TOY", 18, "toycoin", "Toy coin")
DOLLAR: Final = Token(AssetId("toy:1/toy20:dollar"), "TUSD", 6, "usd-coin", "Toy dollar")
FAKE: Final = AssetId("toy:1/toy20:do11ar")

_ADDRESS: Final = re.compile(r"toy1[0-9a-f]{40}")
_GENESIS: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ToyTransaction:
    """A transaction with what it pays, in order: asset, address, base units."""

    id: str
    payments: tuple[tuple[AssetId, Address, int], ...]
    succeeds: bool = True


@dataclass(frozen=True, slots=True)
class ToyBlock:
    """A block of the toy chain."""

    block: Block
    transactions: tuple[ToyTransaction, ...] = ()


@dataclass
class ToyNet:
    """The chain itself, and what a test does to it: it has the methods of ``pepay_core.testing.chain.Net``."""

    token: AssetId | None = DOLLAR.id
    most: int = MAX_BASE_UNITS
    seconds: int = 10
    down: bool = False
    blocks: list[ToyBlock] = field(default_factory=lambda: [ToyBlock(Block(0, "genesis", _GENESIS))])
    waiting: list[ToyTransaction] = field(default_factory=list)
    dropped: dict[str, ToyTransaction] = field(default_factory=dict)
    _count: int = 0

    async def pay(self, to: Destination, units: int, asset: AssetId = COIN.id) -> str:
        """Send a payment."""
        return self._send([(asset, to.address, units)])

    async def pay_together(self, payments: Sequence[tuple[Destination, int]], asset: AssetId = COIN.id) -> str:
        """Send several payments in one transaction."""
        return self._send([(asset, to.address, units) for to, units in payments])

    async def pay_in_vain(self, to: Destination, units: int, asset: AssetId = COIN.id) -> str:
        """Send a payment that fails."""
        return self._send([(asset, to.address, units)], succeeds=False)

    async def pay_look_alike(self, to: Destination, units: int) -> str:
        """Send what looks like the toy dollar."""
        return self._send([(FAKE, to.address, units)])

    async def mine(self, blocks: int = 1) -> None:
        """Mine."""
        for _ in range(blocks):
            last = self.blocks[-1].block
            self._count += 1
            digest = hashlib.sha256(f"{last.hash} {self._count}".encode()).hexdigest()
            block = Block(last.height + 1, digest, last.time + timedelta(seconds=self.seconds))
            self.blocks.append(ToyBlock(block, tuple(self.waiting)))
            self.waiting.clear()

    async def reorg(self, depth: int) -> None:
        """Replace the newest blocks by empty ones."""
        replaced = self.blocks[-depth:]
        del self.blocks[-depth:]
        self.dropped |= {transaction.id: transaction for block in replaced for transaction in block.transactions}
        await self.mine(depth)

    async def mine_again(self, transaction: str) -> None:
        """Mine a dropped transaction behind another one."""
        self._send([(COIN.id, Address("toy1" + "0" * 40), 1)])
        self.waiting.append(self.dropped.pop(transaction))
        await self.mine()

    async def cut(self) -> None:
        """Go down."""
        self.down = True

    def read(self) -> Sequence[ToyBlock]:
        """Return the chain as a node would; raises ConnectionError when it is down."""
        if self.down:
            raise ConnectionError("the toy node is down")
        return self.blocks

    def _send(self, payments: Sequence[tuple[AssetId, Address, int]], *, succeeds: bool = True) -> str:
        self._count += 1
        transaction = ToyTransaction(f"tx{self._count}", tuple(payments), succeeds)
        self.waiting.append(transaction)
        return transaction.id


class ToyChain(Chain):
    """The driver of the toy chain."""

    id = TOY
    name = "Toy"
    native = COIN.id
    testnet = True
    idle = True
    block_seconds = 10.0
    features = Feature.REORGS | Feature.TOKENS | Feature.SEVERAL_PER_TRANSACTION
    finality = Finality.confirmations(2)
    wallet_kinds = ("seed", "addresses")
    page = 100

    def __init__(self, net: ToyNet) -> None:
        self.net = net

    def parse_address(self, text: str) -> Address:
        """Return the address in lower case."""
        address = text.strip().lower()
        if not _ADDRESS.fullmatch(address):
            raise InvalidAddress(text)
        return Address(address)

    def parse_wallet(self, kind: str, value: str | Sequence[str]) -> WalletMaterial:
        """Return any text as a seed of addresses, or a list of addresses."""
        if kind == "seed" and isinstance(value, str):
            return WalletMaterial(kind, value)
        return super().parse_wallet(kind, value)

    async def issue(self, wallet: WalletMaterial, ref: Reference) -> Destination:
        """Return the address that follows from the seed and the index."""
        return Destination(Address("toy1" + hashlib.sha256(f"{wallet.value}/{ref.index}".encode()).hexdigest()[:40]))

    async def tip(self) -> Tip:
        """Return the newest block."""
        return Tip(self.blocks()[-1].block)

    async def scan(self, watched: Watchlist, after: Block, until: Block) -> Scan:
        """Return what arrived above ``after``, in pages."""
        blocks = self.blocks()
        if len(blocks) <= max(after.height, until.height):
            raise ChainUnavailable("the node does not know the block yet")
        if blocks[after.height].block != after:
            raise CursorOrphaned(after)
        if blocks[until.height].block != until:
            raise ChainUnavailable(f"block {until.height} was replaced")
        read = blocks[after.height + 1 : min(until.height, after.height + self.page) + 1]
        ours = {destination.address: destination for destination in watched}
        headers = tuple(each.block for each in read)
        return Scan(headers[-1] if headers else after, headers, tuple(found for each in read for found in self.arrivals(each, ours)))

    def arrivals(self, each: ToyBlock, ours: dict[Address, Destination]) -> list[Transfer]:
        """Return what a block brought; the index is the payment's place in its transaction."""
        return [
            Transfer(TOY, transaction.id, str(place), asset, ours[to], units, each.block)
            for transaction in each.transactions
            if transaction.succeeds
            for place, (asset, to, units) in enumerate(transaction.payments)
            if to in ours and units > 0 and asset in {COIN.id, DOLLAR.id}
        ]

    def blocks(self) -> Sequence[ToyBlock]:
        """Return the chain; raises ChainUnavailable when the node is down."""
        try:
            return self.net.read()
        except OSError as exc:
            raise ChainUnavailable(str(exc)) from exc
