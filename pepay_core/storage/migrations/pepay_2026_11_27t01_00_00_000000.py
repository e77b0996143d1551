"""The merchants' logos."""

# ruff: noqa: D103 - frozen pictures of tables need no words

from __future__ import annotations

from typing import Any, Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import Bytea, Text

from pepay_core.storage.columns import Id

ID = "2026-11-27T01:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "The merchants' logos"

LOGO: Final[dict[str, tuple[type[Any], dict[str, Any]]]] = {
    "id": (Id, {"primary_key": True}),
    "media_type": (Text, {}),
    "data": (Bytea, {}),
}


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)
    manager.add_table("LogoRow", "pepay_logo")
    for column, (kind, params) in LOGO.items():
        manager.add_column(table_class_name="LogoRow", tablename="pepay_logo", column_name=column, column_class=kind, params=params)
    return manager
