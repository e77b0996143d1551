"""The filter in a block's header that tells what events the block may hold, and surely which it does not."""

from __future__ import annotations

from pepay_evm.addresses import keccak


def mask(*entries: str) -> int:
    """Return the bits that are set in the filter of every block with an event that has all these addresses and topics (0x data)."""
    bits = 0
    for entry in entries:
        digest = keccak(bytes.fromhex(entry[2:]))
        for start in (0, 2, 4):
            bits |= 1 << (int.from_bytes(digest[start : start + 2], "big") & 2047)
    return bits


def may_hold(bloom: int, wanted: int) -> bool:
    """Tell whether a block with this filter may hold such an event."""
    return bloom & wanted == wanted
