"""The indexes of replays."""

# ruff: noqa: D103 - a frozen picture needs no words

from __future__ import annotations

from typing import Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-27T05:00:01:000000"
VERSION = "1.38.0"
DESCRIPTION = "The indexes of replays"

INDEXES: Final = (
    "CREATE INDEX pepay_replay_by_endpoint ON pepay_replay (endpoint, id)",
    "CREATE UNIQUE INDEX pepay_replay_running ON pepay_replay (endpoint) WHERE state = 'running'",
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
