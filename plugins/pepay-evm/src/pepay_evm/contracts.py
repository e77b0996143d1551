"""What token contracts say of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pepay_evm import decoding
from pepay_evm.rpc import Call, NodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pepay_evm.rpc import Endpoint

DECIMALS: Final = "0x313ce567"
TRANSFER: Final = "0xa9059cbb"
BALANCE_OF: Final = "0x70a08231"


async def read_decimals(endpoint: Endpoint, contracts: Sequence[str]) -> dict[str, int | str]:
    """Return the decimals of each contract, or in words why it has none. Raises ChainUnavailable when the node does not answer."""
    if not contracts:
        return {}
    answers = await endpoint.ask(
        [Call("eth_getCode", (contract, "latest")) for contract in contracts]
        + [Call("eth_call", ({"to": contract, "data": DECIMALS}, "latest"), lenient=True) for contract in contracts]
    )
    codes, results = answers[: len(contracts)], answers[len(contracts) :]
    return {contract: _judged(code, result) for contract, code, result in zip(contracts, codes, results, strict=True)}


def transfer_call(to: str, units: int) -> str:
    """Return the data of ``transfer(to, units)``."""
    return f"{TRANSFER}{to[2:].lower():0>64}{units:064x}"


def balance_call(owner: str) -> str:
    """Return the data of ``balanceOf(owner)``."""
    return f"{BALANCE_OF}{owner[2:].lower():0>64}"


def _judged(code: Any, result: Any) -> int | str:
    if decoding.data(code) == "0x":
        return "there is no contract at this address"
    if isinstance(result, NodeError):
        return "the contract does not tell its decimals"
    word = decoding.data(result)
    if len(word) != 66 or int(word, 16) > 255:
        return "the contract does not tell its decimals"
    return int(word, 16)
