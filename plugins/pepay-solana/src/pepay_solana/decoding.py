"""Strict reading of what a node answers: anything that is not exactly what it must be raises Malformed, and is believed by nobody."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pepay_core.api import Block, ChainUnavailable
from pepay_solana import base58

_UNITS: Final = re.compile(r"0|[1-9][0-9]{0,19}")
_LAST_SECOND: Final = 253_402_300_799
_U64: Final = 2**64
_MAX_KEYS: Final = 256


class Malformed(ChainUnavailable):
    """A node's answer is not what the protocol says."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an address's history."""

    signature: str
    slot: int
    failed: bool


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction, called by a transaction or, where ``parent`` is given, by the instruction at that place in the same list.

    ``accounts`` are places in the transaction's list of keys.
    """

    program: str
    accounts: tuple[int, ...]
    data: bytes
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """What a token account holds."""

    mint: str
    owner: str
    program: str
    units: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction that the chain holds, with everything that it did to balances.

    ``keys`` are all accounts in the order to which everything refers: those that are written out, then those from lookup tables. The
    first ``signers`` of them have signed; the very first pays the fee. Instructions stand in the order in which they were executed.
    """

    signature: str
    slot: int
    failed: bool
    fee: int
    signers: int
    keys: tuple[str, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    tokens_before: dict[int, Holding]
    tokens_after: dict[int, Holding]
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """An account's owner, lamports and data."""

    owner: str
    lamports: int
    data: bytes


def number(value: Any, *, below: int = _U64) -> int:
    """Return a JSON integer that is not negative."""
    if type(value) is not int or not 0 <= value < below:
        raise Malformed("a number is not what it must be")
    return value


def key(value: Any) -> str:
    """Return the text of a public key or a hash."""
    if not isinstance(value, str):
        raise Malformed("a key is not a text")
    try:
        base58.decode_key(value)
    except ValueError:
        raise Malformed("a key is not 32 bytes in base58") from None
    return value


def signature(value: Any) -> str:
    """Return the text of a signature."""
    if not isinstance(value, str) or not 64 <= len(value) <= 88:
        raise Malformed("a signature is not 64 bytes in base58")
    try:
        length = len(base58.decode(value))
    except ValueError:
        length = 0
    if length != 64:
        raise Malformed("a signature is not 64 bytes in base58")
    return value


def block(answer: Any, height: int) -> Block:
    """Return the block of a slot from what ``getBlock`` answers."""
    answer = _object(answer)
    seconds = answer.get("blockTime")
    if seconds is None:
        raise ChainUnavailable(f"block {height} has no time yet")
    return Block(height, key(answer.get("blockhash")), datetime.fromtimestamp(number(seconds, below=_LAST_SECOND), UTC))


def signatures(answer: Any) -> list[str]:
    """Return the signatures of a block's transactions in their order, from what ``getBlock`` answers."""
    return [signature(each) for each in _list(_object(answer).get("signatures"))]


def slot_of(answer: Any) -> int:
    """Return the slot of a transaction from what ``getTransaction`` answers."""
    return number(_object(answer).get("slot"))


def context_slot(answer: Any) -> int:
    """Return the slot for which a node answers."""
    return number(_object(_object(answer).get("context")).get("slot"))


def blockhash(answer: Any) -> str:
    """Return the hash that a new transaction names, from what ``getLatestBlockhash`` answers."""
    return key(_object(_object(answer).get("value")).get("blockhash"))


def parent_slot(answer: Any) -> int:
    """Return the slot of the block before, from what ``getBlock`` answers."""
    return number(_object(answer).get("parentSlot"))


def history(answer: Any, limit: int) -> list[Entry]:
    """Return what ``getSignaturesForAddress`` answers, newest first."""
    entries: list[Entry] = []
    if not isinstance(answer, list) or len(answer) > limit:
        raise Malformed("a history is not a list of the length that was asked for")
    for each in map(_object, answer):
        entry = Entry(signature(each.get("signature")), number(each.get("slot")), each.get("err") is not None)
        if entries and entry.slot > entries[-1].slot:
            raise Malformed("a history is not in order")
        entries.append(entry)
    return entries


def transaction(answer: Any, expected: Entry) -> Transaction:
    """Return what ``getTransaction`` answers in the encoding ``json``, if it is the transaction that was expected."""
    answer = _object(answer)
    body, meta = _object(answer.get("transaction")), _object(answer.get("meta"))
    message = _object(body.get("message"))
    signatures = body.get("signatures")
    if not isinstance(signatures, list) or not signatures or signatures[0] != expected.signature:
        raise Malformed("a node answered with another transaction")
    slot = number(answer.get("slot"))
    if slot != expected.slot:
        raise ChainUnavailable("a transaction has changed its block while it was read")
    loaded = meta.get("loadedAddresses")
    loaded = {} if loaded is None else _object(loaded)
    keys = tuple(key(each) for part in (message.get("accountKeys"), loaded.get("writable", []), loaded.get("readonly", [])) for each in _list(part))
    if not keys or len(keys) > _MAX_KEYS:
        raise Malformed("a transaction has no accounts, or too many")
    before, after = (tuple(number(each) for each in _list(meta.get(name))) for name in ("preBalances", "postBalances"))
    if not len(before) == len(after) == len(keys):
        raise Malformed("a transaction has not as many balances as accounts")
    return Transaction(
        signature=expected.signature,
        slot=slot,
        failed=meta.get("err") is not None,
        fee=number(meta.get("fee")),
        signers=number(_object(message.get("header")).get("numRequiredSignatures"), below=len(keys) + 1),
        keys=keys,
        before=before,
        after=after,
        tokens_before=_holdings(meta.get("preTokenBalances"), len(keys)),
        tokens_after=_holdings(meta.get("postTokenBalances"), len(keys)),
        instructions=_instructions(message.get("instructions"), meta.get("innerInstructions"), keys),
    )


def accounts(answer: Any, count: int) -> list[Account | None]:
    """Return what ``getMultipleAccounts`` answers in the encoding ``base64``."""
    listed = _list(_object(answer).get("value"))
    if len(listed) != count:
        raise Malformed("a node did not answer about every account")
    return [None if each is None else _account(_object(each)) for each in listed]


def _account(given: dict[str, Any]) -> Account:
    data = given.get("data")
    if not isinstance(data, list) or len(data) != 2 or data[1] != "base64" or not isinstance(data[0], str):
        raise Malformed("an account's data is not in base64")
    try:
        decoded = base64.b64decode(data[0], validate=True)
    except binascii.Error:
        raise Malformed("an account's data is not in base64") from None
    return Account(key(given.get("owner")), number(given.get("lamports")), decoded)


def _holdings(answer: Any, count: int) -> dict[int, Holding]:
    found: dict[int, Holding] = {}
    for each in map(_object, _list(answer)):
        place = number(each.get("accountIndex"), below=count)
        units = _object(each.get("uiTokenAmount")).get("amount")
        if place in found or not isinstance(units, str) or not _UNITS.fullmatch(units):
            raise Malformed("a token balance is not what it must be")
        found[place] = Holding(key(each.get("mint")), key(each.get("owner")), key(each.get("programId")), number(int(units)))
    return found


def _instructions(outer: Any, inner: Any, keys: tuple[str, ...]) -> tuple[Instruction, ...]:
    # Null is what nodes answer that did not record what programs called: the outer ones are known all the same.
    nested = {number(each.get("index")): _list(each.get("instructions")) for each in map(_object, _list([] if inner is None else inner))}
    found: list[Instruction] = []
    for place, each in enumerate(_list(outer)):
        found.append(_instruction(each, keys, None))
        # The caller of each depth, as far as the node tells depths; what it calls directly stands at depth 2.
        callers = {1: len(found) - 1}
        for called in nested.get(place, []):
            depth = _object(called).get("stackHeight")
            depth = 2 if depth is None else number(depth, below=1024)
            parent = callers.get(depth - 1, callers[1])
            found.append(_instruction(called, keys, parent))
            callers[depth] = len(found) - 1
    return tuple(found)


def _instruction(given: Any, keys: tuple[str, ...], parent: int | None) -> Instruction:
    given = _object(given)
    data = given.get("data")
    try:
        decoded = base58.decode(data) if isinstance(data, str) else None
    except ValueError:
        decoded = None
    if decoded is None:
        raise Malformed("an instruction's data is not in base58")
    places = tuple(number(each, below=len(keys)) for each in _list(given.get("accounts")))
    return Instruction(keys[number(given.get("programIdIndex"), below=len(keys))], places, decoded, parent)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed("an answer is not an object where it must be one")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed("an answer is not a list where it must be one")
    return value
