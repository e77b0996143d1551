"""What went on from issued destinations, and the balances of wallets that come of it."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pepay_core.domain.assets import Address, AssetId, ChainId
from pepay_core.domain.chains import Block, Departure, Destination
from pepay_core.domain.sweeps import Balance, Sweep
from pepay_core.storage.repositories.rows import Repository
from pepay_core.storage.tables import SweepRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from pepay_core.domain.ids import WalletId
    from pepay_core.services.records import TransferKey


class SweepRepository(Repository):
    """Sweeps: unique by chain, transaction, index and asset."""

    async def add(self, sweep: Sweep) -> bool:
        return await self._insert_new(SweepRow, _row(sweep))

    async def save(self, sweep: Sweep) -> None:
        chain, tx, position, asset = sweep.departure.key
        where = [SweepRow.chain == chain, SweepRow.tx == tx, SweepRow.position == position, SweepRow.asset == asset]
        if not await self._update(SweepRow, _row(sweep), *where):
            raise LookupError(sweep.departure.key)

    async def known(self, keys: Collection[TransferKey]) -> dict[TransferKey, Sweep]:
        wanted = set(keys)
        rows = await self._of(SweepRow, SweepRow.tx, {tx for _, tx, _, _ in wanted})
        found = {sweep.departure.key: sweep for sweep in map(_sweep, rows)}
        return {key: sweep for key, sweep in found.items() if key in wanted}

    async def above(self, chain: ChainId, height: int) -> list[Sweep]:
        where = [SweepRow.chain == chain, SweepRow.height > height, SweepRow.active.eq(True)]
        return [_sweep(row) for row in await self._select(SweepRow, *where, order=[SweepRow.seq])]

    async def balances(self, wallets: Collection[WalletId]) -> dict[WalletId, list[Balance]]:
        totals: dict[tuple[WalletId, AssetId], list[int]] = {}
        for side, sql in enumerate((_RECEIVED, _SWEPT)):
            for row in await self._sums(sql, wallets):
                totals.setdefault((row["wallet"], AssetId(row["asset"])), [0, 0])[side] = int(row["units"])
        found: dict[WalletId, list[Balance]] = {}
        for (wallet, asset), (received, swept) in sorted(totals.items()):
            found.setdefault(wallet, []).append(Balance(asset, received, swept))
        return found

    async def at_destinations(self, chain: ChainId, wallets: Collection[WalletId]) -> dict[Address, list[Balance]]:
        totals: dict[tuple[Address, AssetId], list[int]] = {}
        for side, sql in enumerate((_RECEIVED_EACH, _SWEPT_EACH)):
            for row in await self._sums(sql, wallets, chain):
                totals.setdefault((Address(row["address"]), AssetId(row["asset"])), [0, 0])[side] = int(row["units"])
        found: dict[Address, list[Balance]] = {}
        for (address, asset), (received, swept) in sorted(totals.items()):
            found.setdefault(address, []).append(Balance(asset, received, swept))
        return found

    async def _sums(self, sql: str, wallets: Collection[WalletId], *args: Any) -> list[dict[str, Any]]:
        if not wallets:
            return []
        places = ", ".join("{}" for _ in wallets)
        written = sql.replace("@sum", "SUM" if self._session.postgres else "units_sum").replace("@wallets", places)
        return await self._raw(written, *wallets, *args)


_JOINED = "pepay_payment p JOIN pepay_destination d ON d.invoice = p.invoice AND d.address = p.address"
_RECEIVED = (
    f"SELECT d.wallet AS wallet, p.asset AS asset, @sum(p.units) AS units FROM {_JOINED} "  # noqa: S608 - constants
    "WHERE d.wallet IN (@wallets) AND p.status = 'confirmed' GROUP BY d.wallet, p.asset"
)
_SWEPT = "SELECT wallet, asset, @sum(units) AS units FROM pepay_sweep WHERE wallet IN (@wallets) AND active GROUP BY wallet, asset"
_RECEIVED_EACH = (
    f"SELECT p.address AS address, p.asset AS asset, @sum(p.units) AS units FROM {_JOINED} "  # noqa: S608 - constants
    "WHERE d.wallet IN (@wallets) AND p.chain = {} AND p.status = 'confirmed' GROUP BY p.address, p.asset"
)
_SWEPT_EACH = (
    "SELECT address, asset, @sum(units) AS units FROM pepay_sweep WHERE wallet IN (@wallets) AND chain = {} AND active GROUP BY address, asset"
)


def _row(sweep: Sweep) -> dict[str, Any]:
    departure = sweep.departure
    return {
        "chain": departure.chain,
        "tx": departure.tx,
        "position": departure.index,
        "asset": departure.asset,
        "address": departure.source.address,
        "reference": departure.source.reference,
        "recipient": departure.to,
        "units": departure.units,
        "height": departure.block.height,
        "block_hash": departure.block.hash,
        "block_time": departure.block.time,
        "invoice": sweep.invoice,
        "merchant": sweep.merchant,
        "livemode": sweep.livemode,
        "wallet": sweep.wallet,
        "seen_at": sweep.seen_at,
        "active": sweep.active,
    }


def _sweep(row: dict[str, Any]) -> Sweep:
    return Sweep(
        departure=Departure(
            chain=ChainId(row["chain"]),
            tx=row["tx"],
            index=row["position"],
            asset=AssetId(row["asset"]),
            source=Destination(Address(row["address"]), row["reference"]),
            to=Address(row["recipient"]),
            units=row["units"],
            block=Block(row["height"], row["block_hash"], row["block_time"]),
        ),
        invoice=row["invoice"],
        merchant=row["merchant"],
        livemode=row["livemode"],
        wallet=row["wallet"],
        seen_at=row["seen_at"],
        active=row["active"],
    )
