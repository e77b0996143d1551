"""What PePay asks of a blockchain."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from pepay_core.domain.chains import Feature, Finality
from pepay_core.domain.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

    from pepay_core.domain.assets import Address, AssetId, ChainId
    from pepay_core.domain.chains import Block, Destination, PaymentRequest, Reference, Scan, Tip, Transfer, UnsignedTransaction
    from pepay_core.domain.inspecting import Inspection
    from pepay_core.domain.sources import Source, Testimony
    from pepay_core.domain.watchlist import Watchlist


@dataclass(frozen=True, slots=True)
class WalletMaterial:
    """A merchant's public receiving material: its kind, and its canonical value as ``Chain.parse_wallet`` returned it."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class WalletView:
    """How receiving material is shown to its owner.

    ``recovery`` is what the owner must keep to find the deposits again without this database, or None where the owner's own wallet
    finds them. ``followed`` says that ``Scan.departures`` tells what goes on from its destinations to the owner.
    """

    value: str | Sequence[str]
    recovery: str | None = None
    followed: bool = False


class Chain(ABC):
    """A driver for one chain. It is stateless: whatever must be remembered, core remembers.

    Every method may raise ChainUnavailable, which core retries with back-off.
    """

    id: ChainId
    name: str
    native: AssetId
    testnet: bool = False
    idle: bool = False
    """The chain mines only when there is something to mine, so the age of its head says nothing."""
    block_seconds: float = 12.0
    """How often a block is expected: paces the watcher, never decides money."""
    features: Feature = Feature.NONE
    finality: Finality = Finality.confirmations(12)
    wallet_kinds: tuple[str, ...] = ("addresses",)
    refused: Mapping[AssetId, str] = MappingProxyType({})
    """Tokens that the chain itself contradicts, with the reason, known after ``open``: they are not offered."""
    refused_kinds: Mapping[str, str] = MappingProxyType({})
    """Kinds of wallet that this network cannot serve although others of its family do, with the reason, known after ``open``."""

    async def open(self) -> None:
        """Connect and check that the endpoint serves this chain; raise NotReady to be started again later."""

    async def close(self) -> None:
        """Let go of connections."""

    @abstractmethod
    def parse_address(self, text: str) -> Address:
        """Return the canonical spelling, or raise InvalidAddress."""

    def parse_wallet(self, kind: str, value: str | Sequence[str]) -> WalletMaterial:
        """Return checked receiving material, or raise InvalidInput; here a list of addresses, each used for one invoice."""
        if kind != "addresses" or "addresses" not in self.wallet_kinds:
            raise InvalidInput(f"{self.name} takes wallets of kind {', '.join(self.wallet_kinds)}, not {kind[:40]!r}", field="kind")
        texts = value.replace(",", " ").split() if isinstance(value, str) else list(value)
        addresses = [self.parse_address(text) for text in texts]
        if not addresses:
            raise InvalidInput("give at least one address", field="value")
        if len(set(addresses)) != len(addresses):
            raise InvalidInput("an address stands in the list twice; each is used for one invoice", field="value")
        return WalletMaterial(kind, json.dumps(addresses))

    def show_wallet(self, wallet: WalletMaterial) -> WalletView | None:
        """Return how material is shown to its owner, or None to have a list shown whole and a key shortened."""
        return None

    @abstractmethod
    async def issue(self, wallet: WalletMaterial, ref: Reference) -> Destination:
        """Return the destination for a reference: the same for the same, another for another; NoDestination when there is none left."""

    async def shortcomings(self, wallet: WalletMaterial) -> Mapping[AssetId, str]:
        """Return the assets in which a wallet cannot be paid now, with what its owner can do; asked only with Feature.SHORTCOMINGS.

        Asked when the wallet is added and from time to time after that. Raises Refused when the chain shows that this is no wallet.
        """
        return {}

    @abstractmethod
    async def tip(self) -> Tip:
        """Return the newest block of a healthy endpoint."""

    @abstractmethod
    async def scan(self, watched: Watchlist, after: Block, until: Block) -> Scan:
        """Return what arrived at the watched destinations in the blocks above ``after``, up to ``until`` or a nearer block of the driver's choice.

        Raises CursorOrphaned(after) when ``after`` is no longer on the chain, and ChainUnavailable when ``until`` is not, or when
        any part of the range could not be read with certainty. Core asks for the tip *before* it reads which destinations are
        issued; scanning no further than that tip, by hash, is what makes it impossible to miss a payment to a new one.
        """

    async def block(self, height: int) -> Block | None:
        """Return the block at a height, or None where the chain cannot be asked for it.

        Core asks for some that are older than its first look, so that a reorganisation may reach further back than that.
        """
        return None

    def through(self, source: str) -> Chain:
        """Return this chain as one endpoint alone shows it, named as ``Scan.source`` does; raises InvalidInput where there is no such choice.

        It is opened and closed apart from this one.
        """
        raise InvalidInput(f"{self.name} has no endpoint to choose by name", field="provider")

    async def inspect(self, tx: str, watched: Watchlist) -> Inspection | None:
        """Return what became of a transaction, or None when no endpoint knows it; asked only with Feature.INSPECT.

        Raises InvalidInput when the text cannot name a transaction of this chain.
        """
        raise NotImplementedError

    async def balances(
        self, destinations: Collection[Destination], assets: Collection[AssetId], at: Block
    ) -> Mapping[tuple[Destination, AssetId], int]:
        """Return what lies at each destination in a block, in base units, without what is zero; asked only with Feature.BALANCES.

        Raises ChainUnavailable when no endpoint knows the state of that block, which most forget after some minutes.
        """
        raise NotImplementedError

    async def corroborate(self, transfers: Sequence[Transfer]) -> Mapping[tuple[ChainId, str, str, AssetId], Testimony]:
        """Return, by ``Transfer.key``, what a second source says of each transfer; leave out what there is nobody to ask about.

        Core asks before it makes money final, and again until the answer is ``AGREED``. The answer is about exactly this transfer: its
        block by hash, its destination, its amount.
        """
        return {}

    async def second_look(self, watched: Watchlist, after: Block, until: Block, first: str) -> Scan | None:
        """Return what another source than the one named ``first`` (by ``Scan.source``) finds in a range that was looked at before.

        Returns None where there is no other, or none that answers; raises as ``scan`` does when one is expected to answer later.
        """
        return None

    def sources(self) -> Sequence[Source]:
        """Return the places that the chain is read from, as they fare now; asks nobody."""
        return ()

    def payment_uri(self, request: PaymentRequest) -> str | None:
        """Return a URI that wallets open, or None where the chain has no such thing."""
        return None

    async def payment_request(self, request: PaymentRequest, payer: Address) -> UnsignedTransaction | None:
        """Return a transaction for the payer's wallet to sign, or None."""
        return None

    def explorer_url(self, transfer: Transfer) -> str | None:
        """Return a page where people can look the transaction up, or None."""
        return None

    def wake(self) -> AsyncIterator[None] | None:
        """Return a stream of hints to scan sooner, or None: a hint is never data."""
        return None
