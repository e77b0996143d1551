"""The token transfers of a range: asked for in the way that the endpoint allows, and checked against what the headers promise."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from pepay_core.api import ChainUnavailable
from pepay_evm import blooms, decoding
from pepay_evm.decoding import TRANSFER
from pepay_evm.departures import FACTORY, FLUSHED
from pepay_evm.rpc import Call

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pepay_evm.decoding import Header, Log
    from pepay_evm.rpc import Endpoint


class Source(StrEnum):
    """Where an endpoint lets the events of blocks be read."""

    RANGE = "eth_getLogs"
    RECEIPTS = "eth_getBlockReceipts"
    """All receipts of each block: for endpoints that have no eth_getLogs, as the public ones of some networks."""
    BLOCK = "eth_getLogs by block hash"


SYSTEM: Final = "0xfffffffffffffffffffffffffffffffffffffffe"
"""The address in whose name EIP-7708 logs transfers of the native coin, on networks that have it."""


class Events:
    """Asks for the Transfer events of some contracts and of the native coin, and for the flushes of the deposit factory."""

    def __init__(self, contracts: Collection[str]) -> None:
        topics = dict.fromkeys((*contracts, SYSTEM), TRANSFER) | {FACTORY: FLUSHED}
        self._filter = {"address": list(topics), "topics": [[TRANSFER, FLUSHED]]}
        self._topics = topics
        self._masks = {address: blooms.mask(address, topic) for address, topic in topics.items()}

    def calls(self, source: Source, heights: range) -> list[Call]:
        """Return what can be asked before the blocks' hashes are known."""
        match source:
            case Source.RANGE:
                return [Call("eth_getLogs", ({"fromBlock": hex(heights[0]), "toBlock": hex(heights[-1]), **self._filter},))]
            case Source.RECEIPTS:
                return [Call("eth_getBlockReceipts", (hex(height),)) for height in heights]
            case Source.BLOCK:
                return []

    def of_block(self, block: str) -> Call:
        """Return what asks for the events of one block, by its hash."""
        return Call("eth_getLogs", ({"blockHash": block, **self._filter},))

    async def read(self, endpoint: Endpoint, source: Source, headers: Sequence[Header], answers: Sequence[Any]) -> list[Log]:
        """Return the events of the blocks, from the answers to :meth:`calls`; raises ChainUnavailable where any may be missing."""
        match source:
            case Source.RANGE:
                return await self._of_range(endpoint, headers, decoding.logs(answers[0]))
            case Source.RECEIPTS:
                return [log for header, answer in zip(headers, answers, strict=True) for log in self._of_receipts(endpoint, header, answer)]
            case Source.BLOCK:
                return await self._of_blocks(endpoint, headers)

    async def _of_range(self, endpoint: Endpoint, headers: Sequence[Header], logs: list[Log]) -> list[Log]:
        """Return the events, having asked again for those that a header promises and the answer leaves out."""
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
        known = {(log.block, log.number) for log in logs}
        again = await self._of_blocks(endpoint, doubtful)
        return logs + [log for log in again if (log.block, log.number) not in known]

    async def _of_blocks(self, endpoint: Endpoint, headers: Sequence[Header]) -> list[Log]:
        if not headers:
            return []
        answers = await endpoint.ask([self.of_block(header.hash) for header in headers])
        found: list[Log] = []
        for header, answer in zip(headers, answers, strict=True):
            logs = decoding.logs(answer)
            if any((log.block, log.height) != (header.hash, header.height) for log in logs):
                raise ChainUnavailable(f"{endpoint.label} answered with events of another block")
            found += logs
        return found

    def _of_receipts(self, endpoint: Endpoint, header: Header, answer: Any) -> list[Log]:
        receipts = [decoding.receipt(each) for each in decoding.array(answer, "the receipts")]
        if any(receipt.block != header.hash for receipt in receipts) or len(receipts) != len(header.transactions):
            raise ChainUnavailable(f"{endpoint.label} answered with receipts of another block")
        return [log for receipt in receipts for log in receipt.logs if log.topics[:1] == (self._topics.get(log.address),)]
