"""The indexes of refunds."""

# ruff: noqa: D103 - a frozen picture needs no words

from __future__ import annotations

from typing import Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-27T03:00:01:000000"
VERSION = "1.38.0"
DESCRIPTION = "The indexes of refunds"

INDEXES: Final = (
    "CREATE INDEX pepay_refund_by_merchant ON pepay_refund (merchant, livemode, id)",
    "CREATE INDEX pepay_refund_by_invoice ON pepay_refund (invoice)",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)

    async def run() -> None:
        engine = engine_finder()
        assert engine is not None
        for statement in INDEXES:
            await engine.run_ddl(statement)

    manager.add_raw(run)
    return manager
