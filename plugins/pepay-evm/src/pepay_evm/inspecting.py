"""What became of one transaction: where it is, whom it names, and what of it looks like a payment and is none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pepay_core.api import Block, ChainUnavailable, Ignored, IgnoredBecause, InvalidInput
from pepay_evm import decoding
from pepay_evm.addresses import checksummed
from pepay_evm.decoding import TRANSFER
from pepay_evm.rpc import Call, NodeError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pepay_core.api import AssetId, Watchlist
    from pepay_evm.decoding import Log, Receipt
    from pepay_evm.networks import Network
    from pepay_evm.rpc import Endpoint

_HASH: Final = re.compile(r"0x[0-9a-f]{64}")
_WORD: Final = re.compile(r"0{24}([0-9a-f]{40})")
_MOST_NAMED: Final = 4_000
_SINGLE: Final = "0xc3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62"
"""The topic of ERC-1155's ``TransferSingle(address,address,address,uint256,uint256)``."""
# transfer(address,uint256), transferFrom(address,address,uint256): which word of the arguments is the recipient.
_PAYING: Final = {"a9059cbb": 0, "23b872dd": 1}


@dataclass(frozen=True, slots=True)
class Seen:
    """A transaction that an endpoint knows; ``parent`` is the block before its own.

    ``claimed`` are the well-formed events that say that something of ours arrived: what a scan does not confirm of them is ignored too.
    """

    failed: bool = False
    block: Block | None = None
    parent: Block | None = None
    ignored: tuple[Ignored, ...] = ()
    claimed: tuple[Ignored, ...] = ()
    named: frozenset[str] = frozenset()


def transaction_hash(text: str) -> str:
    """Return a transaction's hash as nodes write it, or raise InvalidInput."""
    found = text.strip().lower()
    if not _HASH.fullmatch(found):
        raise InvalidInput("a transaction of an EVM network is named by 0x and 64 hexadecimal digits", field="transaction")
    return found


class Inspector:
    """Asks about transactions of one network."""

    def __init__(self, network: Network, assets: Mapping[str, AssetId]) -> None:
        self._network = network
        self._assets = assets

    async def look(self, endpoint: Endpoint, identity: str, watched: Watchlist) -> Seen | None:
        """Return what an endpoint knows of a transaction, or None when it does not know it."""
        listed, answer = await endpoint.ask([Call("eth_getTransactionByHash", (identity,)), Call("eth_getTransactionReceipt", (identity,))])
        if listed is None:
            return None
        sent = _sent(listed, identity)
        if answer is None:
            if sent.mined:
                raise ChainUnavailable(f"{endpoint.label} has no receipt for a transaction that it lists")
            return Seen(named=frozenset(checksummed(each) for each in _named(sent, ())))
        receipt = decoding.receipt(answer)
        if receipt.transaction != identity:
            raise ChainUnavailable(f"{endpoint.label} answered with another transaction")
        height = decoding.quantity(answer.get("blockNumber"), below=2**63)
        calls = [Call("eth_getBlockByNumber", (hex(height), False))]
        if receipt.succeeded:
            calls.append(Call("debug_traceTransaction", (identity, {"tracer": "callTracer"}), lenient=True))
        block, *trace = await endpoint.ask(calls)
        header = decoding.header(block, full=False)
        if (header.height, header.hash) != (height, receipt.block):
            raise ChainUnavailable(f"{endpoint.label} changed its chain while it was read")
        paid = set(_paid(trace[0])) if trace and not isinstance(trace[0], NodeError) else set[str]()
        ours = {each.lower() for each in watched.addresses}
        noticed = list(self._noticed(sent, receipt, ours))
        return Seen(
            failed=not receipt.succeeded,
            block=Block(header.height, header.hash, header.time),
            parent=Block(header.height - 1, header.parent, header.time),
            ignored=tuple(each for each in noticed if each.reason is not IgnoredBecause.NOT_ARRIVED),
            claimed=tuple(each for each in noticed if each.reason is IgnoredBecause.NOT_ARRIVED),
            named=frozenset(checksummed(each) for each in sorted({*_named(sent, receipt.logs), *paid})[:_MOST_NAMED]),
        )

    def _noticed(self, sent: _Sent, receipt: Receipt, ours: Collection[str]) -> Iterator[Ignored]:
        native = self._network.native.id
        if sent.to is not None and sent.to in ours and (not receipt.succeeded or not sent.value):
            reason = IgnoredBecause.ZERO if receipt.succeeded else IgnoredBecause.FAILED
            yield Ignored(reason, checksummed(sent.to), native, "0", sent.value)
        if not receipt.succeeded:
            words = _words(sent.data[10:])
            place = _PAYING.get(sent.data[2:10])
            to = _address(words[place]) if place is not None and len(words) > place + 1 else None
            if sent.to is not None and to in ours and to is not None and place is not None:
                yield Ignored(IgnoredBecause.FAILED, checksummed(to), self._asset(sent.to), "0", int(words[place + 1], 16))
        for position, log in enumerate(receipt.logs, start=1):
            found = self._misfit(log, ours)
            if found is not None:
                reason, to, units = found
                yield Ignored(reason, checksummed(to), self._asset(log.address), str(position), units)

    def _misfit(self, log: Log, ours: Collection[str]) -> tuple[IgnoredBecause, str, int | None] | None:
        """Return why an event that names an address of ours as recipient is no payment, or would be none, or None when it names none."""
        topics, words = log.topics, _words(log.data[2:])
        kind = topics[0] if topics else ""
        if kind == _SINGLE and len(topics) == 4:
            to = _address(topics[3][2:])
            return (IgnoredBecause.NFT, to, None) if to is not None and to in ours else None
        if kind != TRANSFER:
            return None
        # Whatever is not indexed stands in the data, in the same order.
        values = [*(each[2:] for each in topics[1:]), *words]
        to = _address(values[1]) if len(values) > 1 else None
        if to is None or to not in ours:
            return None
        if len(topics) == 4:
            return IgnoredBecause.NFT, to, None
        units = int(values[2], 16) if len(values) > 2 else None
        if log.address not in self._assets:
            return IgnoredBecause.UNREGISTERED, to, units
        if len(topics) != 3 or len(log.data) != 66:
            return IgnoredBecause.MALFORMED, to, units
        return IgnoredBecause.NOT_ARRIVED if units else IgnoredBecause.ZERO, to, units

    def _asset(self, contract: str) -> str:
        return self._assets.get(contract) or f"{self._network.id}/erc20:{contract}"


@dataclass(frozen=True, slots=True)
class _Sent:
    to: str | None
    value: int
    data: str
    mined: bool


def _sent(value: Any, identity: str) -> _Sent:
    if not isinstance(value, dict) or decoding.data(value.get("hash"), length=32) != identity:
        raise decoding.Malformed("the answer is about another transaction")
    to = value.get("to")
    return _Sent(
        to=None if to is None else decoding.data(to, length=20),
        value=decoding.quantity(value.get("value")),
        data=decoding.data(value.get("input")),
        mined=value.get("blockHash") is not None,
    )


def _named(sent: _Sent, logs: Collection[Log]) -> Iterator[str]:
    """Return every address that a transaction writes anywhere: the few of them that are ours are told apart by the database."""
    if sent.to is not None:
        yield sent.to
    texts = [sent.data[10:], *(log.data[2:] for log in logs), *(topic[2:] for log in logs for topic in log.topics[1:])]
    for text in texts:
        for word in _words(text):
            address = _address(word)
            if address is not None:
                yield address


def _paid(trace: Any) -> Iterator[str]:
    """Return the addresses to which a traced transaction, or anything that it called, sent the native coin."""
    waiting = [trace]
    while waiting:
        call = waiting.pop()
        if not isinstance(call, dict) or call.get("error"):
            continue
        to, value = call.get("to"), call.get("value")
        if isinstance(to, str) and len(to) == 42 and isinstance(value, str) and value not in {"0x0", "0x"}:
            yield to.lower()
        inner = call.get("calls")
        if isinstance(inner, list):
            waiting += inner


def _words(text: str) -> list[str]:
    return [text[start : start + 64] for start in range(0, len(text) - 63, 64)]


def _address(word: str) -> str | None:
    match = _WORD.fullmatch(word)
    return f"0x{match[1]}" if match and int(match[1], 16) else None
