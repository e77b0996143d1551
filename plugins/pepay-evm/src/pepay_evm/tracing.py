"""What a node's traces of a block say about native coin: every value that moved, also those that contracts sent.

Two kinds of traces are read, and both give the same moves under the same ordinals:

- ``trace_block``: one flat list of the block's calls;
- ``debug_traceBlock…`` with the ``callTracer``: one tree of calls for each transaction.

The ordinal of a move inside its transaction counts, from zero and in the order of execution, the inner calls, creations and
self-destructs that moved more than nothing and that no ancestor reverted. What the transaction itself carries has none. Calls to the
network's own programs are left out of the count, because some nodes do not list them, and so are calls without value, on which nodes
differ too. Nothing that is watched has any part in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from pepay_evm import decoding
from pepay_evm.decoding import Malformed
from pepay_evm.rpc import Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pepay_evm.decoding import Header

# Below this address are the programs that are built into networks (precompiles), not accounts.
_PROGRAMS: Final = 0x200


class Trace(StrEnum):
    """The method by which a node tells what happened inside the transactions of a block."""

    FLAT = "trace_block"
    TREE = "debug_traceBlockByNumber"


@dataclass(frozen=True, slots=True)
class Move:
    """Native coin that went from one address to another; ``ordinal`` is None for what a transaction itself carries."""

    transaction: str
    ordinal: int | None
    sender: str
    to: str
    units: int


@dataclass(frozen=True, slots=True)
class _Frame:
    depth: int
    failed: bool
    sender: Any = None
    to: Any = None
    units: Any = None


def trace_call(trace: Trace, height: int, block: str | None = None) -> Call:
    """Return the call that asks for a block's traces, by its hash where that is known and can be asked for."""
    if trace is Trace.FLAT:
        return Call(trace, (hex(height),))
    options = {"tracer": "callTracer"}
    return Call(trace, (hex(height), options)) if block is None else Call("debug_traceBlockByHash", (block, options))


def moves(trace: Trace, header: Header, answer: Any) -> list[Move]:
    """Return the moves of a block in their order; raises Malformed where the answer is not about exactly the block's transactions.

    ``header`` lists its transactions by hash.
    """
    listed = [decoding.data(each, length=32) for each in header.transactions]
    traced = _flat(header, answer) if trace is Trace.FLAT else _tree(listed, answer)
    if traced.keys() != set(listed):
        # What a node answers that lags, that has pruned the block, or that is on another fork.
        raise Malformed(f"the traces of block {header.height} are not those of its transactions")
    return [move for transaction in listed for move in _moved(transaction, traced[transaction])]


def _moved(transaction: str, frames: Iterable[_Frame]) -> Iterator[Move]:
    dead: int | None = None
    ordinal = 0
    for frame in frames:
        if dead is not None and frame.depth > dead:
            continue
        dead = frame.depth if frame.failed else None
        if frame.failed or frame.units in (None, "0x0"):
            continue
        units = decoding.quantity(frame.units)
        to = decoding.data(frame.to, length=20)
        if not units or (frame.depth and int(to, 16) < _PROGRAMS):
            continue
        yield Move(transaction, ordinal if frame.depth else None, decoding.data(frame.sender, length=20), to, units)
        ordinal += frame.depth > 0


# --- flat lists ------------------------------------------------------------------


def _flat(header: Header, answer: Any) -> dict[str, list[_Frame]]:
    found: dict[str, list[tuple[list[int], _Frame]]] = {}
    for raw in decoding.array(answer, "the traces"):
        trace = decoding.obj(raw, "a trace")
        if trace.get("transactionHash") is None:  # a reward for the block
            continue
        if decoding.data(trace.get("blockHash"), length=32) != header.hash:
            raise Malformed("a trace is of another block")
        place = decoding.array(trace.get("traceAddress"), "a trace's address")
        if not all(type(each) is int for each in place):
            raise Malformed("a trace's address is not made of numbers")
        found.setdefault(decoding.data(trace["transactionHash"], length=32), []).append((place, _flat_frame(trace, len(place))))
    # The order of execution is that of the addresses, whatever the order of the answer.
    return {transaction: [frame for _, frame in sorted(frames, key=lambda each: each[0])] for transaction, frames in found.items()}


def _flat_frame(trace: dict[str, Any], depth: int) -> _Frame:
    failed = bool(trace.get("error"))
    action = decoding.obj(trace.get("action"), "a trace's action")
    match trace.get("type"):
        case "call" if action.get("callType") == "call":
            return _Frame(depth, failed, action.get("from"), action.get("to"), action.get("value"))
        case "create" if depth and not failed:
            result = decoding.obj(trace.get("result"), "a creation's result")
            return _Frame(depth, failed, action.get("from"), result.get("address"), action.get("value"))
        case "suicide" | "selfdestruct":
            return _Frame(depth, failed, action.get("address"), action.get("refundAddress"), action.get("balance"))
        case "call" | "create":
            return _Frame(depth, failed)
        case _:
            raise Malformed("a trace is of no known type")


# --- trees -----------------------------------------------------------------------


def _tree(listed: list[str], answer: Any) -> dict[str, list[_Frame]]:
    answers = decoding.array(answer, "the traces")
    if len(answers) != len(listed):
        raise Malformed("there are more or fewer traces than transactions")
    found: dict[str, list[_Frame]] = {}
    for expected, raw in zip(listed, answers, strict=True):
        trace = decoding.obj(raw, "a trace")
        # Some nodes do not name the transaction, and answer in the order of the block.
        named = trace.get("txHash")
        transaction = expected if named is None else decoding.data(named, length=32)
        found[transaction] = list(_tree_frames(decoding.obj(trace.get("result"), "a trace's result")))
    return found


def _tree_frames(root: dict[str, Any]) -> Iterator[_Frame]:
    waiting = [(0, root)]
    while waiting:
        depth, call = waiting.pop()
        failed = bool(call.get("error"))
        match call.get("type"):
            case "CREATE" | "CREATE2" if not depth:
                yield _Frame(depth, failed)
            case "CALL" | "CREATE" | "CREATE2" | "SELFDESTRUCT":
                yield _Frame(depth, failed, call.get("from"), call.get("to"), call.get("value"))
            case _:
                yield _Frame(depth, failed)
        inner = call.get("calls")
        if inner is not None:
            waiting += [(depth + 1, decoding.obj(each, "a call")) for each in reversed(decoding.array(inner, "the calls"))]
