"""The driver of one EVM network."""

from __future__ import annotations

import asyncio
import contextlib
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
    Inspection,
    InvalidAddress,
    InvalidInput,
    NoDestination,
    NotReady,
    Tip,
    UnsignedTransaction,
    WalletMaterial,
    WalletView,
)
from pepay_evm import addresses, decoding, deposits, derivation, links
from pepay_evm.abilities import AbilitiesBook
from pepay_evm.balances import NATIVE, pack
from pepay_evm.balances import read as read_balances
from pepay_evm.court import Court
from pepay_evm.deposits import Treasury
from pepay_evm.guarding import TokenGuard
from pepay_evm.heads import Heads
from pepay_evm.inspecting import Inspector, transaction_hash
from pepay_evm.networks import contract_of
from pepay_evm.pool import Rpc
from pepay_evm.readiness import read_readiness
from pepay_evm.rpc import Call, NodeError, WrongChain
from pepay_evm.scanning import Scanner, spelling
from pepay_evm.survey import Survey
from pepay_evm.tips import Tips

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

    from pepay_core.api import ChainId, Clock, Http, PaymentRequest, Reference, Scan, Source, Testimony, Transfer, Watchlist
    from pepay_evm.networks import Network
    from pepay_evm.rpc import Endpoint

_SILENCE = 60.0
_PROBE_SECONDS = 8.0
_GUARD_SECONDS = 5.0


class EvmChain(Chain):
    """Watches one EVM network through the JSON-RPC endpoints of its nodes.

    ``refused`` says, once the chain is open, which tokens must not be used and why: their contracts are not what was configured.
    """

    features = Feature.REORGS | Feature.TOKENS | Feature.SEVERAL_PER_TRANSACTION | Feature.INSPECT | Feature.BALANCES
    wallet_kinds = ("xpub", "addresses", deposits.KIND)

    def __init__(self, network: Network, http: Http, clock: Clock) -> None:
        self.id = network.id
        self.name = network.name
        self.native = network.native.id
        self.testnet = network.testnet
        self.idle = network.idle
        self.block_seconds = network.block_seconds
        self.finality = network.finality
        self.refused: Mapping[AssetId, str] = {}
        self.refused_kinds: Mapping[str, str] = {}
        self._network = network
        self._http = http
        self._clock = clock
        self._contracts = network.contracts
        self._rpc = Rpc(network.rpc, http, clock, network.number, block_seconds=network.block_seconds, timeout=network.timeout)
        self._survey = Survey(network, self._rpc, clock)
        self._tips = Tips(network, self._rpc, self._survey)
        self._court = Court(self._rpc, self._survey)
        self._guard = TokenGuard(network, clock)
        self._scanner = Scanner(network, {address: token.id for address, token in self._contracts.items()})
        self._inspector = Inspector(network, {address: token.id for address, token in self._contracts.items()})
        self._heads = Heads(network.ws, http, clock, silence=max(_SILENCE, 20 * network.block_seconds))
        self._abilities = AbilitiesBook(self._rpc, self._scanner.events, max_range=network.max_range)

    def __repr__(self) -> str:
        return f"<EvmChain {self.id} {self.name}>"

    async def open(self) -> None:
        """Check the chain id of every endpoint and the decimals of every token, and find out how each endpoint lets payments be found.

        Raises ConfigError when all endpoints serve other chains, and NotReady when none of them answers.
        """
        reasons, wrong = [], 0
        for endpoint in self._rpc.endpoints:
            try:
                await self._rpc.ask(endpoint, lambda each: each.ask(()))
            except WrongChain as exc:
                wrong += 1
                reasons.append(exc.message)
            except ChainUnavailable as exc:
                reasons.append(exc.message)
        if wrong == len(self._rpc.endpoints):
            raise ConfigError(
                f"{self.name} is {self.id}, but {'; '.join(reasons)}", hint=f"correct rpc or chain in [plugin.evm.networks.{self._network.key}]"
            )
        if len(reasons) == len(self._rpc.endpoints):
            raise NotReady(f"{self.name}: no endpoint answers: {'; '.join(reasons)}")
        try:
            self.refused = await self._rpc.step(self._guard.look)
            readiness = await self._rpc.step(read_readiness)
        except ChainUnavailable as exc:
            raise NotReady(f"{self.name}: {exc.message}") from exc
        self.refused_kinds = {} if readiness.refusal is None else {deposits.KIND: readiness.refusal}
        lacking = await asyncio.gather(*map(self._prepare, self._rpc.endpoints))
        if None not in lacking:
            raise NotReady(f"{self.name}: {'; '.join(map(str, lacking))}")

    def parse_address(self, text: str) -> Address:
        """Return the EIP-55 spelling; token contracts are refused, because what is sent to one is lost."""
        address = addresses.parse(text)
        token = self._contracts.get(address.lower())
        if token is not None:
            raise InvalidAddress(address, f"this is the contract of {token.symbol} itself: money that is sent there is lost")
        return address

    def parse_wallet(self, kind: str, value: str | Sequence[str]) -> WalletMaterial:
        """Return an account-level xpub, a treasury with a tag of its own, or a list of addresses, each used for one invoice."""
        if kind not in {"xpub", deposits.KIND}:
            return super().parse_wallet(kind, value)
        if not isinstance(value, str):
            raise InvalidInput("an xpub or a treasury is one text", field="value")
        if kind == "xpub":
            return WalletMaterial(kind, derivation.check_xpub(value))
        treasury = Treasury.new(value)
        self.parse_address(treasury.address)
        return WalletMaterial(kind, str(treasury))

    def show_wallet(self, wallet: WalletMaterial) -> WalletView | None:
        """Return a treasury's address, with the recovery line by which its deposits are found again."""
        if wallet.kind != deposits.KIND:
            return None
        return WalletView(Treasury.read(wallet.value).address, recovery=wallet.value, followed=True)

    async def issue(self, wallet: WalletMaterial, ref: Reference) -> Destination:
        """Return the address at ``0/index`` of the account, the treasury's deposit at the index, or the one at the index in the list."""
        if wallet.kind in self.refused_kinds:
            raise NoDestination(f"{self.name} cannot take payments to a {wallet.kind}: {self.refused_kinds[wallet.kind]}")
        if wallet.kind == "xpub":
            return Destination(derivation.deposit_address(wallet.value, ref.index))
        if wallet.kind == deposits.KIND:
            return Destination(Treasury.read(wallet.value).deposit(ref.index))
        if wallet.kind != "addresses":
            raise NoDestination(f"{self.name} takes wallets of kind {', '.join(self.wallet_kinds)}")
        listed = json.loads(wallet.value)
        if not 0 <= ref.index < len(listed):
            raise NoDestination(f"all {len(listed)} addresses of the wallet are used: add another list, or an xpub, which never ends")
        return Destination(self.parse_address(listed[ref.index]))

    async def tip(self) -> Tip:
        """Return the newest block, and the finalized height where some amount's finality depends on it."""
        tip = await self._tips.newest()
        if self._guard.due:
            # What is refused stays as it is while nobody answers.
            with contextlib.suppress(ChainUnavailable, TimeoutError):
                async with asyncio.timeout(_GUARD_SECONDS):
                    self.refused = await self._rpc.step(self._guard.look)
        return tip

    async def block(self, height: int) -> Block | None:
        """Return the block at a height, or None where the endpoint does not have it."""

        async def ask(endpoint: Endpoint) -> Block | None:
            (answer,) = await endpoint.ask([Call("eth_getBlockByNumber", (hex(height), False))])
            if answer is None:
                return None
            header = decoding.header(answer, full=False)
            if header.height != height:
                raise ChainUnavailable(f"{endpoint.label} answered with another block")
            return Block(header.height, header.hash, header.time)

        return await self._rpc.step(ask)

    async def scan(self, watched: Watchlist, after: Block, until: Block) -> Scan:
        """Return what arrived above ``after``, as far as one batch bears; see ``Chain.scan``."""
        return await self._look(watched, after, until)

    async def second_look(self, watched: Watchlist, after: Block, until: Block, first: str) -> Scan | None:
        """Return what another endpoint than ``first`` finds in a range, or None where there is none that can be expected to answer."""
        others = [self._rpc.standing(endpoint) for endpoint in self._rpc.endpoints if endpoint.label != first]
        if not any(each.expected for each in others):
            return None
        return await self._look(watched, after, until, avoid=(first,))

    async def corroborate(self, transfers: Sequence[Transfer]) -> Mapping[tuple[ChainId, str, str, AssetId], Testimony]:
        """Return what two endpoints, or the most of them where they differ, say of each transfer."""
        return await self._court.corroborate(transfers)

    def sources(self) -> Sequence[Source]:
        """Return the endpoints."""
        return self._rpc.sources()

    async def _look(self, watched: Watchlist, after: Block, until: Block, *, avoid: tuple[str, ...] = ()) -> Scan:
        reading: Endpoint | None = None

        async def look(endpoint: Endpoint) -> Scan:
            nonlocal reading
            reading = endpoint
            able = asked = await self._abilities.of(endpoint)
            wanted = until.height - after.height
            while True:
                span = max(min(able.span.blocks, wanted), 1)
                try:
                    result = await self._scanner.look(endpoint, able, watched, after, until, span)
                except NodeError:
                    # Nodes limit ranges, results and time in words of their own: any error may mean that the range is too large.
                    if able.span.refused(span):
                        continue
                    if able is not asked:
                        raise
                    # Or that the endpoint is another node by now, which does not have a method that is counted on.
                    self._abilities.doubt(endpoint)
                    able = await self._abilities.of(endpoint)
                except ChainUnavailable:
                    able.span.failed(span)  # too large an answer is one of the reasons
                    raise
                else:
                    able.span.succeeded(result.cursor.height - after.height)
                    return result

        try:
            return await self._rpc.step(look, avoid=avoid)
        except CursorOrphaned:
            assert reading is not None
            await self._court.confirm_orphaned(reading, after)
            self._tips.doubt(after)
            raise
        except ChainUnavailable:
            self._tips.doubt(until)
            raise

    async def inspect(self, tx: str, watched: Watchlist) -> Inspection | None:
        """Return what became of a transaction: what it brought is what a scan of its block finds, by whichever means that has."""
        identity = transaction_hash(tx)
        seen = await self._rpc.step(lambda endpoint: self._inspector.look(endpoint, identity, watched))
        for endpoint in self._rpc.endpoints if seen is None else ():
            # One that does not know it may be behind, or may have forgotten it.
            with contextlib.suppress(ChainUnavailable):
                seen = seen or await self._inspector.look(endpoint, identity, watched)
        if seen is None:
            return None
        found: tuple[Transfer, ...] = ()
        if watched and seen.block and seen.parent and not seen.failed:
            scan = await self.scan(watched, seen.parent, seen.block)
            found = tuple(each for each in scan.transfers if each.tx == identity or (each.by_balance and each.to.address in seen.named))
        confirmed = {each.index for each in found}
        ignored = (*seen.ignored, *(each for each in seen.claimed if each.index not in confirmed))
        return Inspection(identity, seen.block, seen.failed, found, ignored if watched else (), seen.named)

    def through(self, source: str) -> EvmChain:
        """Return a driver that asks one of the configured endpoints, and no other."""
        for url, endpoint in zip(self._network.rpc, self._rpc.endpoints, strict=True):
            if endpoint.label == source:
                return EvmChain(replace(self._network, rpc=(url,)), self._http, self._clock)
        known = ", ".join(each.label for each in self._rpc.endpoints)
        raise InvalidInput(f"{self.name} has no endpoint {source[:80]!r}; it has {known}", field="provider")

    async def balances(
        self, destinations: Collection[Destination], assets: Collection[AssetId], at: Block
    ) -> Mapping[tuple[Destination, AssetId], int]:
        """Return what lies at each destination in a block, without what is zero; 10,000 of them cost one call for each asset."""
        by_address = {spelling(each): each for each in destinations}
        packed = pack(by_address)

        async def ask(endpoint: Endpoint) -> dict[tuple[Destination, AssetId], int]:
            able = await self._abilities.of(endpoint)
            if able.reader is None:
                raise ChainUnavailable(f"{endpoint.label} does not let balances be read")
            found: dict[tuple[Destination, AssetId], int] = {}
            for asset in assets:
                (units,) = await read_balances(endpoint, able.reader, contract_of(asset) or NATIVE, [(at, packed)])
                found.update({(by_address[address], asset): amount for address, amount in units.items()})
            # Nodes may keep the states of blocks that have left the chain.
            (answer,) = await endpoint.ask([Call("eth_getBlockByNumber", (hex(at.height), False))])
            if answer is None or decoding.header(answer, full=False).hash != at.hash:
                raise ChainUnavailable(f"block {at.height} was replaced")
            return found

        return await self._rpc.step(ask) if by_address else {}

    def wake(self) -> AsyncIterator[None] | None:
        """Return hints that there is a new block, where the network has WebSocket endpoints."""
        return self._heads.hints() if self._network.ws else None

    def payment_uri(self, request: PaymentRequest) -> str | None:
        """Return an ERC-681 URI."""
        return links.payment_uri(self._network, request)

    async def payment_request(self, request: PaymentRequest, payer: Address) -> UnsignedTransaction | None:
        """Return what ``eth_sendTransaction`` takes, without fees, which the wallet knows best, and other ways to ask for it."""
        payload = links.transaction(self._network, request)
        if payload is None:
            return None
        payload = {"from": payer, **payload}
        return UnsignedTransaction("eip155", payload, links.requests(self._network, payload))

    def explorer_url(self, transfer: Transfer) -> str | None:
        """Return the transaction's page in the network's explorer, where one is configured."""
        if self._network.explorer is None or not transfer.tx.startswith("0x"):
            return None
        return f"{self._network.explorer}/tx/{transfer.tx}"

    async def _prepare(self, endpoint: Endpoint) -> str | None:
        """Find out what an endpoint can do; return in words why it cannot be used, or None."""
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await self._abilities.of(endpoint)
        except ChainUnavailable as exc:
            return exc.message
        except TimeoutError:
            return f"{endpoint.label} took too long"
        return None
