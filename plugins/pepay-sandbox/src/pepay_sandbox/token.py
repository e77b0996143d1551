"""The test token: its contract, and the calls that deploy it, mint it and send it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

NAME: Final = "USD Coin (test)"
SYMBOL: Final = "USDC"
DECIMALS: Final = 6
RATE_ID: Final = "usd-coin"

_MINT: Final = "40c10f19"
_TRANSFER: Final = "a9059cbb"
_BALANCE_OF: Final = "70a08231"


@dataclass(frozen=True, slots=True)
class TestToken:
    """A deployed test token."""

    __test__ = False  # not a test, whatever its name begins with

    address: str
    symbol: str = SYMBOL
    decimals: int = DECIMALS
    rate_id: str = RATE_ID

    def body(self) -> dict[str, Any]:
        """Return it as ``tokens`` of an EVM network are configured."""
        return {"symbol": self.symbol, "address": self.address, "decimals": self.decimals, "rate_id": self.rate_id}


def deployment(name: str = NAME, symbol: str = SYMBOL, decimals: int = DECIMALS) -> str:
    """Return the data of the transaction that creates the contract."""
    code = (files("pepay_sandbox") / "contracts" / "TestToken.hex").read_text().strip()
    first, second = _text(name), _text(symbol)
    head = _word(96) + _word(96 + len(first) // 2) + _word(decimals)
    return "0x" + code + head + first + second


def mint(to: str, units: int) -> str:
    """Return the data of a call that makes base units appear; anybody may send it."""
    return f"0x{_MINT}{_address(to)}{_word(units)}"


def transfer(to: str, units: int) -> str:
    """Return the data of a call that sends base units."""
    return f"0x{_TRANSFER}{_address(to)}{_word(units)}"


def balance_of(holder: str) -> str:
    """Return the data of a call that answers with a holder's base units."""
    return f"0x{_BALANCE_OF}{_address(holder)}"


def _word(number: int) -> str:
    return f"{number:064x}"


def _address(text: str) -> str:
    return text.removeprefix("0x").lower().rjust(64, "0")


def _text(text: str) -> str:
    octets = text.encode()
    padded = octets.ljust(-(-len(octets) // 32) * 32, b"\0")
    return _word(len(octets)) + padded.hex()
