"""The index of letters that are due."""

# ruff: noqa: D103 - as the first migration

from __future__ import annotations

from typing import Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-26T23:00:01:000000"
VERSION = "1.38.0"
DESCRIPTION = "The index of letters that are due"

STATEMENTS: Final = ("CREATE INDEX pepay_mail_due ON pepay_mail (next_at, id) WHERE state = 'pending'",)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)

    async def run() -> None:
        engine = engine_finder()
        assert engine is not None
        for statement in STATEMENTS:
            await engine.run_ddl(statement)

    manager.add_raw(run)
    return manager
