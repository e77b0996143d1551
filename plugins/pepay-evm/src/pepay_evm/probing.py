"""The probe: what an endpoint can do, asked in a few batches at start, and by ``pepay doctor``.

It is lenient: a method that is missing, refused or too slow is a capability that the endpoint does not have. Nothing that money depends on
is decided here.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pepay_core.api import ChainUnavailable
from pepay_evm import decoding
from pepay_evm.capabilities import Capabilities
from pepay_evm.deposits import DEPLOYER, FACTORY
from pepay_evm.rpc import Call, NodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pepay_evm.decoding import Header
    from pepay_evm.rpc import Endpoint

MULTICALL: Final = "0xca11bde05977b3631167028862be2a173976ca11"

RANGES: Final = (1, 10, 100, 500, 1000, 2000)
"""The numbers of blocks for which events are asked; more at once would be of no use."""

_SECONDS: Final = 8.0
# Code that returns the number 42, and creation code that does: both are the same.
_ANSWER: Final = "0x602a60005260206000f3"
_FORTY_TWO: Final = f"0x{42:064x}"
_NOBODY: Final = "0x00000000000000000000000000000000000a11ce"
# A topic that no event has: the question is about the range, and the answer should be short.
_NOTHING: Final = "0x" + "5a" * 32


@dataclass(frozen=True, slots=True)
class Probed:
    """What the probe found: the newest block, and the capabilities."""

    head: Header
    capabilities: Capabilities


async def probe(endpoint: Endpoint) -> Probed:
    """Return what an endpoint can do.

    Raises ChainUnavailable, and WrongChain, only when it does not even tell its newest block.
    """
    latest, *_ = await endpoint.ask([Call("eth_getBlockByNumber", ("latest", False))])
    head = decoding.header(latest, full=False)
    facts, ranges, traced = await asyncio.gather(_facts(endpoint, head), _log_range(endpoint, head), _trace(endpoint, head))
    finalized, safe, receipts, override, deployless, deployer, factory, multicall = facts
    return Probed(
        head,
        Capabilities(
            trace=traced,
            override=override == _FORTY_TWO,
            deployless=deployless == _FORTY_TWO,
            receipts=_list(receipts),
            finalized=isinstance(finalized, dict),
            safe=isinstance(safe, dict),
            logs=ranges is not None,
            log_range=ranges,
            deployer=_is_code(deployer),
            factory=_is_code(factory),
            multicall=_is_code(multicall),
        ),
    )


async def probe_all(endpoints: Sequence[Endpoint]) -> None:
    """Remember of each endpoint what it can do; one that does not answer is left as it is."""

    async def one(endpoint: Endpoint) -> None:
        with contextlib.suppress(ChainUnavailable, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                endpoint.capabilities = (await probe(endpoint)).capabilities

    await asyncio.gather(*map(one, endpoints))


async def _facts(endpoint: Endpoint, head: Header) -> list[Any]:
    return await _leniently(
        endpoint,
        [
            Call("eth_getBlockByNumber", ("finalized", False)),
            Call("eth_getBlockByNumber", ("safe", False)),
            Call("eth_getBlockReceipts", (head.hash,)),
            Call("eth_call", ({"to": _NOBODY, "data": "0x"}, "latest", {_NOBODY: {"code": _ANSWER}})),
            Call("eth_call", ({"data": _ANSWER}, "latest")),
            *(Call("eth_getCode", (place, "latest")) for place in (DEPLOYER, FACTORY, MULTICALL)),
        ],
    )


async def _log_range(endpoint: Endpoint, head: Header) -> int | None:
    """Return the largest range for which events were told; those that reach below the first block are not asked for."""
    ranges = [RANGES[0], *(blocks for blocks in RANGES[1:] if blocks <= head.height + 1)]
    answers = await _leniently(
        endpoint,
        [
            Call(
                "eth_getLogs", ({"fromBlock": hex(head.height - blocks + 1), "toBlock": hex(head.height), "address": _NOBODY, "topics": [_NOTHING]},)
            )
            for blocks in ranges
        ],
    )
    return max((blocks for blocks, answer in zip(ranges, answers, strict=True) if _list(answer)), default=None)


async def _trace(endpoint: Endpoint, head: Header) -> Any:
    """Return how the endpoint tells what contracts send, if it does; this may be a long answer, so it is asked by itself."""
    (traces,) = await _leniently(endpoint, [Call("trace_block", (hex(head.height),))])
    if _list(traces):
        return "trace_block"
    tracer = {"tracer": "callTracer"}
    (traces,) = await _leniently(endpoint, [Call("debug_traceBlockByNumber", (hex(head.height), tracer))])
    return "debug" if _list(traces) else None


async def _leniently(endpoint: Endpoint, calls: Sequence[Call]) -> list[Any]:
    """Return an answer for each call, with None for all that failed; an endpoint that fails altogether gave none."""
    try:
        async with asyncio.timeout(_SECONDS):
            answers = await endpoint.ask([Call(call.method, call.params, lenient=True) for call in calls])
    except (ChainUnavailable, TimeoutError):
        return [None] * len(calls)
    return [None if isinstance(answer, NodeError) else answer for answer in answers]


def _list(answer: Any) -> bool:
    return isinstance(answer, list)


def _is_code(answer: Any) -> bool:
    return isinstance(answer, str) and len(answer) > 2
