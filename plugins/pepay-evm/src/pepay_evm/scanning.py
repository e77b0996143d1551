"""One look at a range of blocks: what arrived at the watched addresses, proven from headers to receipts, or an error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pepay_core.api import BALANCE, AssetId, Block, ChainUnavailable, CursorOrphaned, Scan, Transfer
from pepay_evm import decoding, tracing
from pepay_evm.addresses import checksummed
from pepay_evm.balances import CALLS_AT_ONCE
from pepay_evm.decoding import TRANSFER, Header, Log, Malformed, Receipt
from pepay_evm.deltas import Flows
from pepay_evm.departures import Departures
from pepay_evm.events import SYSTEM, Events
from pepay_evm.natives import Concern, Untraced, listed, traced
from pepay_evm.rpc import Call
from pepay_evm.tracing import trace_call
from pepay_evm.verifying import Verifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pepay_core.api import Destination, Watchlist
    from pepay_evm.abilities import Abilities
    from pepay_evm.networks import Network
    from pepay_evm.rpc import Endpoint

_HEADERS_KEPT: Final = 64
_WORD: Final = 66
# The order inside a transaction, and behind all transactions of a block.
_CARRIED: Final = 0
_INNER: Final = 1
_EVENT: Final = 2
_LAST: Final = 2**32


@dataclass(frozen=True, slots=True)
class _Found:
    """A transfer with its place in the chain's order."""

    place: tuple[int, int, int, int]
    transfer: Transfer


class Scanner:
    """Looks for the assets of one network."""

    def __init__(self, network: Network, assets: Mapping[str, AssetId]) -> None:
        self._network = network
        self._assets = {**assets, SYSTEM: network.native.id}
        self._verifier = Verifier(network)
        self._departures = Departures(network.id, network.native.id, assets)
        self.events = Events(network.contracts)
        self._untraced = Untraced()

    async def look(self, endpoint: Endpoint, able: Abilities, watched: Watchlist, after: Block, until: Block, span: int) -> Scan:
        """Return what arrived in the ``span`` blocks above ``after``, or fewer where ``until`` is nearer.

        One request reads the headers, the events, and the traces or the balances; only what concerns us is asked for again.
        """
        trace, source = able.shown.trace, able.shown.source
        assert source is not None
        last = min(until.height, after.height + span)
        heights = range(after.height + 1, last + 1)
        destinations = watched.by(spelling)
        calls = [Call("eth_getBlockByNumber", (hex(after.height), False))]
        calls += [Call("eth_getBlockByNumber", (hex(height), trace is None)) for height in heights]
        before_events = len(calls)
        calls += self.events.calls(source, heights) if heights else []
        before_natives = len(calls)
        natives = self._native_calls(able, watched, destinations, heights, until)
        answers = await endpoint.ask([*calls, *(natives or ())])

        _check_cursor(endpoint, after, answers[0])
        if not heights:
            if until.height == after.height and until.hash != after.hash:
                raise ChainUnavailable(f"block {until.height} was replaced")
            return Scan(after, source=endpoint.label)
        headers = _chained(endpoint, after, heights, answers[1:before_events], full=trace is None)
        if last == until.height and headers[-1].hash != until.hash:
            raise ChainUnavailable(f"block {until.height} was replaced")
        blocks = tuple(Block(each.height, each.hash, each.time) for each in headers)

        logs = await self.events.read(endpoint, source, headers, answers[before_events:before_natives])
        departures = await self._departures.read(endpoint, headers, logs)
        if trace is not None:
            moves = [tracing.moves(trace, header, answer) for header, answer in zip(headers, answers[before_natives:], strict=True)]
            found, _ = await self._transfers(endpoint, traced(headers, moves, destinations), headers, logs, destinations)
        else:
            found, flows = await self._transfers(endpoint, listed(headers, destinations), headers, logs, destinations)
            for each in departures:
                if each.asset == self._network.native.id:
                    flows.add(spelling(each.source), each.block.height, -each.units)
            if destinations:
                balances = None if natives is None else answers[before_natives:]
                arrived = await self._untraced.arrivals(endpoint, able, watched, destinations, (after, *blocks), balances, flows)
                found += self._by_balance(arrived, headers, destinations)
        transfers = tuple(each.transfer for each in sorted(found, key=lambda each: each.place))
        transfers = await self._verifier.verified(endpoint, headers, logs, transfers)
        return Scan(blocks[-1], blocks[-_HEADERS_KEPT:], transfers, departures, endpoint.label)

    def _native_calls(
        self, able: Abilities, watched: Watchlist, destinations: Mapping[str, Destination], heights: range, until: Block
    ) -> list[Call] | None:
        """Return what finds native coin, or None where it can only be asked when the range's last block is known."""
        if not heights:
            return []
        if able.shown.trace is not None:
            return [trace_call(able.shown.trace, height, until.hash if height == until.height else None) for height in heights]
        known = heights[-1] == until.height or (able.reader is not None and not able.reader.by_hash)
        calls = self._untraced.calls(able, watched, destinations, replace(until, height=heights[-1])) if known else None
        return calls if calls is not None and len(calls) <= CALLS_AT_ONCE else None

    async def _transfers(
        self,
        endpoint: Endpoint,
        concerns: dict[str, Concern],
        headers: Sequence[Header],
        logs: Sequence[Log],
        destinations: Mapping[str, Destination],
    ) -> tuple[list[_Found], Flows]:
        """Return what the transactions brought, and what they explain of the balances."""
        by_hash = {header.hash: header for header in headers}
        wanted: dict[str, list[Log]] = {}
        for log in logs:
            if self._arrival(log, destinations):
                concerns.setdefault(log.transaction, Concern(by_hash[log.block]))
                wanted.setdefault(log.transaction, []).append(log)
        flows = Flows()
        for header in headers:
            for address, units in header.minted:
                flows.add(address, header.height, units)
        self._spent(concerns, logs, destinations, flows)

        found: list[_Found] = []
        receipts = await endpoint.ask([Call("eth_getTransactionReceipt", (each,)) for each in concerns]) if concerns else []
        for (identity, concern), raw in zip(concerns.items(), receipts, strict=True):
            if raw is None:
                raise ChainUnavailable(f"{endpoint.label} has no receipt for a transaction that it lists")
            receipt = decoding.receipt(raw)
            header = concern.header
            if (receipt.transaction, receipt.block) != (identity, header.hash) or any(log not in receipt.logs for log in wanted.get(identity, ())):
                raise ChainUnavailable(f"{endpoint.label} contradicts itself about a transaction")
            if concern.leaving is not None:
                spent = decoding.spent(concern.leaving, raw, succeeded=receipt.succeeded)
                flows.add(decoding.data(concern.leaving.get("from"), length=20), header.height, -spent)
            if receipt.succeeded:
                found += self._arrivals(concern, receipt, destinations)
        for each in found:
            if each.transfer.asset == self._network.native.id:
                flows.add(spelling(each.transfer.to), each.transfer.block.height, each.transfer.units)
        # What an address sends to itself explains its balance, and has not arrived.
        return [each for each in found if (each.transfer.sender or "").lower() != spelling(each.transfer.to)], flows

    def _spent(self, concerns: Mapping[str, Concern], logs: Sequence[Log], destinations: Mapping[str, Destination], flows: Flows) -> None:
        """Enter the native coin that events say has left watched addresses, without what their own transactions carry."""
        carried = {
            (identity, decoding.recipient(concern.leaving), decoding.quantity(concern.leaving.get("value")))
            for identity, concern in concerns.items()
            if concern.leaving is not None
        }
        for log in logs:
            move = _moved(log) if log.address == SYSTEM else None
            if move is None or move[0] not in destinations:
                continue
            sender, to, units = move
            if (log.transaction, to, units) in carried:
                carried.discard((log.transaction, to, units))
            else:
                flows.add(sender, log.height, -units)

    def _arrivals(self, concern: Concern, receipt: Receipt, destinations: Mapping[str, Destination]) -> list[_Found]:
        """Return everything that one successful transaction brought, each under the index that it has whatever is watched."""
        header, transaction = concern.header, concern.transaction
        block = Block(header.height, header.hash, header.time)

        def arrived(kind: int, ordinal: int, asset: AssetId, to: str, units: int, sender: str) -> _Found:
            index = f"t{ordinal}" if kind == _INNER else str(ordinal)
            transfer = Transfer(self._network.id, receipt.transaction, index, asset, destinations[to], units, block, sender=checksummed(sender))
            return _Found((header.height, receipt.position, kind, ordinal), transfer)

        found: list[_Found] = []
        native = self._network.native.id
        if transaction and transaction.to is not None:
            found.append(arrived(_CARRIED, 0, native, transaction.to, transaction.value, transaction.sender))
        logged = any(log.address == SYSTEM for log in receipt.logs)
        if not logged:
            # Where the network logs every native transfer, the events tell of the inner ones too: one name for each is enough.
            found += [arrived(_INNER, each.ordinal or 0, native, each.to, each.units, each.sender) for each in concern.inner]
        repeated = transaction
        for position, log in enumerate(receipt.logs):
            arrival = self._arrival(log, destinations)
            if arrival is None:
                continue
            sender, to, units = arrival
            if repeated and log.address == SYSTEM and (sender, to, units) == (repeated.sender, repeated.to, repeated.value):
                # EIP-7708 logs the top-level value too, which has been counted already.
                repeated = None
                continue
            found.append(arrived(_EVENT, 1 + position, self._assets[log.address], to, units, sender))
        return found

    def _by_balance(
        self, arrived: Iterable[tuple[Block, str, int]], headers: Sequence[Header], destinations: Mapping[str, Destination]
    ) -> list[_Found]:
        """Return what only balances tell of. What the producer of a block has more of is that block's reward, or cannot be told from it."""
        producers = {header.height: header.producer for header in headers}
        return [
            _Found(
                (block.height, _LAST, 0, 0),
                Transfer(
                    self._network.id,
                    f"{BALANCE}{destinations[address].address}:{block.hash}",
                    "0",
                    self._network.native.id,
                    destinations[address],
                    units,
                    block,
                ),
            )
            for block, address, units in arrived
            if address in destinations and producers[block.height] != address
        ]

    def _arrival(self, log: Log, destinations: Mapping[str, Destination]) -> tuple[str, str, int] | None:
        """Return sender, recipient and units of an event that says that something of ours arrived, or None.

        Contracts can emit what they like: only the registered ones count, and only the exact form of an ERC-20 transfer. What an
        address sends to itself has not arrived.
        """
        moved = _moved(log) if log.address in self._assets else None
        return moved if moved is not None and moved[1] in destinations and moved[0] != moved[1] else None


def _moved(log: Log) -> tuple[str, str, int] | None:
    """Return sender, recipient and units of an event in the exact form of an ERC-20 transfer; ERC-721 has the same first topic and a fourth."""
    if len(log.topics) != 3 or log.topics[0] != TRANSFER or len(log.data) != _WORD:
        return None
    sender, to = (_address_in(topic) for topic in log.topics[1:])
    units = int(log.data, 16)
    return (sender, to, units) if sender is not None and to is not None and units else None


def spelling(destination: Destination) -> str:
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


def _chained(endpoint: Endpoint, after: Block, heights: range, answers: Sequence[object], *, full: bool) -> list[Header]:
    """Return the headers of a range, each the child of the one before, from ``after`` on."""
    headers: list[Header] = []
    parent = after.hash
    for height, answer in zip(heights, answers, strict=True):
        if answer is None:
            raise ChainUnavailable(f"{endpoint.label} does not know block {height}")
        header = decoding.header(answer, full=full)
        if header.height != height or header.parent != parent:
            raise ChainUnavailable(f"{endpoint.label} changed its chain while it was read")
        headers.append(header)
        parent = header.hash
    return headers
