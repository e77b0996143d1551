"""What an endpoint can do, as its probe found it: one record that scanning works by and that ``pepay doctor`` shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pepay_core.api import Block
    from pepay_evm.balances import Way
    from pepay_evm.events import Source
    from pepay_evm.tracing import Trace


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one endpoint showed that it can do, and its newest block at the time."""

    head: Block
    trace: Trace | None = None
    """How it tells the native coins that contracts send."""
    way: Way | None = None
    """How it reads many balances in one call."""
    by_hash: bool = False
    """``eth_call`` takes a block's hash, which no reorganisation can turn into another block."""
    source: Source | None = None
    """Where it lets events be read, the cheapest way that it has."""
    log_range: int | None = None
    """The most blocks at once for which ``eth_getLogs`` answered in the probe; None where events are not read by ranges."""
    finalized: bool = False
    """It knows the block tag ``finalized``."""

    @property
    def native(self) -> str:
        """How native coin that contracts send is found, for people."""
        return self.trace or (f"balances by {self.way}" if self.way else "nothing")

    @property
    def lack(self) -> str | None:
        """Why payments could be missed through it, so that it must not be used, or None."""
        if self.trace is None and self.way is None:
            return "lets neither transactions be traced nor balances be read"
        return "has eth_getLogs disabled, and no eth_getBlockReceipts either" if self.source is None else None
