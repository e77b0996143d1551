"""Native coin of a range: what transactions carry, what contracts send, and what only balances tell of.

Where the endpoint traces, its traces hold all of it, and blocks are read without the content of their transactions. Where it does not,
balances tell what arrived between two blocks, and blocks are read in full: without them, what arrived by a transaction and was
spent by another before anyone looked would leave no trace in a balance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pepay_core.api import Block, ChainUnavailable
from pepay_evm import balances, decoding, deltas
from pepay_evm.abilities import Snapshot
from pepay_evm.balances import NATIVE
from pepay_evm.decoding import Transaction

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pepay_core.api import Destination, Watchlist
    from pepay_evm.abilities import Abilities
    from pepay_evm.decoding import Header
    from pepay_evm.deltas import Flows
    from pepay_evm.rpc import Call, Endpoint
    from pepay_evm.tracing import Move


@dataclass(slots=True)
class Concern:
    """A transaction that concerns a watched address.

    ``transaction`` is there when it carries native coin to one, ``inner`` are the moves inside it that do, and ``leaving`` is its raw
    listing when a watched address sent it.
    """

    header: Header
    transaction: Transaction | None = None
    inner: list[Move] = field(default_factory=list["Move"])
    leaving: Any = None


def traced(headers: Sequence[Header], moves: Sequence[Iterable[Move]], destinations: Mapping[str, Destination]) -> dict[str, Concern]:
    """Return the transactions that brought native coin, by the moves of each block."""
    found: dict[str, Concern] = {}
    for header, of_block in zip(headers, moves, strict=True):
        for move in of_block:
            if move.to not in destinations:
                continue
            concern = found.setdefault(move.transaction, Concern(header))
            if move.ordinal is None:
                concern.transaction = Transaction(move.transaction, move.sender, move.to, move.units)
            elif move.sender != move.to:
                concern.inner.append(move)
    return found


def listed(headers: Sequence[Header], destinations: Mapping[str, Destination]) -> dict[str, Concern]:
    """Return the transactions of full blocks that carry native coin to a watched address, or that one has sent."""
    found: dict[str, Concern] = {}
    for header in headers:
        for raw in header.transactions:
            arrives, leaves = decoding.recipient(raw) in destinations, decoding.initiator(raw) in destinations
            if not arrives and not leaves:
                continue
            transaction = decoding.listed_transaction(raw, block=header.hash)
            if leaves or transaction.value:
                carries = arrives and transaction.value > 0
                found[transaction.hash] = Concern(header, transaction if carries else None, leaving=raw if leaves else None)
    return found


@dataclass(frozen=True, slots=True)
class _Packed:
    """The watched addresses as they go over the wire, made once for each state of the list."""

    revision: int
    text: str
    members: frozenset[str]


class Untraced:
    """Finds native coin that contracts sent, by the balances at both ends of a range."""

    def __init__(self) -> None:
        self._packed: WeakKeyDictionary[Watchlist, _Packed] = WeakKeyDictionary()

    def calls(self, able: Abilities, watched: Watchlist, destinations: Mapping[str, Destination], last: Block) -> list[Call]:
        """Return the calls that read all balances in the last block of a range, for the batch that reads the range."""
        assert able.reader is not None
        return balances.calls(able.reader, NATIVE, self._pack(watched, destinations).text, last)

    async def arrivals(
        self,
        endpoint: Endpoint,
        able: Abilities,
        watched: Watchlist,
        destinations: Mapping[str, Destination],
        blocks: Sequence[Block],
        answers: Sequence[Any] | None,
        flows: Flows,
    ) -> list[tuple[Block, str, int]]:
        """Return what arrived without a transaction that could be named.

        ``blocks`` is the range, beginning with the block before it; ``answers`` are those to :meth:`calls`, where they were asked.
        """
        reader = able.reader
        if reader is None:
            raise ChainUnavailable(f"{endpoint.label} does not let balances be read")
        packed = self._pack(watched, destinations)
        before, last = blocks[0], blocks[-1]

        async def read(wanted: Sequence[tuple[Block, Collection[str]]]) -> list[dict[str, int]]:
            return await balances.read(endpoint, reader, NATIVE, [(block, balances.pack(addresses)) for block, addresses in wanted])

        found = None if answers is None else balances.understood(reader, packed.text, answers)
        if found is None:
            (now,) = await balances.read(endpoint, reader, NATIVE, [(last, packed.text)])
        else:
            now = await balances.exact(endpoint, reader, NATIVE, last, found)
        able.keep(last.hash, Snapshot(packed.members, now))

        kept = able.kept.get(before.hash, Snapshot(frozenset(), {}))
        suspects = {*now, *flows.addresses, *(address for address in kept.units if address in packed.members)}
        new = [address for address in suspects if address not in kept.members]
        then = dict(kept.units)
        if new:
            (more,) = await read([(before, new)])
            then.update(more)
        odd = [address for address in suspects if then.get(address, 0) != now.get(address, 0) or address in flows.addresses]
        return await deltas.arrivals(read, blocks, flows, then, now, odd)

    def _pack(self, watched: Watchlist, destinations: Mapping[str, Destination]) -> _Packed:
        packed = self._packed.get(watched)
        if packed is None or packed.revision != watched.revision:
            packed = self._packed[watched] = _Packed(watched.revision, balances.pack(destinations), frozenset(destinations))
        return packed
