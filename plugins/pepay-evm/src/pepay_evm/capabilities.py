"""What an endpoint can do beyond the minimum, as the probe at start found it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one endpoint showed that it can do; without a probe, nothing is expected of it.

    A capability is a way to look that costs less or sees more. None of them is needed to receive tokens and plain native payments.
    """

    trace: Literal["trace_block", "debug"] | None = None
    """How it tells the native coins that contracts send: ``trace_block``, or ``debug_traceBlockByNumber`` with the call tracer."""
    override: bool = False
    """``eth_call`` runs code that we put in place of an account's: many balances in one call."""
    deployless: bool = False
    """``eth_call`` runs creation code and returns what it returns: the same without overrides, with fewer addresses."""
    receipts: bool = False
    """``eth_getBlockReceipts`` answers, and so does it by block hash."""
    finalized: bool = False
    """It knows the block tag ``finalized``."""
    safe: bool = False
    """It knows the block tag ``safe``."""
    logs: bool = False
    """``eth_getLogs`` answers at all; some public endpoints have it disabled."""
    log_range: int | None = None
    """The most blocks for which ``eth_getLogs`` answered in the probe; None where it never did."""
    deployer: bool = False
    """The CREATE2 deployer of EIP-7997 is on the chain."""
    factory: bool = False
    """The factory of keyless deposit addresses is on the chain."""
    multicall: bool = False
    """Multicall3 is on the chain."""


UNKNOWN = Capabilities()
"""What is assumed of an endpoint that has not been probed."""
