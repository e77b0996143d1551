"""Reading what a caller gave, with the errors that a node has for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pepay_sandbox.jsonrpc import INVALID_PARAMS, RpcError
from pepay_sandbox.solana import base58
from pepay_sandbox.solana.records import Commitment

if TYPE_CHECKING:
    from pepay_sandbox.solana.ledger import Ledger
    from pepay_sandbox.solana.records import Block

MIN_CONTEXT_SLOT_NOT_REACHED: Final = -32016
_COMMITMENTS: Final = {
    "processed": Commitment.PROCESSED,
    "recent": Commitment.PROCESSED,
    "confirmed": Commitment.CONFIRMED,
    "single": Commitment.CONFIRMED,
    "singleGossip": Commitment.CONFIRMED,
    "finalized": Commitment.FINALIZED,
    "max": Commitment.FINALIZED,
    "root": Commitment.FINALIZED,
}
_MAX_U64: Final = 2**64 - 1


def invalid(message: str) -> RpcError:
    """Return the error for a parameter that cannot be used."""
    return RpcError(INVALID_PARAMS, message)


class Config:
    """The configuration object of a call. Members that are null are as good as absent: some clients write all that they know."""

    def __init__(self, value: Any = None) -> None:
        if value is not None and not isinstance(value, dict):
            raise invalid(f"Invalid params: invalid type: {_kind(value)}, expected a configuration object.")
        self._fields = {name: member for name, member in (value or {}).items() if member is not None}

    @classmethod
    def or_encoding(cls, value: Any) -> Config:
        """Read a configuration, or the bare encoding that old clients write in its place."""
        return cls({"encoding": value} if isinstance(value, str) else value)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a member."""
        return self._fields.get(name, default)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a member that is true or false."""
        value = self._fields.get(name, default)
        if not isinstance(value, bool):
            raise invalid(f"Invalid params: invalid type: {_kind(value)}, expected a boolean.")
        return value

    def number(self, name: str) -> int | None:
        """Return a member that is a whole number, None where it is absent."""
        value = self._fields.get(name)
        return None if value is None else number(value)

    def choice(self, name: str, options: tuple[str, ...], default: str) -> str:
        """Return a member that is one of some words."""
        value = self._fields.get(name, default)
        if value not in options:
            known = ", ".join(f"`{each}`" for each in options)
            raise invalid(f"Invalid params: unknown variant `{value}`, expected one of {known}.")
        return value

    def commitment(self, name: str = "commitment") -> Commitment:
        """Return the commitment that is asked for: finalized where nothing is said."""
        value = self._fields.get(name, "finalized")
        if not isinstance(value, str) or value not in _COMMITMENTS:
            raise invalid(f"Invalid params: unknown variant `{value!s:.40}`, expected one of `processed`, `confirmed`, `finalized`.")
        return _COMMITMENTS[value]

    def stored_commitment(self) -> Commitment:
        """Return a commitment for what is read from stored blocks, which the newest is not."""
        commitment = self.commitment()
        if commitment is Commitment.PROCESSED:
            raise invalid("Method does not support commitment below `confirmed`")
        return commitment

    def view(self, ledger: Ledger, commitment: Commitment | None = None) -> Block:
        """Return the block from which the answer is to be seen; raises RpcError where it is older than the caller wants."""
        view = ledger.at(self.commitment() if commitment is None else commitment)
        least = self.number("minContextSlot")
        if least is not None and view.slot < least:
            raise RpcError(MIN_CONTEXT_SLOT_NOT_REACHED, "Minimum context slot has not been reached", {"contextSlot": view.slot})
        return view


def number(value: Any) -> int:
    """Read a whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_U64:
        raise invalid(f"Invalid params: invalid type: {_kind(value)}, expected u64.")
    return value


def address(value: Any) -> str:
    """Read an address."""
    return _key(value, 32, "an address")


def signature(value: Any) -> str:
    """Read a signature."""
    return _key(value, 64, "a signature")


def items(value: Any, most: int, what: str) -> list[Any]:
    """Read a list that is not too long."""
    if not isinstance(value, list):
        raise invalid(f"Invalid params: invalid type: {_kind(value)}, expected a sequence.")
    if len(value) > most:
        raise invalid(f"Too many {what} provided; max {most}")
    return value


def _key(value: Any, size: int, what: str) -> str:
    if not isinstance(value, str):
        raise invalid(f"Invalid params: invalid type: {_kind(value)}, expected {what}.")
    # The longest that so many bytes can be: more would take long to read.
    if len(value) > size * 11 // 8:
        raise invalid("Invalid param: WrongSize")
    try:
        octets = base58.decode(value)
    except ValueError:
        raise invalid("Invalid param: Invalid") from None
    if len(octets) != size:
        raise invalid("Invalid param: WrongSize")
    return value


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, int):
        return f"integer `{value}`"
    if isinstance(value, str):
        return f'string "{value:.40}"'
    return {list: "sequence", dict: "map"}.get(type(value), "number")
