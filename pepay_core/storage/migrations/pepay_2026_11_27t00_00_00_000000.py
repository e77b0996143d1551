"""What is to be delivered, endpoint by endpoint."""

# ruff: noqa: D103 - as the first migration

from __future__ import annotations

from typing import Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-27T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "What is to be delivered, endpoint by endpoint"

STATEMENTS: Final = (
    "CREATE INDEX pepay_delivery_queue ON pepay_delivery (endpoint, next_at, id) WHERE state = 'pending'",
    "CREATE INDEX pepay_delivery_leased ON pepay_delivery (endpoint, leased_until) WHERE state = 'pending' AND leased_until IS NOT NULL",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)

    async def run() -> None:
        engine = engine_finder()
        assert engine is not None
        for statement in STATEMENTS:
            await engine.run_ddl(statement)

    manager.add_raw(run)
    return manager
