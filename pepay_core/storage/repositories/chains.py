"""What watchers remember of their chains, and what was paid for coins."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pepay_core.domain.assets import Address, AssetId
from pepay_core.domain.chains import Block, Destination
from pepay_core.domain.coverage import ChainHealth, ChainState, Coverage
from pepay_core.domain.rates import AgreedRate, NoRate, Pair
from pepay_core.services.records import RateRecord
from pepay_core.storage.codecs import from_amount, from_evidence, from_sources, to_amount, to_evidence, to_sources
from pepay_core.storage.repositories.rows import Repository
from pepay_core.storage.tables import ChainStateRow, CheckpointRow, ColdBalanceRow, CoverageRow, RateRow

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from pepay_core.domain.assets import ChainId


class ChainRepository(Repository):
    """Checkpoints, coverage and health per chain. A checkpoint at a height that has one takes its place."""

    async def hold(self, chain: ChainId) -> None:
        if self._session.postgres:
            await self._raw("SELECT pg_advisory_xact_lock(hashtextextended({}, 0))", f"pepay chain {chain}")

    async def newest_checkpoint(self, chain: ChainId) -> Block | None:
        return _first(await self._select(CheckpointRow, CheckpointRow.chain == chain, order=[CheckpointRow.height], ascending=False, limit=1))

    async def checkpoint(self, chain: ChainId, *, above: int | None = None, below: int | None = None) -> Block | None:
        limits = [
            *([CheckpointRow.height >= above] if above is not None else []),
            *([CheckpointRow.height <= below] if below is not None else []),
        ]
        order, ascending = [CheckpointRow.height], above is not None
        return _first(await self._select(CheckpointRow, CheckpointRow.chain == chain, *limits, order=order, ascending=ascending, limit=1))

    async def checkpoints(self, chain: ChainId) -> list[Block]:
        rows = await self._select(CheckpointRow, CheckpointRow.chain == chain, order=[CheckpointRow.height], ascending=False)
        return [Block(row["height"], row["hash"], row["time"]) for row in rows]

    async def add_checkpoints(self, chain: ChainId, blocks: Sequence[Block]) -> None:
        rows = {block.height: {"chain": chain, "height": block.height, "hash": block.hash, "time": block.time} for block in blocks}
        await self._upsert(CheckpointRow, list(rows.values()), [CheckpointRow.chain, CheckpointRow.height])

    async def cut_checkpoints(self, chain: ChainId, above: int) -> None:
        await self._raw("DELETE FROM pepay_checkpoint WHERE chain = {} AND height > {}", chain, above)

    async def thin_checkpoints(self, chain: ChainId, after: int, until: int, step: int) -> None:
        sql = "DELETE FROM pepay_checkpoint WHERE chain = {} AND height > {} AND height <= {} AND height % {} <> 0"
        await self._raw(sql, chain, after, until, step)

    async def coverage(self, chain: ChainId, reaching: int = -1) -> list[Coverage]:
        rows = await self._select(CoverageRow, CoverageRow.chain == chain, CoverageRow.last_block >= reaching, order=[CoverageRow.first_block])
        return [Coverage(row["chain"], row["first_block"], row["last_block"], row["last_hash"], row["covered_until"], row["source"]) for row in rows]

    async def set_coverage(self, chain: ChainId, ranges: Sequence[Coverage], reaching: int) -> None:
        firsts = [each.first for each in ranges]
        kept = f"AND first_block NOT IN ({', '.join('{}' for _ in firsts)})" if firsts else ""
        await self._raw(f"DELETE FROM pepay_coverage WHERE chain = {{}} AND last_block >= {{}} {kept}", chain, reaching, *firsts)  # noqa: S608
        rows = [
            {
                "chain": each.chain,
                "first_block": each.first,
                "last_block": each.last,
                "last_hash": each.last_hash,
                "covered_until": each.until,
                "source": each.source,
            }
            for each in ranges
        ]
        await self._upsert(CoverageRow, rows, [CoverageRow.chain, CoverageRow.first_block])

    async def cold_balances(self, chain: ChainId, addresses: Collection[str]) -> dict[tuple[Destination, AssetId], tuple[int, int]]:
        rows = await self._of(ColdBalanceRow, ColdBalanceRow.address, addresses)
        return {
            (Destination(Address(row["address"]), row["reference"] or None), AssetId(row["asset"])): (row["units"], row["height"])
            for row in rows
            if row["chain"] == chain
        }

    async def set_cold_balances(self, chain: ChainId, height: int, balances: Mapping[tuple[Destination, AssetId], int]) -> None:
        places = [(each.address, each.reference or "", asset) for (each, asset), units in balances.items() if not units]
        for place in places:
            await self._raw("DELETE FROM pepay_cold_balance WHERE chain = {} AND address = {} AND reference = {} AND asset = {}", chain, *place)
        rows = [
            {"chain": chain, "address": each.address, "reference": each.reference or "", "asset": asset, "units": units, "height": height}
            for (each, asset), units in balances.items()
            if units
        ]
        target = [ColdBalanceRow.chain, ColdBalanceRow.address, ColdBalanceRow.reference, ColdBalanceRow.asset]
        for start in range(0, len(rows), 100):
            await self._upsert(ColdBalanceRow, rows[start : start + 100], target)

    async def state(self, chain: ChainId) -> ChainState | None:
        row = await self._find(ChainStateRow, chain)
        if row is None:
            return None
        return ChainState(
            row["chain"],
            ChainHealth(row["health"]),
            row["reason"],
            row["tip"],
            row["tip_time"],
            row["checked_at"],
            row["pace"],
            from_sources(row["sources"]),
        )

    async def save_state(self, state: ChainState) -> None:
        row = {
            "chain": state.chain,
            "health": state.health.value,
            "reason": state.reason,
            "tip": state.tip,
            "tip_time": state.tip_time,
            "checked_at": state.checked_at,
            "pace": state.pace,
            "sources": to_sources(state.sources),
        }
        await self._upsert(ChainStateRow, [row], [ChainStateRow.chain])


def _first(rows: list[dict[str, Any]]) -> Block | None:
    return Block(rows[0]["height"], rows[0]["hash"], rows[0]["time"]) if rows else None


class RateRepository(Repository):
    """The history of rates."""

    async def record(self, pair: Pair, decision: AgreedRate | NoRate, at: datetime) -> None:
        agreed = isinstance(decision, AgreedRate)
        row = {
            "base": pair.base,
            "quote": pair.quote,
            "agreed_at": at,
            "value": to_amount(decision.value) if agreed else None,
            "reason": None if agreed else decision.reason,
            "evidence": to_evidence(decision.evidence),
        }
        await self._insert(RateRow, row)

    async def history(self, pair: Pair, start: datetime, end: datetime, limit: int) -> list[RateRecord]:
        """Return records from ``start`` to ``end``, both included, newest first."""
        where = [RateRow.base == pair.base, RateRow.quote == pair.quote, RateRow.agreed_at >= start, RateRow.agreed_at <= end]
        rows = await self._select(RateRow, *where, order=[RateRow.agreed_at, RateRow.seq], ascending=False, limit=limit)
        return [RateRecord(row["agreed_at"], from_amount(row["value"]), row["reason"], from_evidence(row["evidence"])) for row in rows]
