"""What was taken of each allowance, counted by PostgreSQL: one statement decides, by the time of the database, for all processes together."""

# ruff: noqa: S608 - statements are put together from numbers and pieces of this module

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from pepay_core.services.allowing import SLICE_MS, SLICES, Count, counted
from pepay_core.storage.sessions import TryAgain

if TYPE_CHECKING:
    from pepay_core.storage.postgres import PgDatabase

TABLE: Final = """
CREATE UNLOGGED TABLE pepay_allowance (bucket BYTEA PRIMARY KEY, slice BIGINT NOT NULL, taken INTEGER[] NOT NULL) WITH (fillfactor = 50)
"""
"""Lost in a crash, and nothing is lost by that; so it costs no waiting for disks."""

_NOW: Final = "(EXTRACT(EPOCH FROM statement_timestamp()) * 1000)::bigint"
_SLICE: Final = f"({_NOW} / {SLICE_MS})"
_EMPTY: Final = f"array_fill(0, ARRAY[{SLICES}])"
# What was taken in the slices up to the newer one of this and the stored one: another process's clock is this one's, but its statement may be later.
_GONE: Final = f"LEAST(GREATEST({_SLICE} - a.slice, 0), {SLICES})::int"
_MOVED: Final = f"(a.taken || {_EMPTY})[{_GONE} + 1 : {_GONE} + {SLICES}]"

_TAKE: Final = f"""
WITH taking AS (
    INSERT INTO pepay_allowance AS a (bucket, slice, taken)
    SELECT $1, {_SLICE}, array_fill(0, ARRAY[{SLICES - 1}]) || 1
    ON CONFLICT (bucket) DO UPDATE SET
        slice = GREATEST(a.slice, excluded.slice),
        taken = ({_MOVED})[1 : {SLICES - 1}] || (({_MOVED})[{SLICES}] + 1)
    WHERE (SELECT sum(n) FROM unnest({_MOVED}) AS n) < $2
    RETURNING slice, taken
)
SELECT true AS granted, slice, taken, {_NOW} AS now FROM taking
UNION ALL
SELECT false, GREATEST(a.slice, {_SLICE}), {_MOVED}, {_NOW} FROM pepay_allowance AS a WHERE a.bucket = $1 AND NOT EXISTS (SELECT 1 FROM taking)
"""
_SWEEP: Final = f"""
DELETE FROM pepay_allowance WHERE bucket IN (SELECT bucket FROM pepay_allowance WHERE slice < {_SLICE} - {SLICES} LIMIT 10000 FOR UPDATE SKIP LOCKED)
"""
_SWEEP_EVERY: Final = 60_000


class SharedCounts:
    """Counts that all processes share. Buckets are kept by a digest of their name, and for a minute or two."""

    def __init__(self, database: PgDatabase) -> None:
        self._database = database
        self._swept: int | None = None

    async def take(self, bucket: str, limit: int) -> Count:
        """Take one, or be told when to ask again; raises StorageUnavailable."""
        digest = hashlib.sha256(bucket.encode()).digest()[:16]
        try:
            rows = await self._database.alone(_TAKE, (digest, limit))
        except TryAgain:
            # Of a connection that was lost nobody knows whether it took one: at worst, one too many is counted.
            rows = await self._database.alone(_TAKE, (digest, limit))
        if not rows:
            # Made and filled up by others since this statement began.
            return Count(granted=False, used=limit, more_in=SLICE_MS)
        now = int(rows[0]["now"])
        await self._sweep(now)
        return counted(rows[0]["taken"], now - rows[0]["slice"] * SLICE_MS, limit, granted=rows[0]["granted"])

    async def _sweep(self, now: int) -> None:
        if self._swept is not None and now - self._swept < _SWEEP_EVERY:
            return
        self._swept = now
        await self._database.alone(_SWEEP, ())
