"""What one endpoint holds of a transfer that another reported."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

from pepay_core.api import ChainUnavailable
from pepay_evm import decoding
from pepay_evm.decoding import TRANSFER
from pepay_evm.departures import FACTORY, FLUSHED
from pepay_evm.events import SYSTEM
from pepay_evm.networks import contract_of
from pepay_evm.rpc import Call, NodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pepay_core.api import Transfer
    from pepay_evm.decoding import Receipt
    from pepay_evm.rpc import Endpoint

_NATIVE: Final = "0x" + "00" * 32


class Vote(Enum):
    """One endpoint's word."""

    YES = auto()
    NO = auto()
    """It has the block, and the transfer is not in it."""
    ELSEWHERE = auto()
    """It has another block at that height."""
    SILENT = auto()
    """It cannot tell."""


async def testify(endpoint: Endpoint, transfers: Sequence[Transfer]) -> list[Vote]:
    """Return an endpoint's word on each transfer; raises ChainUnavailable when it does not answer properly."""
    calls: list[Call] = []
    for transfer in transfers:
        calls.append(Call("eth_getBlockByNumber", (hex(transfer.block.height), False), lenient=True))
        calls += _questions(transfer)
    answers = iter(await endpoint.ask(calls))
    votes: list[Vote] = []
    for transfer in transfers:
        block = next(answers)
        told = [next(answers) for _ in _questions(transfer)]
        votes.append(_judged(transfer, block, told))
    return votes


def _questions(transfer: Transfer) -> list[Call]:
    calls = [] if transfer.by_balance else [Call("eth_getTransactionReceipt", (transfer.tx,))]
    if _by_balance(transfer):
        before, at = hex(max(transfer.block.height - 1, 0)), hex(transfer.block.height)
        address = transfer.to.address
        flushes = {"fromBlock": at, "toBlock": at, "address": FACTORY, "topics": [FLUSHED, None, f"0x{address[2:].lower():0>64}"]}
        calls += [
            *(Call("eth_getBalance", (address, place), lenient=True) for place in (before, at)),
            *(Call("eth_getTransactionCount", (address, place), lenient=True) for place in (before, at)),
            Call("eth_getLogs", (flushes,), lenient=True),
        ]
    elif transfer.index == "0":
        calls.append(Call("eth_getTransactionByHash", (transfer.tx,)))
    return calls


def _by_balance(transfer: Transfer) -> bool:
    return transfer.by_balance or not transfer.index.isdecimal()


def _judged(transfer: Transfer, block: Any, told: list[Any]) -> Vote:
    if block is None or isinstance(block, NodeError):
        return Vote.SILENT
    header = decoding.header(block, full=False)
    if header.height != transfer.block.height:
        raise ChainUnavailable("an endpoint answered with another block")
    if (header.hash, header.time) != (transfer.block.hash, transfer.block.time):
        return Vote.ELSEWHERE
    if transfer.by_balance:
        return _grew(transfer, told)
    if told[0] is None:
        return Vote.NO
    receipt = decoding.receipt(told[0])
    if (receipt.transaction, receipt.block, receipt.succeeded) != (transfer.tx, transfer.block.hash, True):
        return Vote.NO
    if _by_balance(transfer):
        return _grew(transfer, told[1:])
    holds = _pays(transfer, told[1]) if transfer.index == "0" else _emits(transfer, receipt)
    return Vote.YES if holds else Vote.NO


def _grew(transfer: Transfer, told: list[Any]) -> Vote:
    """Return whether the balance grew by as much, as far as what left in the same block does not hide it."""
    if any(isinstance(each, NodeError) or each is None for each in told):
        return Vote.SILENT  # the state of that block is forgotten
    before, after, sent_before, sent = (decoding.quantity(each) for each in told[:4])
    # What a flush has moved on in the same block arrived as well.
    flushed = sum(int(log.data, 16) for log in decoding.logs(told[4]) if log.block == transfer.block.hash and log.topics[3:] == (_NATIVE,))
    if after - before + flushed >= transfer.units:
        return Vote.YES
    # What the owner took away in the same block hides how much arrived.
    return Vote.NO if sent == sent_before else Vote.SILENT


def _pays(transfer: Transfer, answer: Any) -> bool:
    if answer is None:
        return False
    transaction = decoding.listed_transaction(answer, block=transfer.block.hash)
    told = (transaction.hash, transaction.to, transaction.value)
    return told == (transfer.tx, transfer.to.address.lower(), transfer.units) and not contract_of(transfer.asset)


def _emits(transfer: Transfer, receipt: Receipt) -> bool:
    place = int(transfer.index) - 1
    if place >= len(receipt.logs):
        return False
    log = receipt.logs[place]
    emitter = contract_of(transfer.asset) or SYSTEM
    if log.address != emitter or len(log.topics) != 3 or log.topics[0] != TRANSFER or len(log.data) != 66:
        return False
    # What a balance proved may be less than what the event says, as where a token takes a fee; it is never more.
    return int(log.topics[2], 16) == int(transfer.to.address, 16) and int(log.data, 16) >= transfer.units
