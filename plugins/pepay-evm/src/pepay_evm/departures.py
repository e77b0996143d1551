"""What the deposit factory says that it moved: the departures of a range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pepay_core.api import Block, ChainUnavailable, Departure, Destination
from pepay_evm import decoding
from pepay_evm.addresses import ZERO, checksummed
from pepay_evm.bytecode import DEPOSIT_FACTORY_EVENTS
from pepay_evm.decoding import Malformed
from pepay_evm.deposits import FACTORY as _FACTORY
from pepay_evm.rpc import Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pepay_core.api import AssetId, ChainId
    from pepay_evm.decoding import Header, Log
    from pepay_evm.rpc import Endpoint

FACTORY: Final = _FACTORY.lower()
"""The contract whose events these are, as nodes write it."""

FLUSHED: Final = DEPOSIT_FACTORY_EVENTS["Flushed(address,address,address,uint256)"]
"""The first topic of those events."""


class Departures:
    """Reads the factory's events of one network: what they say was measured by the factory, which moves nothing for anybody else."""

    def __init__(self, chain: ChainId, native: AssetId, assets: Mapping[str, AssetId]) -> None:
        self._chain = chain
        self._assets = {**assets, ZERO: native}

    async def read(self, endpoint: Endpoint, headers: Iterable[Header], logs: Sequence[Log]) -> tuple[Departure, ...]:
        """Return the departures among the events of a range, in chain order; raises ChainUnavailable where the node contradicts itself.

        Tokens that are not registered left unseen, as they came.
        """
        flushes: dict[str, list[Log]] = {}
        for log in logs:
            if log.address == FACTORY and log.topics[:1] == (FLUSHED,):
                flushes.setdefault(log.transaction, []).append(log)
        if not flushes:
            return ()
        by_hash = {header.hash: header for header in headers}
        receipts = await endpoint.ask([Call("eth_getTransactionReceipt", (each,)) for each in flushes])
        found: list[tuple[tuple[int, int, int], Departure]] = []
        for identity, raw in zip(flushes, receipts, strict=True):
            if raw is None:
                raise ChainUnavailable(f"{endpoint.label} has no receipt for a transaction whose events it lists")
            receipt = decoding.receipt(raw)
            listed = flushes[identity]
            if receipt.transaction != identity or not receipt.succeeded or any(log not in receipt.logs for log in listed):
                raise ChainUnavailable(f"{endpoint.label} contradicts itself about a flush")
            header = by_hash[listed[0].block]
            for position, log in enumerate(receipt.logs):
                departure = self._departure(header, 1 + position, log)
                if departure is not None:
                    found.append(((header.height, receipt.position, position), departure))
        return tuple(departure for _, departure in sorted(found, key=lambda each: each[0]))

    def _departure(self, header: Header, ordinal: int, log: Log) -> Departure | None:
        if log.address != FACTORY or log.topics[:1] != (FLUSHED,):
            return None
        if len(log.topics) != 4 or len(log.data) != 66:
            raise Malformed("an event of the deposit factory is not what the factory writes")
        treasury, deposit, token = ("0x" + topic[26:] for topic in log.topics[1:])
        asset, units = self._assets.get(token), int(log.data, 16)
        if asset is None or not units:
            return None
        return Departure(
            chain=self._chain,
            tx=log.transaction,
            index=str(ordinal),
            asset=asset,
            source=Destination(checksummed(deposit)),
            to=checksummed(treasury),
            units=units,
            block=Block(header.height, header.hash, header.time),
        )
