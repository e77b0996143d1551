"""The index of cold balances, and the order of destinations on PostgreSQL."""

# ruff: noqa: D103 - frozen pictures of tables need no words

from __future__ import annotations

from typing import Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-26T11:00:01:000000"
VERSION = "1.38.0"
DESCRIPTION = "The index of cold balances, and the order of destinations on PostgreSQL"

INDEXES: Final = ("CREATE UNIQUE INDEX pepay_cold_balance_place ON pepay_cold_balance (chain, address, reference, asset)",)

POSTGRES: Final = (
    # The transaction that issued the destination: whoever reads on from the oldest one that was still open misses none.
    "ALTER TABLE pepay_destination ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()",
    "CREATE INDEX pepay_destination_xid ON pepay_destination (xid)",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)

    async def run() -> None:
        engine = engine_finder()
        assert engine is not None
        for statement in (*INDEXES, *(POSTGRES if engine.engine_type == "postgres" else ())):
            await engine.run_ddl(statement)

    manager.add_raw(run)
    return manager
