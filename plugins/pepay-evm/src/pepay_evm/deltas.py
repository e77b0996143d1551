"""Native coin that only balances tell of: how much more lies at an address than its block's transactions explain."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from pepay_core.api import Block

    Read = Callable[[Sequence[tuple[Block, Collection[str]]]], Awaitable[Sequence[Mapping[str, int]]]]
    """Returns what is not zero at some addresses in some blocks, each block with its own addresses."""


class Flows:
    """What is known to have come to an address in a block (positive) or left it (negative), by transactions that can be named."""

    def __init__(self) -> None:
        self._of: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, address: str, height: int, units: int) -> None:
        """Enter one."""
        self._of[address][height] += units

    @property
    def addresses(self) -> Collection[str]:
        """The addresses that have any."""
        return self._of.keys()

    def between(self, address: str, after: int, until: int) -> int:
        """Return the sum of an address above a height, up to another."""
        return sum(units for height, units in self._of[address].items() if after < height <= until) if address in self._of else 0


async def arrivals(
    read: Read, blocks: Sequence[Block], flows: Flows, before: Mapping[str, int], after: Mapping[str, int], addresses: Collection[str]
) -> list[tuple[Block, str, int]]:
    """Return what arrived without explanation: the block, the address, and how much.

    ``blocks`` is a whole range that begins with the block in which the balances were ``before``, and ends with that in which they are
    ``after``. A range that has more, or less, than its flows explain is cut in two until it is one block. Less is no arrival, but it
    may hide one: what a contract took away from an address without a transaction that could be named.
    """
    found: list[tuple[Block, str, int]] = []
    parts = [(0, len(blocks) - 1, before, after, addresses)]
    while parts:
        wider: list[tuple[int, int, Mapping[str, int], Mapping[str, int], list[str]]] = []
        for first, last, low, high, suspects in parts:
            odd: list[str] = []
            for address in suspects:
                more = high.get(address, 0) - low.get(address, 0) - flows.between(address, blocks[first].height, blocks[last].height)
                if more and last - first > 1:
                    odd.append(address)
                elif more > 0:
                    found.append((blocks[last], address, more))
            if odd:
                wider.append((first, last, low, high, odd))
        middles = [(first + last) // 2 for first, last, *_ in wider]
        between = await read([(blocks[middle], odd) for middle, (*_, odd) in zip(middles, wider, strict=True)]) if wider else []
        parts = []
        for (first, last, low, high, odd), middle, at in zip(wider, middles, between, strict=True):
            parts += [(first, middle, low, at, odd), (middle, last, at, high, odd)]
    return sorted(found, key=lambda each: (each[0].height, each[1]))
