"""Reading what lies at thousands of addresses in one block, with one eth_call for as many as the node bears.

Addresses are passed as one text, 40 hexadecimal digits each, because that is what goes over the wire: ``packed``. An asset is the
address of a token's contract, or NATIVE. A node that has forgotten a block's state has an unknown answer, never zeros.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from pepay_core.api import ChainUnavailable
from pepay_evm import decoding
from pepay_evm.addresses import ZERO
from pepay_evm.bytecode_scan import SCAN_DEPLOYED, SCAN_ONCE_CREATION
from pepay_evm.contracts import BALANCE_OF, balance_call
from pepay_evm.decoding import Malformed
from pepay_evm.rpc import Call, NodeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pepay_core.api import Block
    from pepay_evm.rpc import Endpoint

NATIVE: Final = ZERO
MULTICALL: Final = "0xca11bde05977b3631167028862be2a173976ca11"
MOST: Final = 10_000
"""The most addresses in one call: native coins of so many cost 30 million gas, and common nodes bear 50 million."""

CALLS_AT_ONCE: Final = 4
"""The most calls in one request: four with 10,000 addresses each stay below 2 MB, and common nodes take no more."""

_FEWEST: Final = 100
# No account: only the code that stands in for it makes it one, for the time of a call.
_STAND_IN: Final = "0x000000000000000000000000000000005ca4ba1a"
_ETH_BALANCE: Final = "4d2301cc"
_AGGREGATE: Final = "82ad56cb"
_CUT: Final = (1 << 216) - 1
_FORGOTTEN: Final = re.compile(
    r"missing trie|prun|header not found|unknown block|block not found|resource not found|state .*(not available|unavailable)|historical|archive",
    re.IGNORECASE,
)


class Way(StrEnum):
    """How a node is made to read many balances in one call, the best first."""

    OVERRIDE = "state override"
    """Code of ours stands in for an account's (the third parameter of eth_call)."""
    ONCE = "creation call"
    """Code of ours runs as the creation of a contract, whose size limits how much it can be given."""
    MULTICALL = "Multicall3"
    """The contract that is deployed at one address on most networks."""

    @property
    def most(self) -> int:
        """The most addresses in one call."""
        return {Way.OVERRIDE: MOST, Way.ONCE: 2_400, Way.MULTICALL: 500}[self]


@dataclass(slots=True)
class Reader:
    """How one endpoint reads balances: ``by_hash`` where it takes a block's hash, which no reorganisation can turn into another block."""

    way: Way
    by_hash: bool
    size: int = 0

    def __post_init__(self) -> None:
        """Begin with as many addresses in a call as the way allows."""
        self.size = self.size or self.way.most

    def smaller(self, error: NodeError) -> None:
        """Ask for fewer at a time from now on, or raise ChainUnavailable where that cannot be what is wrong."""
        if _FORGOTTEN.search(error.message) or self.size <= _FEWEST:
            raise ChainUnavailable(f"{error.message} (balances cannot be read)") from error
        self.size = max(self.size // 2, _FEWEST)


def pack(addresses: Iterable[str]) -> str:
    """Return 0x addresses as one text."""
    return "".join([address[2:] for address in addresses]).lower()


def unpacked(packed: str) -> list[str]:
    """Return the 0x addresses of a text, in lower case."""
    return ["0x" + packed[start : start + 40] for start in range(0, len(packed), 40)]


def calls(reader: Reader, asset: str, packed: str, block: Block) -> list[Call]:
    """Return the calls that read the balances of these addresses in a block; their answers are for :func:`understood`."""
    at = {"blockHash": block.hash} if reader.by_hash else hex(block.height)
    return [Call("eth_call", _params(reader.way, asset, chunk, at), lenient=True) for chunk in _chunks(reader, packed)]


def understood(reader: Reader, packed: str, answers: Sequence[Any]) -> dict[str, int | None] | None:
    """Return what is not zero, or None when it must be asked again in smaller parts; raises ChainUnavailable when the node cannot tell.

    A balance is None where it has more than 216 bits, which only hostile tokens have.
    """
    found: dict[str, int | None] = {}
    for chunk, answer in zip(_chunks(reader, packed), answers, strict=True):
        if isinstance(answer, NodeError):
            reader.smaller(answer)
            return None
        found.update(_multicall_answer(chunk, answer) if reader.way is Way.MULTICALL else _scan_answer(chunk, answer))
    return found


async def read(endpoint: Endpoint, reader: Reader, asset: str, wanted: Sequence[tuple[Block, str]]) -> list[dict[str, int]]:
    """Return what is not zero at some addresses in some blocks, each block with its own addresses."""
    results: list[dict[str, int]] = []
    while len(results) < len(wanted):
        taken, asked = _fitting(reader, asset, wanted[len(results) :])
        # Where a block can only be asked for by its number, its header says whether it is still the block that is meant.
        headers = [] if reader.by_hash else [Call("eth_getBlockByNumber", (hex(block.height), False)) for block, _ in taken]
        answers = await _ask(endpoint, [*asked, *headers])
        for (block, _), header in zip(taken, answers[len(asked) :], strict=False):
            if header is None or decoding.header(header, full=False).hash != block.hash:
                raise ChainUnavailable(f"{endpoint.label} does not know block {block.height} as it was read before")
        place = 0
        for block, packed in taken:
            count = len(_chunks(reader, packed))
            found = understood(reader, packed, answers[place : place + count])
            if found is None:
                break
            results.append(await exact(endpoint, reader, asset, block, found))
            place += count
    return results


def _fitting(reader: Reader, asset: str, wanted: Sequence[tuple[Block, str]]) -> tuple[Sequence[tuple[Block, str]], list[Call]]:
    """Return the first of what is wanted, as much as fits into one request, with its calls."""
    asked: list[Call] = []
    for place, (block, packed) in enumerate(wanted):
        more = calls(reader, asset, packed, block)
        if place and len(asked) + len(more) > CALLS_AT_ONCE:
            return wanted[:place], asked
        asked += more
    return wanted, asked


async def _ask(endpoint: Endpoint, asked: Sequence[Call]) -> list[Any]:
    answers: list[Any] = []
    for start in range(0, len(asked), CALLS_AT_ONCE):
        answers += await endpoint.ask(asked[start : start + CALLS_AT_ONCE])
    return answers


async def exact(endpoint: Endpoint, reader: Reader, asset: str, block: Block, found: Mapping[str, int | None]) -> dict[str, int]:
    """Return the balances with those that were too large to be told in one word asked for again, one by one."""
    large = [address for address, units in found.items() if units is None]
    told: dict[str, int] = {}
    if large:
        at = {"blockHash": block.hash} if reader.by_hash else hex(block.height)
        answers = await endpoint.ask([Call("eth_call", ({"to": asset, "data": balance_call(each)}, at)) for each in large])
        told = {address: int(decoding.data(answer, length=32), 16) for address, answer in zip(large, answers, strict=True)}
    return {address: told[address] if units is None else units for address, units in found.items()}


def _chunks(reader: Reader, packed: str) -> list[str]:
    length = 40 * reader.size
    return [packed[start : start + length] for start in range(0, len(packed), length)]


def _params(way: Way, asset: str, chunk: str, at: object) -> tuple[Any, ...]:
    match way:
        case Way.OVERRIDE:
            return {"to": _STAND_IN, "data": asset + chunk}, at, {_STAND_IN: {"code": SCAN_DEPLOYED}}
        case Way.ONCE:
            return {"data": f"{SCAN_ONCE_CREATION}{asset[2:]}{chunk}{len(chunk) // 40:064x}"}, at
        case Way.MULTICALL:
            return {"to": MULTICALL, "data": _multicall(asset, chunk)}, at


def _scan_answer(chunk: str, answer: Any) -> dict[str, int | None]:
    """Return what ``contracts/Scan.sol`` answered."""
    text = decoding.data(answer)
    words = [text[start : start + 64] for start in range(2, len(text), 64)]
    count = len(chunk) // 40
    if not words or len(words[-1]) != 64 or int(words[0], 16) != count:
        raise Malformed("balances were asked for, and something else was answered")
    found: dict[str, int | None] = {}
    for word in words[1:]:
        value = int(word, 16)
        place, units = value >> 216, value & _CUT
        if place >> 39:
            raise ChainUnavailable("a token does not tell its balances")
        if place >= count:
            raise Malformed("a balance of an address that was not asked for")
        found["0x" + chunk[40 * place : 40 * place + 40]] = None if units == _CUT else units
    return found


# --- Multicall3: aggregate3((address target, bool allowFailure, bytes callData)[]) ------------------------------------------


def _multicall(asset: str, chunk: str) -> str:
    target, selector = (MULTICALL, _ETH_BALANCE) if asset == NATIVE else (asset, BALANCE_OF[2:])
    owners = unpacked(chunk)
    count = len(owners)
    # Every element is 6 words: target, allowFailure, offset of the data, its length (36), and the data in two words.
    offsets = "".join(f"{32 * count + 192 * place:064x}" for place in range(count))
    elements = "".join(f"{target[2:]:0>64}{0:064x}{96:064x}{36:064x}{selector}{owner[2:]:0>64}{'':0>56}" for owner in owners)
    return f"0x{_AGGREGATE}{32:064x}{count:064x}{offsets}{elements}"


def _multicall_answer(chunk: str, answer: Any) -> dict[str, int | None]:
    text = decoding.data(answer)[2:]
    count = len(chunk) // 40

    def word(place: int) -> int:
        found = text[64 * place : 64 * place + 64]
        if len(found) != 64:
            raise Malformed("balances were asked for, and something else was answered")
        return int(found, 16)

    if word(0) != 32 or word(1) != count:
        raise Malformed("balances were asked for, and something else was answered")
    found: dict[str, int | None] = {}
    for place, address in enumerate(unpacked(chunk)):
        element = 2 + word(2 + place) // 32
        if word(element) != 1 or word(element + 1) != 64 or word(element + 2) != 32:
            raise ChainUnavailable("a token does not tell its balances")
        if units := word(element + 3):
            found[address] = units
    return found
