"""From when an API key is valid, and who made it."""

# ruff: noqa: D103 - frozen pictures of tables need no words

from __future__ import annotations

from typing import Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import Text, Timestamptz

ID = "2026-11-26T23:01:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "From when an API key is valid, and who made it"

_MAYBE: Final = {"default": None, "null": True}


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)
    for column, kind in (("not_before", Timestamptz), ("made_by", Text)):
        manager.add_column(table_class_name="KeyRow", tablename="pepay_key", column_name=column, column_class=kind, params=_MAYBE)
    return manager
