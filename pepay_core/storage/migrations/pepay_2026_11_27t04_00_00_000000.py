"""A sealed place for what receivers of webhooks answer."""

# ruff: noqa: D103 - frozen pictures of tables need no words

from __future__ import annotations

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import Bytea

ID = "2026-11-27T04:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "A sealed place for what receivers of webhooks answer"


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)
    manager.add_column(
        table_class_name="AttemptRow",
        tablename="pepay_attempt",
        column_name="answer",
        column_class=Bytea,
        params={"default": None, "null": True},
    )
    return manager
