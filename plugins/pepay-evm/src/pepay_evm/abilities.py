"""What an endpoint can do, found out by asking: at the start, and again whenever it comes back after a failure."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pepay_core.api import Block, ChainUnavailable
from pepay_evm import balances, decoding, tracing
from pepay_evm.balances import NATIVE, Reader, Way
from pepay_evm.events import Source
from pepay_evm.rpc import Call, NodeError, RateLimited
from pepay_evm.tracing import Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_evm.decoding import Header
    from pepay_evm.events import Events
    from pepay_evm.ranges import Span
    from pepay_evm.rpc import Endpoint


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The native balances of some addresses in a block: those that are not zero, and which addresses were read."""

    members: frozenset[str]
    units: Mapping[str, int]


@dataclass(slots=True)
class Abilities:
    """What is known of one endpoint. ``kept`` holds the latest balances by block hash.

    ``stale`` asks for another probe, and so does a failure of the endpoint since the last one, by ``losses``: how often it had failed.
    """

    trace: Trace | None
    reader: Reader | None
    source: Source
    span: Span
    stale: bool = False
    losses: int = 0
    kept: OrderedDict[str, Snapshot] = field(default_factory=OrderedDict[str, Snapshot])

    @property
    def native(self) -> str:
        """How native coin that contracts send is found, for people."""
        return self.trace or (f"balances by {self.reader.way}" if self.reader else "nothing")

    def keep(self, block: str, snapshot: Snapshot) -> None:
        """Remember the balances of a block; those of the block before stay, because a look may fail and be made again."""
        self.kept[block] = snapshot
        while len(self.kept) > 2:
            self.kept.popitem(last=False)


async def find_out(endpoint: Endpoint, events: Events, span: Span) -> Abilities:
    """Return what an endpoint can do; raises ChainUnavailable where that is not enough to miss nothing."""
    (latest,) = await endpoint.ask([Call("eth_getBlockByNumber", ("latest", False))])
    if latest is None:
        raise ChainUnavailable(f"{endpoint.label} has no blocks")
    header = decoding.header(latest, full=False)
    block = Block(header.height, header.hash, header.time)
    # Somebody who probably owns something: whether balances are read from the right block shows by comparison.
    canary = decoding.data(latest["miner"], length=20) if latest.get("miner") else NATIVE
    height = hex(block.height)
    by_hash = {"blockHash": block.hash}

    readers = [Reader(way, by_hash=False) for way in Way]
    asked = [
        tracing.trace_call(Trace.FLAT, block.height),
        Call("eth_getBalance", (canary, height)),
        Call("eth_call", ({"to": canary}, by_hash)),
        *(call for reader in readers for call in balances.calls(reader, NATIVE, canary[2:], block)),
    ]
    answers = await endpoint.ask([Call(each.method, each.params, lenient=True) for each in asked])
    flat, owned, pinned, *read = answers
    trace = Trace.FLAT if _traces(Trace.FLAT, header, flat) else None
    if trace is None:
        (tree,) = await endpoint.ask([_lenient(tracing.trace_call(Trace.TREE, block.height))])
        trace = Trace.TREE if _traces(Trace.TREE, header, tree) else None
    usable = (reader for reader, answer in zip(readers, read, strict=True) if _reads(reader, canary, answer, owned))
    reader = next(usable, None)
    if reader is not None:
        reader.by_hash = not _refused(pinned)
    if trace is None and reader is None:
        raise ChainUnavailable(f"{endpoint.label} lets neither transactions be traced nor balances be read: use another endpoint")

    return Abilities(trace, reader, await _source(endpoint, events, block), span)


async def _source(endpoint: Endpoint, events: Events, block: Block) -> Source:
    """Return where events are read, the cheapest first."""
    heights = range(block.height, block.height + 1)
    by_block = Call("eth_getLogs", ({"blockHash": block.hash, **events.filter},))
    ways = {Source.RANGE: events.calls(Source.RANGE, heights), Source.RECEIPTS: events.calls(Source.RECEIPTS, heights), Source.BLOCK: [by_block]}
    for source, (call,) in ways.items():
        # One by one, because some endpoints have a limit of zero on a method that they do not want to serve.
        with suppress(RateLimited):
            (answer,) = await endpoint.ask([_lenient(call)])
            if isinstance(answer, list):
                return source
    raise ChainUnavailable(f"{endpoint.label} has eth_getLogs disabled, and no eth_getBlockReceipts either: use another endpoint")


def _lenient(call: Call) -> Call:
    return Call(call.method, call.params, lenient=True)


def _traces(trace: Trace, header: Header, answer: Any) -> bool:
    if not isinstance(answer, list):
        return False
    try:
        tracing.moves(trace, header, answer)
    except ChainUnavailable:
        return False
    return True


def _reads(reader: Reader, canary: str, answer: Any, owned: Any) -> bool:
    try:
        found = balances.understood(reader, canary[2:], [answer])
        return found is not None and found.get(canary, 0) == decoding.quantity(owned)
    except ChainUnavailable:
        return False
    finally:
        reader.size = reader.way.most


def _refused(answer: Any) -> bool:
    """Tell whether a block's hash was refused as a parameter: a call that was made, and failed, was not refused."""
    return isinstance(answer, NodeError) and "revert" not in answer.message.lower()
