"""Contracts that send native coin in every way, and how they are called. Their source is ``contracts/Payers.sol``."""

from __future__ import annotations

from typing import Final

from payers_bytecode import BEQUEST_CREATION, FOUNDER_CREATION, MULTICALL_DEPLOYED, PAYER_CALLS, PAYER_CREATION

from pepay_evm import balances


def try_each(payments: list[tuple[str, int]]) -> str:
    """Return the data by which the Payer pays many, and goes on where one refuses."""
    count = f"{len(payments):064x}"
    to = count + "".join(_word(each) for each, _ in payments)
    values = count + "".join(f"{units:064x}" for _, units in payments)
    return f"{PAYER_CALLS['tryEach(address[],uint256[])']}{64:064x}{64 + len(to) // 2:064x}{to}{values}"


def pay_around(to: str, first: int, undone: int, second: int) -> str:
    """Return the data by which the Payer pays twice, with a payment in between that is undone."""
    return f"{PAYER_CALLS['payAround(address,uint256,uint256,uint256)']}{_word(to)}{first:064x}{undone:064x}{second:064x}"


def execute(to: str, value: int, data: str = "0x") -> str:
    """Return the data by which the Payer calls whatever it is told, as smart wallets do."""
    body = data.removeprefix("0x")
    return f"{PAYER_CALLS['execute(address,uint256,bytes)']}{_word(to)}{value:064x}{96:064x}{len(body) // 2:064x}{body}{'0' * (-len(body) % 64)}"


def aggregate(calls: list[tuple[str, str]]) -> str:
    """Return the data by which Multicall3 makes several calls in one transaction, all of which must succeed."""
    elements = []
    for target, data in calls:
        body = data.removeprefix("0x")
        elements.append(f"{_word(target)}{0:064x}{96:064x}{len(body) // 2:064x}{body}{'0' * (-len(body) % 64)}")
    offsets, place = "", 32 * len(calls)
    for element in elements:
        offsets += f"{place:064x}"
        place += len(element) // 2
    return f"0x82ad56cb{32:064x}{len(calls):064x}{offsets}{''.join(elements)}"


def bequeath(to: str, salt: int) -> str:
    """Return the data by which the Payer makes a contract that destroys itself in favour of somebody."""
    return f"{PAYER_CALLS['bequeath(address,bytes32)']}{_word(to)}{salt:064x}"


def founder(to: str, value: int) -> str:
    """Return what deploys a contract that pays in its constructor."""
    return f"{FOUNDER_CREATION}{_word(to)}{value:064x}"


def bequest(to: str) -> str:
    """Return what deploys a contract that destroys itself at once in favour of somebody."""
    return f"{BEQUEST_CREATION}{_word(to)}"


def _word(address: str) -> str:
    return f"{address.removeprefix('0x').lower():0>64}"


PAYER: Final = PAYER_CREATION

MULTICALL: Final = balances.MULTICALL
"""Where networks have Multicall3."""

MULTICALL_CODE: Final = MULTICALL_DEPLOYED
"""Deployed code that does the part of Multicall3 that reads balances."""
