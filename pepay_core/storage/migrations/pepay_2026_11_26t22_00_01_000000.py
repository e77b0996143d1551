"""The index of the audit log, and its head: the row at which writers wait for each other."""

# ruff: noqa: D103 - a frozen picture needs no words

from __future__ import annotations

from typing import Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-26T22:00:01:000000"
VERSION = "1.38.0"
DESCRIPTION = "The index of the audit log, and its head"

STATEMENTS: Final = (
    "CREATE INDEX pepay_audit_by_merchant ON pepay_audit (merchant, seq)",
    "INSERT INTO pepay_audit_head (name, sealed) VALUES ('head', NULL)",
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
