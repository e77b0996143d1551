"""What was taken of each allowance, on PostgreSQL, where several processes count together."""

# ruff: noqa: D103 - as the first migration

from __future__ import annotations

from typing import Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-26T21:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "What was taken of each allowance, on PostgreSQL"

POSTGRES: Final = (
    "CREATE UNLOGGED TABLE pepay_allowance (bucket BYTEA PRIMARY KEY, slice BIGINT NOT NULL, taken INTEGER[] NOT NULL) WITH (fillfactor = 50)",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)

    async def run() -> None:
        engine = engine_finder()
        assert engine is not None
        for statement in POSTGRES if engine.engine_type == "postgres" else ():
            await engine.run_ddl(statement)

    manager.add_raw(run)
    return manager
