"""The driver of one Solana cluster."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from pepay_core.api import (
    Address,
    AssetId,
    Block,
    Chain,
    ChainUnavailable,
    ConfigError,
    CursorOrphaned,
    Destination,
    Feature,
    InvalidAddress,
    InvalidInput,
    NoDestination,
    NotReady,
    Tip,
    UnsignedTransaction,
    WalletMaterial,
)
from pepay_solana import addresses, base58, decoding, inspecting, links, mints, wallets
from pepay_solana.clusters import mints as mints_of
from pepay_solana.court import Court
from pepay_solana.hints import Hints
from pepay_solana.pool import Rpc
from pepay_solana.rpc import Call, Endpoint, NodeError, WrongCluster
from pepay_solana.scanning import Scanner, get_block

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from pepay_core.api import ChainId, Clock, Http, Inspection, PaymentRequest, Reference, Scan, Source, Testimony, Transfer, Watchlist
    from pepay_solana.clusters import Cluster, Mint

_CONFIRMED = {"commitment": "confirmed"}
_FINALIZED = {"commitment": "finalized"}


class SolanaChain(Chain):
    """Watches one Solana cluster through the JSON-RPC endpoints of its nodes.

    A block is shown as soon as two thirds of the stake have voted for it (``confirmed``); ``finalized`` is told as the chain's own
    finality. ``refused`` says, once the chain is open, which tokens must not be used and why.
    """

    features = Feature.REORGS | Feature.TOKENS | Feature.SHORTCOMINGS | Feature.INSPECT
    wallet_kinds = ("address", "addresses")

    def __init__(self, cluster: Cluster, http: Http, clock: Clock) -> None:
        self.id = cluster.id
        self.name = cluster.name
        self.native = cluster.native.id
        self.testnet = cluster.testnet
        self.idle = cluster.idle
        self.block_seconds = cluster.block_seconds
        self.finality = cluster.finality
        self.refused: Mapping[AssetId, str] = {}
        self._cluster = cluster
        self._mints: dict[AssetId, Mint] = {mint.token.id: mint for mint in mints_of(cluster)}
        self._rpc = Rpc(cluster.rpc, http, clock, genesis=cluster.genesis, batch=cluster.batch)
        self._scanner = Scanner(cluster, tuple(self._mints.values()))
        # What one endpoint showed must not save another from being asked.
        self._reviewer = Scanner(cluster, tuple(self._mints.values()))
        self._court = Court(self._rpc, lambda transfer: self._scanner.receivers([transfer.to.address]))
        self._finalized: int | None = None
        self._http = http
        self._clock = clock

    def __repr__(self) -> str:
        return f"<SolanaChain {self.id} {self.name}>"

    async def open(self) -> None:
        """Check the genesis of every endpoint, and program, decimals and extensions of every mint.

        Raises ConfigError when all endpoints serve other clusters, and NotReady when none of them answers.
        """
        reasons, wrong = [], 0
        for endpoint in self._rpc.endpoints:
            try:
                await self._rpc.ask(endpoint, Endpoint.check_genesis)
            except WrongCluster as exc:
                wrong += 1
                reasons.append(exc.message)
            except ChainUnavailable as exc:
                reasons.append(exc.message)
        if wrong == len(self._rpc.endpoints):
            raise ConfigError(
                f"{self.name} has genesis {self._cluster.genesis}, but {'; '.join(reasons)}",
                hint=f"correct rpc or genesis in [plugin.solana.clusters.{self._cluster.key}]",
            )
        if len(reasons) == len(self._rpc.endpoints):
            raise NotReady(f"{self.name}: no endpoint answers: {'; '.join(reasons)}")
        try:
            self.refused = await self._rpc.step(self._check_mints)
        except ChainUnavailable as exc:
            raise NotReady(f"{self.name}: {exc.message}") from exc

    def parse_address(self, text: str) -> Address:
        """Return the address as it stands; mints, programs and token accounts are refused, because what is sent to one is lost."""
        address = addresses.parse(text)
        mint = next((each for each in self._mints.values() if each.address == address), None)
        if mint is not None:
            raise InvalidAddress(address, f"this is the mint of {mint.token.symbol} itself: money that is sent there is lost")
        return address

    def parse_wallet(self, kind: str, value: str | Sequence[str]) -> WalletMaterial:
        """Return the merchant's own wallet, at which references tell invoices apart, or a list of addresses, each used for one invoice."""
        if kind != "address":
            return super().parse_wallet(kind, value)
        if not isinstance(value, str):
            raise InvalidInput("an address is one text; several are a wallet of kind addresses", field="value")
        return WalletMaterial(kind, self.parse_address(value))

    async def issue(self, wallet: WalletMaterial, ref: Reference) -> Destination:
        """Return the wallet's address with a reference of its own, or the address at the index in the list."""
        if wallet.kind == "address":
            return Destination(self.parse_address(wallet.value), base58.encode(ref.key))
        if wallet.kind != "addresses":
            raise NoDestination(f"{self.name} takes wallets of kind {', '.join(self.wallet_kinds)}")
        listed = json.loads(wallet.value)
        if not 0 <= ref.index < len(listed):
            raise NoDestination(f"all {len(listed)} addresses of the wallet are used: add another list, or the address of a wallet, which never ends")
        return Destination(self.parse_address(listed[ref.index]))

    async def shortcomings(self, wallet: WalletMaterial) -> Mapping[AssetId, str]:
        """Return the tokens for which the merchant's own wallet has no account yet.

        Raises InvalidAddress for what the chain knows as something other than a wallet. The addresses of a list lack nothing: who
        pays to one, such as an exchange, makes the account on the way.
        """
        if wallet.kind == "address":
            self._scanner.keep(wallet.value)
            return await self._rpc.step(lambda endpoint: wallets.missing_accounts(endpoint, wallet.value, tuple(self._mints.values())))
        await self._rpc.step(lambda endpoint: wallets.check_wallets(endpoint, json.loads(wallet.value)))
        return {}

    async def tip(self) -> Tip:
        """Return the newest confirmed block, and the finalized height."""
        tip = await self._rpc.step(self._tip)
        self._finalized = tip.finalized
        return tip

    async def block(self, height: int) -> Block | None:
        """Return the block of a slot, or None where the slot was skipped or the endpoint does not have it."""

        async def ask(endpoint: Endpoint) -> Block | None:
            (answer,) = await endpoint.ask([get_block(height)])
            return None if answer is None or isinstance(answer, NodeError) else decoding.block(answer, height)

        return await self._rpc.step(ask)

    async def scan(self, watched: Watchlist, after: Block, until: Block) -> Scan:
        """Return what arrived above ``after``, as far as one look bears; see ``Chain.scan``.

        Near the end of the chain some slots below ``after`` are looked at once more, for what a node has listed late.
        """
        return await self._look(self._scanner, watched, after, until, self._finalized)

    async def second_look(self, watched: Watchlist, after: Block, until: Block, first: str) -> Scan | None:
        """Return what another endpoint than ``first`` finds in a range, or None where there is none that can be expected to answer."""
        if not any(self._rpc.expected(endpoint) for endpoint in self._rpc.endpoints if endpoint.label != first):
            return None
        return await self._look(self._reviewer, watched, after, until, None, avoid=(first,))

    async def corroborate(self, transfers: Sequence[Transfer]) -> Mapping[tuple[ChainId, str, str, AssetId], Testimony]:
        """Return what two endpoints, or the most of them where they differ, say of each transfer."""
        return await self._court.corroborate(transfers)

    def sources(self) -> Sequence[Source]:
        """Return the endpoints."""
        return self._rpc.sources()

    async def _look(self, scanner: Scanner, watched: Watchlist, after: Block, until: Block, live: int | None, *, avoid: tuple[str, ...] = ()) -> Scan:
        reading = ""

        async def look(endpoint: Endpoint) -> Scan:
            nonlocal reading
            reading = endpoint.label
            return await scanner.look(endpoint, watched, after, until, live)

        try:
            result = await self._rpc.step(look, avoid=avoid)
        except CursorOrphaned:
            if self._rpc.several:
                await self._court.confirm_orphaned(reading, after)
            raise
        except ChainUnavailable:
            scanner.span = max(1, scanner.span // 2)
            raise
        scanner.span = min(scanner.span * 2, self._cluster.look)
        if avoid:
            # Only the one that serves is asked for its newest block.
            self._rpc.shown(result.source, until.height)
        return result

    async def inspect(self, tx: str, watched: Watchlist) -> Inspection | None:
        """Return what became of a transaction: what it brought is reckoned as a look at its slot reckons it."""
        signature, receivers = inspecting.signature_of(tx), self._scanner.receivers(watched.addresses)
        reasons: list[str] = []
        for endpoint in self._rpc.endpoints:
            try:
                found = await inspecting.inspect(endpoint, self._cluster, signature, receivers, watched)
            except ChainUnavailable as exc:
                reasons.append(exc.message)
                continue
            # One that does not know it may be behind, or may have forgotten it.
            if found is not None:
                return found
        if len(reasons) == len(self._rpc.endpoints):
            raise ChainUnavailable("; ".join(reasons))
        return None

    def through(self, source: str) -> SolanaChain:
        """Return a driver that asks one of the configured endpoints, and no other."""
        for url, endpoint in zip(self._cluster.rpc, self._rpc.endpoints, strict=True):
            if endpoint.label == source:
                return SolanaChain(replace(self._cluster, rpc=(url,), ws=()), self._http, self._clock)
        known = ", ".join(each.label for each in self._rpc.endpoints)
        raise InvalidInput(f"{self.name} has no endpoint {source[:80]!r}; it has {known}", field="provider")

    def payment_uri(self, request: PaymentRequest) -> str | None:
        """Return a transfer request of Solana Pay, or None for an asset of another chain."""
        mint = self._mints.get(request.asset)
        return None if mint is None and request.asset != self.native else links.payment_uri(self._cluster, mint, request)

    async def payment_request(self, request: PaymentRequest, payer: Address) -> UnsignedTransaction | None:
        """Return a transaction that ``solana:signAndSendTransaction`` takes; it makes the recipient's token account where there is none."""
        mint = self._mints.get(request.asset)
        if mint is None and request.asset != self.native:
            return None

        async def make(endpoint: Endpoint) -> str:
            (latest,) = await endpoint.ask([Call("getLatestBlockhash", (_CONFIRMED,))])
            return await links.transaction(endpoint, mint, request, payer, decoding.blockhash(latest))

        asked: dict[str, object] = {"transaction": await self._rpc.step(make), "chain": self._cluster.moniker}
        return UnsignedTransaction("solana", {**asked, "encoding": "base64"}, {"solana:signAndSendTransaction": [asked]})

    def wake(self) -> AsyncIterator[None] | None:
        """Return hints from the WebSocket endpoints, or None where none is configured."""
        if not self._cluster.ws:
            return None
        return Hints(self._cluster.ws, self._http, self._clock, lambda: self._scanner.shared).stream()

    def explorer_url(self, transfer: Transfer) -> str | None:
        """Return the transaction's page in the cluster's explorer, where one is configured."""
        return f"{self._cluster.explorer}/tx/{transfer.tx}" if self._cluster.explorer else None

    async def _tip(self, endpoint: Endpoint) -> Tip:
        confirmed, finalized = await endpoint.ask([Call("getSlot", (_CONFIRMED,)), Call("getSlot", (_FINALIZED,))])
        height = decoding.number(confirmed)
        (answer,) = await endpoint.ask([get_block(height)])
        if answer is None or isinstance(answer, NodeError):
            raise ChainUnavailable(answer.message if answer else f"{endpoint.label} does not have its newest block yet")
        self._rpc.at(endpoint, height)
        # The two may be answered a moment apart: what is final is never above what is there.
        return Tip(decoding.block(answer, height), min(decoding.number(finalized), height))

    async def _check_mints(self, endpoint: Endpoint) -> dict[AssetId, str]:
        return await mints.refused(endpoint, tuple(self._mints.values()), dict(self._cluster.extensions))
