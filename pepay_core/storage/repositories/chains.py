"""What watchers remember of their chains, and what was paid for coins."""

# ruff: noqa: D102 - the ports say what the methods do

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.domain.chains import Block
from pepay_core.domain.coverage import ChainHealth, ChainState, Coverage
from pepay_core.domain.rates import AgreedRate, NoRate, Pair
from pepay_core.services.records import RateRecord
from pepay_core.storage.codecs import from_amount, from_evidence, to_amount, to_evidence
from pepay_core.storage.repositories.rows import Repository
from pepay_core.storage.tables import ChainStateRow, CheckpointRow, CoverageRow, RateRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from pepay_core.domain.assets import ChainId


class ChainRepository(Repository):
    """Checkpoints, coverage and health per chain. A checkpoint at a height that has one takes its place."""

    async def checkpoints(self, chain: ChainId) -> list[Block]:
        rows = await self._select(CheckpointRow, CheckpointRow.chain == chain, order=[CheckpointRow.height], ascending=False)
        return [Block(row["height"], row["hash"], row["time"]) for row in rows]

    async def add_checkpoints(self, chain: ChainId, blocks: Sequence[Block]) -> None:
        rows = {block.height: {"chain": chain, "height": block.height, "hash": block.hash, "time": block.time} for block in blocks}
        await self._upsert(CheckpointRow, list(rows.values()), [CheckpointRow.chain, CheckpointRow.height])

    async def drop_checkpoints(self, chain: ChainId, heights: Collection[int]) -> None:
        if heights:
            places = ", ".join("{}" for _ in heights)
            await self._raw(f"DELETE FROM pepay_checkpoint WHERE chain = {{}} AND height IN ({places})", chain, *heights)  # noqa: S608

    async def coverage(self, chain: ChainId) -> list[Coverage]:
        rows = await self._select(CoverageRow, CoverageRow.chain == chain, order=[CoverageRow.first_block])
        return [Coverage(row["chain"], row["first_block"], row["last_block"], row["last_hash"], row["covered_until"]) for row in rows]

    async def set_coverage(self, coverage: Coverage) -> None:
        row = {
            "chain": coverage.chain,
            "first_block": coverage.first,
            "last_block": coverage.last,
            "last_hash": coverage.last_hash,
            "covered_until": coverage.until,
        }
        await self._upsert(CoverageRow, [row], [CoverageRow.chain, CoverageRow.first_block])

    async def state(self, chain: ChainId) -> ChainState | None:
        row = await self._find(ChainStateRow, chain)
        if row is None:
            return None
        return ChainState(row["chain"], ChainHealth(row["health"]), row["reason"], row["tip"], row["tip_time"], row["checked_at"])

    async def save_state(self, state: ChainState) -> None:
        row = {
            "chain": state.chain,
            "health": state.health.value,
            "reason": state.reason,
            "tip": state.tip,
            "tip_time": state.tip_time,
            "checked_at": state.checked_at,
        }
        await self._upsert(ChainStateRow, [row], [ChainStateRow.chain])


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
