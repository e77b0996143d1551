"""What token contracts say of themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pepay_evm import decoding
from pepay_evm.addresses import keccak
from pepay_evm.rpc import Call, NodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pepay_evm.rpc import Endpoint

DECIMALS: Final = "0x313ce567"
TRANSFER: Final = "0xa9059cbb"
BALANCE_OF: Final = "0x70a08231"

# Where upgradeable contracts keep the address of the code behind them: EIP-1967, and the place that came before it.
_SLOTS: Final = (
    f"0x{int.from_bytes(keccak(b'eip1967.proxy.implementation')) - 1:064x}",
    f"0x{int.from_bytes(keccak(b'eip1967.proxy.beacon')) - 1:064x}",
    f"0x{keccak(b'org.zeppelinos.proxy.implementation').hex()}",
)
_PER_CONTRACT: Final = 2 + len(_SLOTS)

# How nodes say that the contract failed, and not they.
_FAILED: Final = re.compile(
    r"revert|vm execution error|vm exception|evm error|invalid opcode|invalid jump|stack (under|over)|out of gas|gas required"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a contract was found to be: its decimals, or in words why it has none, and a digest of its code and of what stands behind it."""

    decimals: int | str
    code: str
    behind: tuple[str, ...]


async def read_facts(endpoint: Endpoint, contracts: Sequence[str]) -> dict[str, Facts]:
    """Return the facts of each contract. Raises ChainUnavailable when the node does not answer."""
    if not contracts:
        return {}
    answers = await endpoint.ask([call for contract in contracts for call in facts_calls(contract)])
    return {contract: facts(answers[place * _PER_CONTRACT : (place + 1) * _PER_CONTRACT]) for place, contract in enumerate(contracts)}


def facts_calls(contract: str) -> list[Call]:
    """Return what is asked for the facts of a contract."""
    return [
        Call("eth_getCode", (contract, "latest")),
        Call("eth_call", ({"to": contract, "data": DECIMALS}, "latest"), lenient=True),
        *(Call("eth_getStorageAt", (contract, slot, "latest"), lenient=True) for slot in _SLOTS),
    ]


def facts(answers: Sequence[Any]) -> Facts:
    """Return the facts that the answers give; raises the node's error where the node failed, and not the contract."""
    code, decimals, *slots = answers
    raw = decoding.data(code)
    digest = keccak(bytes.fromhex(raw[2:])).hex() if raw != "0x" else ""
    # A node that does not tell storage tells no change of it either.
    behind = tuple("" if isinstance(slot, NodeError) or slot is None else decoding.data(slot) for slot in slots)
    return Facts(_judged(raw, decimals), digest, behind)


def contract_failed(error: NodeError) -> bool:
    """Tell whether a call failed because of the contract, which every node would answer alike."""
    return _FAILED.search(error.message.lower()) is not None


def transfer_call(to: str, units: int) -> str:
    """Return the data of ``transfer(to, units)``."""
    return f"{TRANSFER}{to[2:].lower():0>64}{units:064x}"


def balance_call(owner: str) -> str:
    """Return the data of ``balanceOf(owner)``."""
    return f"{BALANCE_OF}{owner[2:].lower():0>64}"


def _judged(code: str, result: Any) -> int | str:
    if code == "0x":
        return "there is no contract at this address"
    if isinstance(result, NodeError):
        if not contract_failed(result):
            raise result
        return "the contract does not tell its decimals"
    word = decoding.data(result)
    if len(word) != 66 or int(word, 16) > 255:
        return "the contract does not tell its decimals"
    return int(word, 16)
