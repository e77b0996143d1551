"""One name for one payment: what endpoints differ in, the record does not.

Native coin that a contract sends is seen by some endpoints as a transfer inside a transaction, and by others only as a balance that
grew in a block. A look by one kind after a look by the other must not credit the same money again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pepay_core.domain.assets import AssetId, ChainId
    from pepay_core.domain.chains import Destination, Transfer

    Place = tuple[ChainId, AssetId, Destination, str]


def recognised(found: Iterable[Transfer], known: Iterable[Transfer]) -> tuple[Transfer, ...]:
    """Return what a look found, with money that is known under another name already under the names that it has.

    ``known`` are the transfers that are credited now. A balance that grew in a block stands for everything that contracts sent to that
    destination in that block, and the other way round: whichever was credited first stays.
    """
    by_balance: dict[Place, list[Transfer]] = {}
    internal: dict[Place, list[Transfer]] = {}
    for transfer in known:
        if transfer.by_balance:
            by_balance.setdefault(_place(transfer), []).append(transfer)
        elif transfer.internal:
            internal.setdefault(_place(transfer), []).append(transfer)

    result: dict[object, Transfer] = {}
    for transfer in found:
        others = internal if transfer.by_balance else by_balance if transfer.internal else {}
        for each in others.get(_place(transfer), [transfer]):
            result.setdefault(each.key, each)
    return tuple(result.values())


def _place(transfer: Transfer) -> Place:
    return (transfer.chain, transfer.asset, transfer.to, transfer.block.hash)
