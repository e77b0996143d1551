"""The probe: what an endpoint can do, found out by asking, in two batches where the node is an ordinary one.

A method that is missing or refused is a capability that the endpoint does not have. An endpoint that fails has shown nothing.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pepay_core.api import Block, ChainUnavailable
from pepay_evm import balances, decoding, tracing
from pepay_evm.balances import NATIVE, Reader, Way
from pepay_evm.capabilities import Capabilities
from pepay_evm.events import Source
from pepay_evm.rpc import Call, NodeError, RateLimited
from pepay_evm.tracing import Trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pepay_evm.decoding import Header
    from pepay_evm.events import Events
    from pepay_evm.rpc import Endpoint

RANGES: Final = (1, 10, 100, 500, 1000, 2000)
"""The numbers of blocks for which events are asked; more at once would be of no use."""

# An address and a topic that no event has: the question is about the range, and the answer should be short.
_NOBODY: Final = "0x00000000000000000000000000000000000a11ce"
_NOTHING: Final = "0x" + "5a" * 32


async def probe(endpoint: Endpoint, events: Events) -> Capabilities:
    """Return what an endpoint can do; raises ChainUnavailable where it fails."""
    latest, finalized = await endpoint.ask([Call("eth_getBlockByNumber", ("latest", False)), _lenient("eth_getBlockByNumber", "finalized", False)])
    if latest is None:
        raise ChainUnavailable(f"{endpoint.label} has no blocks")
    header = decoding.header(latest, full=False)
    block = Block(header.height, header.hash, header.time)
    # Somebody who probably owns something: whether balances are read from the right block shows by comparison.
    canary = decoding.data(latest["miner"], length=20) if latest.get("miner") else NATIVE
    readers = [Reader(way, by_hash=False) for way in Way]
    ranges = [RANGES[0], *(blocks for blocks in RANGES[1:] if blocks <= block.height + 1)]

    native = [
        tracing.trace_call(Trace.FLAT, block.height),
        Call("eth_getBalance", (canary, hex(block.height))),
        Call("eth_call", ({"to": canary}, {"blockHash": block.hash})),
        *(call for reader in readers for call in balances.calls(reader, NATIVE, canary[2:], block)),
    ]
    told, by_range, receipts, by_block = await _ask(
        endpoint,
        native,
        [
            *events.calls(Source.RANGE, range(block.height, block.height + 1)),
            *(_nothing(block.height - blocks + 1, block.height) for blocks in ranges[1:]),
        ],
        events.calls(Source.RECEIPTS, range(block.height, block.height + 1)),
        [events.of_block(block.hash)],
    )
    flat, owned, pinned, *read = told
    trace = Trace.FLAT if _traces(Trace.FLAT, header, flat) else await _tree(endpoint, header)
    way = next((reader.way for reader, answer in zip(readers, read, strict=True) if _reads(reader, canary, answer, owned)), None)
    shown = {Source.RANGE: by_range[0], Source.RECEIPTS: receipts[0], Source.BLOCK: by_block[0]}
    source = next((each for each, answer in shown.items() if isinstance(answer, list)), None)
    return Capabilities(
        head=block,
        trace=trace,
        way=way,
        by_hash=way is not None and not _refused(pinned),
        source=source,
        log_range=max(blocks for blocks, answer in zip(ranges, by_range, strict=True) if isinstance(answer, list))
        if source is Source.RANGE
        else None,
        finalized=isinstance(finalized, dict),
    )


async def _ask(endpoint: Endpoint, native: Sequence[Call], *events: Sequence[Call]) -> list[list[Any]]:
    """Return the answers to each group of calls: from one batch, or from one batch for each group where the node limits a method.

    Some endpoints have a limit of zero on a way to read events that they do not want to serve: it is one that they do not have.
    """
    groups = [[_lenient(call.method, *call.params) for call in group] for group in (native, *events)]
    with suppress(RateLimited):
        answers = iter(await endpoint.ask([call for group in groups for call in group]))
        return [[next(answers) for _ in group] for group in groups]
    found = [await endpoint.ask(groups[0])]
    for group in groups[1:]:
        try:
            found.append(await endpoint.ask(group))
        except RateLimited:
            found.append([None] * len(group))
    return found


async def _tree(endpoint: Endpoint, header: Header) -> Trace | None:
    """Return whether transactions can be traced one by one: a dear question, asked only where there is no cheaper one."""
    call = tracing.trace_call(Trace.TREE, header.height)
    (tree,) = await endpoint.ask([_lenient(call.method, *call.params)])
    return Trace.TREE if _traces(Trace.TREE, header, tree) else None


def _lenient(method: str, *params: Any) -> Call:
    return Call(method, params, lenient=True)


def _nothing(first: int, last: int) -> Call:
    return Call("eth_getLogs", ({"fromBlock": hex(first), "toBlock": hex(last), "address": _NOBODY, "topics": [_NOTHING]},))


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


def _refused(answer: Any) -> bool:
    """Tell whether a block's hash was refused as a parameter: a call that was made, and failed, was not refused."""
    return isinstance(answer, NodeError) and "revert" not in answer.message.lower()
