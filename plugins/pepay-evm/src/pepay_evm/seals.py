"""Headers that cannot lie: a block's hash is the digest of its header, and is computed again from what the node says of the header.

Every field that must be right, the parent and the filter of events among them, is then as the block's producer wrote it. Which fields
make up a header differs from network to network, so the form is found out by trying: the first header whose hash comes out right
shows it, and from then on every header must.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from pepay_evm import decoding
from pepay_evm.addresses import keccak
from pepay_evm.decoding import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

log = logging.getLogger(__name__)

# Fields in their order; those of _NUMBERS are quantities, all others are bytes.
_BEGINNING: Final = (
    "parentHash",
    "sha3Uncles",
    "miner",
    "stateRoot",
    "transactionsRoot",
    "receiptsRoot",
    "logsBloom",
    "difficulty",
    "number",
    "gasLimit",
    "gasUsed",
    "timestamp",
    "extraData",
    "mixHash",
    "nonce",
)
_NUMBERS: Final = {
    "difficulty",
    "number",
    "gasLimit",
    "gasUsed",
    "timestamp",
    "baseFeePerGas",
    "blobGasUsed",
    "excessBlobGas",
    "extDataGasUsed",
    "blockGasCost",
    "timestampMilliseconds",
    "minDelayExcess",
}
_FORMS: Final[dict[str, tuple[str, ...]]] = {
    # London, Shanghai, Cancun and Prague each added to the end; BNB Smart Chain and Arbitrum follow.
    "ethereum": (*_BEGINNING, "baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash"),
    # Coreth, the node of Avalanche's C-Chain, up to Granite.
    "avalanche": (
        *_BEGINNING,
        "extDataHash",
        "baseFeePerGas",
        "extDataGasUsed",
        "blockGasCost",
        "blobGasUsed",
        "excessBlobGas",
        "parentBeaconBlockRoot",
        "timestampMilliseconds",
        "minDelayExcess",
    ),
}
# What nodes add to a header without its being part of it.
_BESIDE: Final = {
    "hash",
    "size",
    "totalDifficulty",
    "transactions",
    "uncles",
    "withdrawals",
    "l1BlockNumber",
    "sendCount",
    "sendRoot",
    "blockExtraData",
}
_KNOWN: Final = _BESIDE.union(*_FORMS.values())
_TRIES: Final = 64


class Seal:
    """What is known of one network's headers, shared by its endpoints."""

    def __init__(self) -> None:
        self.form: str | None = None
        """The form whose hashes come out right; None while none is known."""
        self._tries = _TRIES
        self._needed = 1
        self._grown: set[str] = set()

    def check(self, block: Mapping[str, Any], label: str) -> None:
        """Raise Malformed when a block's hash is not that of its header; passes whatever cannot be judged.

        A header with fields that are not known cannot be judged: the network has changed, and the check ends for all its endpoints.
        """
        if self.form is None:
            if self._tries:
                self._tries -= 1
                self.form = form_of(block)
            return
        try:
            right = digest(block, self.form) == decoding.data(block.get("hash"), length=32)
        except Malformed:
            right = False
        if right:
            return
        unknown = sorted(set(block) - _KNOWN)
        if unknown and self._is_growth(label):
            log.warning("headers have new fields (%s) and are no longer verified; a newer version may know them", ", ".join(unknown)[:100])
            self.form, self._tries = None, 0
            return
        raise Malformed(f"{label} gives a header that is not what its hash says")

    def expect(self, endpoints: int) -> None:
        """Say how many endpoints there are: where there are several, one alone cannot end the check."""
        self._needed = min(endpoints, 2)

    def _is_growth(self, label: str) -> bool:
        self._grown.add(label)
        return len(self._grown) >= self._needed


def form_of(block: Mapping[str, Any]) -> str | None:
    """Return the form in which a header's hash comes out right, or None."""
    for form in _FORMS:
        try:
            if digest(block, form) == decoding.data(block.get("hash"), length=32):
                return form
        except Malformed:
            continue
    return None


def digest(block: Mapping[str, Any], form: str) -> str:
    """Return the Keccak-256 digest of a header's RLP (Ethereum Yellow Paper, appendix B), as 0x text; raises Malformed."""
    payload = b"".join(_items(block, _FORMS[form]))
    return "0x" + keccak(_length(len(payload), 0xC0) + payload).hex()


def _items(block: Mapping[str, Any], fields: tuple[str, ...]) -> Iterator[bytes]:
    present = [name for name in fields if block.get(name) is not None]
    for name in present:
        if name in _NUMBERS:
            number = decoding.quantity(block[name])
            content = number.to_bytes((number.bit_length() + 7) // 8, "big")
        else:
            content = bytes.fromhex(decoding.data(block[name])[2:])
        yield content if len(content) == 1 and content[0] < 0x80 else _length(len(content), 0x80) + content


def _length(size: int, offset: int) -> bytes:
    if size <= 55:
        return bytes([offset + size])
    written = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([offset + 55 + len(written)]) + written
