"""What became of one transaction: where it is, whom it names, and what of it looks like a payment and is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.api import Address, ChainUnavailable, Ignored, IgnoredBecause, Inspection, InvalidInput, Transfer
from pepay_solana import decoding
from pepay_solana.crediting import credits_of
from pepay_solana.decoding import Entry, Malformed
from pepay_solana.rpc import NodeError
from pepay_solana.scanning import bare, get_block, get_transaction, reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pepay_core.api import Watchlist
    from pepay_solana.clusters import Cluster
    from pepay_solana.crediting import Receiver
    from pepay_solana.decoding import Transaction
    from pepay_solana.rpc import Endpoint


def signature_of(text: str) -> str:
    """Return a transaction's signature, or raise InvalidInput."""
    try:
        return decoding.signature(text.strip())
    except Malformed:
        raise InvalidInput("a transaction of Solana is named by its signature, 64 bytes in base58", field="transaction") from None


async def inspect(endpoint: Endpoint, cluster: Cluster, signature: str, receivers: Mapping[str, Receiver], watched: Watchlist) -> Inspection | None:
    """Return what an endpoint knows of a transaction, or None when it does not know it, or not as confirmed."""
    (answer,) = await endpoint.ask([get_transaction(signature)])
    if answer is None:
        return None
    if isinstance(answer, NodeError):
        raise answer
    tx = decoding.transaction(answer, Entry(signature, decoding.slot_of(answer), failed=False))
    (found,) = await endpoint.ask([get_block(tx.slot)])
    if found is None or isinstance(found, NodeError):
        raise ChainUnavailable(f"{endpoint.label} does not have the block of a transaction that it knows")
    block = decoding.block(found, tx.slot)
    transfers = tuple(
        Transfer(cluster.id, signature, each.index, each.asset, each.to, each.units, block, sender=each.sender)
        for each in credits_of(tx, receivers, watched.by(reference), watched.by(bare))
    )
    owners = {holding.owner for holding in (*tx.tokens_before.values(), *tx.tokens_after.values())}
    return Inspection(signature, block, tx.failed, transfers, tuple(_ignored(cluster, tx, receivers)), frozenset({*tx.keys, *owners}))


def _ignored(cluster: Cluster, tx: Transaction, receivers: Mapping[str, Receiver]) -> Iterator[Ignored]:
    """Yield what concerns an account of ours and brought nothing."""
    wallets = {receiver.wallet for receiver in receivers.values()}
    for place, key in enumerate(tx.keys):
        receiver = receivers.get(key)
        if tx.failed and receiver is not None:
            yield Ignored(IgnoredBecause.FAILED, Address(receiver.wallet), receiver.asset, str(place))
        holding, before = tx.tokens_after.get(place), tx.tokens_before.get(place)
        if tx.failed or receiver is not None or holding is None or holding.owner not in wallets:
            continue
        units = holding.units - (before.units if before is not None and before.owner == holding.owner else 0)
        if units > 0:
            yield Ignored(IgnoredBecause.UNREGISTERED, Address(holding.owner), f"{cluster.id}/token:{holding.mint}", str(place), units)
