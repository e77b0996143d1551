"""What happened at an address in a range of slots, from the lists that nodes keep: newest first, without a beginning, and not always whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pepay_core.api import ChainUnavailable
from pepay_solana import decoding
from pepay_solana.rpc import Call

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pepay_core.api import Block
    from pepay_solana.decoding import Entry
    from pepay_solana.rpc import Endpoint

FIRST: Final = 50
"""How much of a history is asked for at first: most addresses were used less often than that since the last look."""
PAGE: Final = 1000
_MOST_PAGES: Final = 200


async def histories(endpoint: Endpoint, above: Mapping[str, int], until: Block) -> list[Entry]:
    """Return what happened at each address in the slots above a number of its own, up to ``until``, each transaction once, oldest first.

    Raises ChainUnavailable when the endpoint does not know ``until`` yet, or when a list breaks off.
    """
    addresses = list(above)
    newest = await endpoint.ask([_ask(address, FIRST, until) for address in addresses])
    found: dict[str, Entry] = {}
    for address, answer in zip(addresses, newest, strict=True):
        entries = decoding.history(answer, FIRST)
        if not _reached(entries, FIRST, above[address]):
            entries = await _whole(endpoint, address, above[address], until)
        for entry in entries:
            if above[address] < entry.slot <= until.height:
                found[entry.signature] = entry
    # Newest first is the order of the lists, so what is of one slot is turned round as well.
    oldest_first = list(found.values())[::-1]
    return sorted(oldest_first, key=lambda entry: entry.slot)


async def _whole(endpoint: Endpoint, address: str, above: int, until: Block) -> list[Entry]:
    """Return a history page by page, back to a slot."""
    entries: list[Entry] = []
    before: str | None = None
    for _ in range(_MOST_PAGES):
        (answer,) = await endpoint.ask([_ask(address, PAGE, until, before)])
        page = decoding.history(answer, PAGE)
        if before is not None and not page:
            await _insist(endpoint, before)
        entries += page
        if _reached(page, PAGE, above):
            return entries
        before = page[-1].signature
    raise ChainUnavailable(f"{address} was used more than {_MOST_PAGES * PAGE} times since it was looked at")


async def _insist(endpoint: Endpoint, signature: str) -> None:
    """Tell the end of a history from a node that does not know where it was to go on: both answer with nothing."""
    (answer,) = await endpoint.ask([Call("getSignatureStatuses", ([signature], {"searchTransactionHistory": True}))])
    statuses = answer.get("value") if isinstance(answer, dict) else None
    if not isinstance(statuses, list) or len(statuses) != 1 or statuses[0] is None:
        raise ChainUnavailable(f"{endpoint.label} lost its place in a history")


def _reached(entries: list[Entry], limit: int, above: int) -> bool:
    return len(entries) < limit or entries[-1].slot <= above


def _ask(address: str, limit: int, until: Block, before: str | None = None) -> Call:
    options: dict[str, Any] = {"limit": limit, "commitment": "confirmed", "minContextSlot": until.height}
    if before is not None:
        options["before"] = before
    return Call("getSignaturesForAddress", (address, options))
