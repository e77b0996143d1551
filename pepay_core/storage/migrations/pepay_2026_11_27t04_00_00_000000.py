"""Sealed places for where webhooks go and what is answered there."""

# ruff: noqa: D103 - frozen pictures of tables need no words

from __future__ import annotations

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import Bytea

ID = "2026-11-27T04:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Sealed places for where webhooks go and what is answered there"


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)
    for table, name, column in (("AttemptRow", "pepay_attempt", "answer"), ("EndpointRow", "pepay_endpoint", "target")):
        manager.add_column(
            table_class_name=table,
            tablename=name,
            column_name=column,
            column_class=Bytea,
            params={"default": None, "null": True},
        )
    return manager
