"""One look at a range of blocks: what arrived at the watched addresses, proven from headers to receipts, or an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pepay_core.api import AssetId, Block, ChainUnavailable, CursorOrphaned, Scan, Transfer
from pepay_evm import blooms, decoding
from pepay_evm.addresses import checksummed
from pepay_evm.decoding import TRANSFER, Header, Log, Malformed, Receipt, Transaction
from pepay_evm.departures import FACTORY, FLUSHED, Departures
from pepay_evm.rpc import Call
from pepay_evm.verifying import Verifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pepay_core.api import Destination, Watchlist
    from pepay_evm.networks import Network
    from pepay_evm.rpc import Endpoint

SYSTEM: Final = "0xfffffffffffffffffffffffffffffffffffffffe"
"""The address in whose name EIP-7708 logs transfers of the native coin, on networks that have it."""

_HEADERS_KEPT: Final = 64
_WORD: Final = 66


@dataclass(frozen=True, slots=True)
class _Found:
    """A transfer with its place in the chain's order."""

    place: tuple[int, int, int]
    transfer: Transfer


class Scanner:
    """Looks for the assets of one network."""

    def __init__(self, network: Network, assets: Mapping[str, AssetId]) -> None:
        self._network = network
        self._assets = {**assets, SYSTEM: network.native.id}
        self._verifier = Verifier(network)
        self._departures = Departures(network.id, network.native.id, assets)
        self._masks = {address: blooms.mask(address, TRANSFER) for address in self._assets} | {FACTORY: blooms.mask(FACTORY, FLUSHED)}
        self._filter = {"address": [*self._assets, FACTORY], "topics": [[TRANSFER, FLUSHED]]}

    async def look(self, endpoint: Endpoint, watched: Watchlist, after: Block, until: Block, span: int) -> Scan:
        """Return what arrived in the ``span`` blocks above ``after``, or fewer where ``until`` is nearer."""
        last = min(until.height, after.height + span)
        heights = range(after.height + 1, last + 1)
        calls = [Call("eth_getBlockByNumber", (hex(after.height), False))]
        calls += [Call("eth_getBlockByNumber", (hex(height), True)) for height in heights]
        if heights:
            calls.append(Call("eth_getLogs", ({"fromBlock": hex(heights[0]), "toBlock": hex(last), **self._filter},)))
        answers = await endpoint.ask(calls)

        _check_cursor(endpoint, after, answers[0])
        if not heights:
            if until.height == after.height and until.hash != after.hash:
                raise ChainUnavailable(f"block {until.height} was replaced")
            return Scan(after)
        headers = _chained(endpoint, after, heights, answers[1:-1])
        if last == until.height and headers[-1].hash != until.hash:
            raise ChainUnavailable(f"block {until.height} was replaced")

        destinations = watched.by(_spelling)
        logs = await self._logs(endpoint, headers, decoding.logs(answers[-1]))
        transfers = await self._transfers(endpoint, headers, logs, destinations)
        transfers = await self._verifier.verified(endpoint, {each.hash: each.parent for each in headers}, transfers)
        blocks = tuple(Block(each.height, each.hash, each.time) for each in headers)
        departures = await self._departures.read(endpoint, headers, logs)
        return Scan(blocks[-1], blocks[-_HEADERS_KEPT:], transfers, departures)

    async def _logs(self, endpoint: Endpoint, headers: Sequence[Header], logs: list[Log]) -> list[Log]:
        """Return the events of the range, asking again for those that a header promises and the answer leaves out."""
        by_height = {header.height: header for header in headers}
        for log in logs:
            block = by_height.get(log.height)
            if block is None or block.hash != log.block:
                raise ChainUnavailable(f"{endpoint.label} answered with events of another chain")
        answered = {(log.block, log.address) for log in logs}
        doubtful = [
            header
            for header in headers
            if any(blooms.may_hold(header.bloom, wanted) and (header.hash, address) not in answered for address, wanted in self._masks.items())
        ]
        if not doubtful:
            return logs
        again = await endpoint.ask([Call("eth_getLogs", ({"blockHash": header.hash, **self._filter},)) for header in doubtful])
        known = {(log.block, log.number) for log in logs}
        for header, answer in zip(doubtful, again, strict=True):
            for log in decoding.logs(answer):
                if (log.block, log.height) != (header.hash, header.height):
                    raise ChainUnavailable(f"{endpoint.label} answered with events of another block")
                if (log.block, log.number) not in known:
                    logs.append(log)
        return logs

    async def _transfers(
        self, endpoint: Endpoint, headers: Sequence[Header], logs: Sequence[Log], destinations: Mapping[str, Destination]
    ) -> tuple[Transfer, ...]:
        by_hash = {header.hash: header for header in headers}
        paying: dict[str, tuple[Header, Transaction | None]] = {}
        wanted: dict[str, list[Log]] = {}
        for header in headers:
            for raw in header.transactions:
                if decoding.recipient(raw) in destinations:
                    transaction = decoding.listed_transaction(raw, block=header.hash)
                    if transaction.value > 0:
                        paying[transaction.hash] = header, transaction
        for log in logs:
            if self._arrival(log, destinations):
                paying.setdefault(log.transaction, (by_hash[log.block], None))
                wanted.setdefault(log.transaction, []).append(log)
        if not paying:
            return ()

        receipts = await endpoint.ask([Call("eth_getTransactionReceipt", (each,)) for each in paying])
        found: list[_Found] = []
        for (identity, (header, transaction)), raw in zip(paying.items(), receipts, strict=True):
            if raw is None:
                raise ChainUnavailable(f"{endpoint.label} has no receipt for a transaction that it lists")
            receipt = decoding.receipt(raw)
            if (receipt.transaction, receipt.block) != (identity, header.hash) or any(log not in receipt.logs for log in wanted.get(identity, ())):
                raise ChainUnavailable(f"{endpoint.label} contradicts itself about a transaction")
            if receipt.succeeded:
                found += self._arrivals(header, transaction, receipt, destinations)
        return tuple(each.transfer for each in sorted(found, key=lambda each: each.place))

    def _arrivals(self, header: Header, transaction: Transaction | None, receipt: Receipt, destinations: Mapping[str, Destination]) -> list[_Found]:
        """Return everything that one successful transaction brought, each under the ordinal that it has whatever is watched."""
        block = Block(header.height, header.hash, header.time)

        def arrived(ordinal: int, asset: AssetId, to: str, units: int, sender: str) -> _Found:
            transfer = Transfer(
                self._network.id, receipt.transaction, str(ordinal), asset, destinations[to], units, block, sender=checksummed(sender)
            )
            return _Found((header.height, receipt.position, ordinal), transfer)

        found: list[_Found] = []
        repeated = False
        if transaction and transaction.to is not None and transaction.to in destinations and transaction.value > 0:
            found.append(arrived(0, self._network.native.id, transaction.to, transaction.value, transaction.sender))
            repeated = True
        for position, log in enumerate(receipt.logs):
            arrival = self._arrival(log, destinations)
            if arrival is None:
                continue
            sender, to, units = arrival
            if repeated and log.address == SYSTEM and transaction and (sender, to, units) == (transaction.sender, transaction.to, transaction.value):
                # EIP-7708 logs the top-level value too, which has been counted already.
                repeated = False
                continue
            found.append(arrived(1 + position, self._assets[log.address], to, units, sender))
        return found

    def _arrival(self, log: Log, destinations: Mapping[str, Destination]) -> tuple[str, str, int] | None:
        """Return sender, recipient and units of an event that says that something of ours arrived, or None.

        Contracts can emit what they like: only the registered ones count, and only the exact form of an ERC-20 transfer.
        ERC-721 has the same first topic and a fourth one. What an address sends to itself has not arrived.
        """
        if log.address not in self._assets or len(log.topics) != 3 or log.topics[0] != TRANSFER or len(log.data) != _WORD:
            return None
        sender, to = (_address_in(topic) for topic in log.topics[1:])
        units = int(log.data, 16)
        if sender is None or to is None or to not in destinations or sender == to or not units:
            return None
        return sender, to, units


def _spelling(destination: Destination) -> str:
    """Return an address as nodes write it."""
    return destination.address.lower()


def _address_in(topic: str) -> str | None:
    return None if int(topic[2:26], 16) else "0x" + topic[26:]


def _check_cursor(endpoint: Endpoint, after: Block, answer: object) -> None:
    """Insist that ``after`` is on the chain: another block in its place is a reorganisation, none at all is a node that lags or has pruned."""
    if answer is None:
        raise ChainUnavailable(f"{endpoint.label} does not know block {after.height}")
    header = decoding.header(answer, full=False)
    if header.height != after.height:
        raise Malformed(f"{endpoint.label} answered with another block")
    if header.hash != after.hash:
        raise CursorOrphaned(after)


def _chained(endpoint: Endpoint, after: Block, heights: range, answers: Sequence[object]) -> list[Header]:
    """Return the headers of a range, each the child of the one before, from ``after`` on."""
    headers: list[Header] = []
    parent = after.hash
    for height, answer in zip(heights, answers, strict=True):
        if answer is None:
            raise ChainUnavailable(f"{endpoint.label} does not know block {height}")
        header = decoding.header(answer, full=True)
        if header.height != height or header.parent != parent:
            raise ChainUnavailable(f"{endpoint.label} changed its chain while it was read")
        headers.append(header)
        parent = header.hash
    return headers
