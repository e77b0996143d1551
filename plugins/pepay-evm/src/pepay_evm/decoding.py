"""Strict reading of what a node answers: anything that is not exactly what it must be raises Malformed, and is believed by nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from pepay_core.api import ChainUnavailable

TRANSFER: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""The topic of ``Transfer(address,address,uint256)``, which ERC-20 and EIP-7708 share."""

_QUANTITY: Final = re.compile(r"0x(0|[1-9a-f][0-9a-f]{0,63})")
_DATA: Final = re.compile(r"0x([0-9a-f]{2})*")
_LAST_SECOND: Final = 253_402_300_799
_MAX_HEIGHT: Final = 2**63


class Malformed(ChainUnavailable):
    """A node's answer is not what the protocol says."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction as its block lists it; addresses are in lower case."""

    hash: str
    sender: str
    to: str | None
    value: int


@dataclass(frozen=True, slots=True)
class Header:
    """What is needed of a block; ``transactions`` is the raw list, which is read only as far as it concerns us.

    ``producer`` (who may be given the block's fees) and ``minted`` are known of full blocks only.
    """

    height: int
    hash: str
    parent: str
    time: datetime
    bloom: int
    transactions: tuple[Any, ...]
    producer: str | None = None
    minted: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Log:
    """An event of a contract, by the block-wide number that it has in this block and no other."""

    address: str
    topics: tuple[str, ...]
    data: str
    block: str
    height: int
    transaction: str
    number: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction; ``position`` is its place in the block."""

    transaction: str
    block: str
    position: int
    succeeded: bool
    logs: tuple[Log, ...]


def quantity(value: Any, *, below: int = 2**256) -> int:
    """Return the integer that a 0x quantity without leading zeros writes."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value.lower()):
        raise Malformed("a quantity is not hexadecimal")
    number = int(value, 16)
    if number >= below:
        raise Malformed("a quantity is too large")
    return number


def data(value: Any, *, length: int | None = None) -> str:
    """Return 0x data in lower case, of an exact number of bytes if one is given."""
    text = value.lower() if isinstance(value, str) else ""
    if not _DATA.fullmatch(text) or (length is not None and len(text) != 2 + 2 * length):
        raise Malformed("bytes are not hexadecimal, or not as many as there must be")
    return text


def header(value: Any, *, full: bool) -> Header:
    """Return a block; its transactions must be whole when ``full``."""
    block = obj(value, "a block")
    listed = array(block.get("transactions"), "a block's transactions")
    if full and not all(isinstance(each, dict) for each in listed):
        raise Malformed("a block lists its transactions without their content")
    return Header(
        height=quantity(block.get("number"), below=_MAX_HEIGHT),
        hash=data(block.get("hash"), length=32),
        parent=data(block.get("parentHash"), length=32),
        time=datetime.fromtimestamp(quantity(block.get("timestamp"), below=_LAST_SECOND), UTC),
        bloom=int(data(block.get("logsBloom"), length=256), 16),
        transactions=tuple(listed),
        producer=data(block["miner"], length=20) if full and block.get("miner") else None,
        minted=minted(block) if full else (),
    )


def recipient(value: Any) -> str | None:
    """Return the address that a listed transaction pays, or None when it creates a contract: the one field that all are judged by."""
    to = value.get("to")
    if to is None:
        return None
    if not isinstance(to, str) or len(to) != 42:
        raise Malformed("a transaction's recipient is not an address")
    return to.lower()


def initiator(value: Any) -> str | None:
    """Return the address that sent a listed transaction, or None where none is told."""
    sender = value.get("from")
    return sender.lower() if isinstance(sender, str) else None


def listed_transaction(value: Any, *, block: str) -> Transaction:
    """Return a transaction listed in a block."""
    raw = obj(value, "a transaction")
    if data(raw.get("blockHash"), length=32) != block:
        raise Malformed("a transaction is listed in a block that it is not in")
    return Transaction(
        hash=data(raw.get("hash"), length=32),
        sender=data(raw.get("from"), length=20),
        to=None if raw.get("to") is None else data(raw.get("to"), length=20),
        value=quantity(raw.get("value")),
    )


def log(value: Any) -> Log:
    """Return an event; one that says that it was removed is an answer about another chain."""
    raw = obj(value, "a log")
    if raw.get("removed") not in (None, False):
        raise Malformed("a log was removed by a reorganisation")
    return Log(
        address=data(raw.get("address"), length=20),
        topics=tuple(data(topic, length=32) for topic in array(raw.get("topics"), "a log's topics")),
        data=data(raw.get("data")),
        block=data(raw.get("blockHash"), length=32),
        height=quantity(raw.get("blockNumber"), below=_MAX_HEIGHT),
        transaction=data(raw.get("transactionHash"), length=32),
        number=quantity(raw.get("logIndex"), below=2**32),
    )


def logs(value: Any) -> list[Log]:
    """Return a list of events."""
    return [log(each) for each in array(value, "the logs")]


def receipt(value: Any) -> Receipt:
    """Return a receipt whose events are its own and stand in the block's order."""
    raw = obj(value, "a receipt")
    transaction, block = data(raw.get("transactionHash"), length=32), data(raw.get("blockHash"), length=32)
    events = tuple(logs(raw.get("logs")))
    if any((each.transaction, each.block) != (transaction, block) for each in events):
        raise Malformed("a receipt holds a log of another transaction")
    if any(after.number != before.number + 1 for before, after in pairwise(events)):
        raise Malformed("a receipt's logs are not in order")
    status = quantity(raw.get("status"), below=2)
    return Receipt(transaction, block, quantity(raw.get("transactionIndex"), below=2**32), status == 1, events)


def spent(transaction: Any, receipt: Any, *, succeeded: bool) -> int:
    """Return what a listed transaction took from its sender: its value, where it succeeded, and its cost, by its receipt."""
    listed, raw = obj(transaction, "a transaction"), obj(receipt, "a receipt")

    def told(holder: dict[str, Any], key: str) -> int:
        return 0 if holder.get(key) is None else quantity(holder[key])

    price = told(raw, "effectiveGasPrice") or told(listed, "gasPrice")
    # Rollups that post to Ethereum may charge for that apart from gas, and blobs have a price of their own.
    cost = told(raw, "gasUsed") * price + told(raw, "blobGasUsed") * told(raw, "blobGasPrice") + told(raw, "l1Fee")
    return cost + (quantity(listed.get("value")) if succeeded else 0)


def minted(value: Any) -> tuple[tuple[str, int], ...]:
    """Return what a block gave to addresses without a transaction: the withdrawals of stakers, in base units."""
    listed = [obj(each, "a withdrawal") for each in array(obj(value, "a block").get("withdrawals") or [], "a block's withdrawals")]
    return tuple((data(each.get("address"), length=20), quantity(each.get("amount")) * 10**9) for each in listed)


def obj(value: Any, what: str) -> dict[str, Any]:
    """Return a JSON object."""
    if not isinstance(value, dict):
        raise Malformed(f"{what} is not an object")
    return value


def array(value: Any, what: str) -> list[Any]:
    """Return a JSON array."""
    if not isinstance(value, list):
        raise Malformed(f"{what} are not a list")
    return value
