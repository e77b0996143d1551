"""Methods that no other node has: time and forks on command."""

from __future__ import annotations

import base64
from binascii import Error as NotBase64
from typing import TYPE_CHECKING, Any, Final

from solders.transaction import VersionedTransaction

from pepay_sandbox.solana import params
from pepay_sandbox.solana.ledger import FinalBlock
from pepay_sandbox.solana.methods_chain import in_context
from pepay_sandbox.solana.params import invalid

if TYPE_CHECKING:
    from pepay_sandbox.solana.node import Node

_MAX_TICKS: Final = 10_000


def _tick(node: Node, slots: Any = 1) -> int:
    count = params.number(slots)
    if count > _MAX_TICKS:
        raise invalid(f"Too many slots; max {_MAX_TICKS}")
    node.ledger.tick(count)
    return node.ledger.tip.slot


def _rollback(node: Node, slots: Any) -> list[str]:
    try:
        return node.ledger.rollback(params.number(slots))
    except FinalBlock as exc:
        raise invalid(str(exc)) from None


def _reland(node: Node, signature: Any) -> str | None:
    """Send a transaction again that a fork has dropped; null where it can land no more."""
    raw = node.ledger.dropped(params.signature(signature))
    if raw is None:
        raise invalid("no fork dropped this transaction")
    landed = node.ledger.submit(VersionedTransaction.from_bytes(raw), raw)
    return landed.signature if landed else None


def _forward(node: Node, seconds: Any) -> int:
    """Set the clock ahead for the blocks to come, and open one."""
    node.ledger.forward(params.number(seconds))
    node.ledger.tick()
    return node.ledger.tip.time


def _pause(node: Node) -> int:
    node.ticking = False
    return node.ledger.tip.slot


def _resume(node: Node) -> int:
    node.ticking = True
    return node.ledger.tip.slot


def _load_program(node: Node, address: Any, code: Any) -> dict[str, Any]:
    """Put a compiled program, in base64, at an address."""
    try:
        node.ledger.engine.load_program(params.address(address), base64.b64decode(code, validate=True))
    except (TypeError, ValueError, NotBase64) as exc:
        raise invalid(f"not a program: {exc!s:.100}") from None
    return in_context(node.ledger.tip, None)


METHODS: Final = {
    "sandbox_tick": _tick,
    "sandbox_rollback": _rollback,
    "sandbox_reland": _reland,
    "sandbox_forward": _forward,
    "sandbox_pause": _pause,
    "sandbox_resume": _resume,
    "sandbox_loadProgram": _load_program,
}
