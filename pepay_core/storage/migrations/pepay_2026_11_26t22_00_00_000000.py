"""The audit log."""

# ruff: noqa: D103 - frozen pictures of tables need no words

from __future__ import annotations

from typing import Any, Final

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import BigInt, Bytea, Text

from pepay_core.storage.columns import Id

ID = "2026-11-26T22:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "The audit log"

_Column = tuple[type[Any], dict[str, Any]]
_MAYBE: Final = {"default": None, "null": True}

AUDIT: Final[dict[str, _Column]] = {
    "seq": (BigInt, {"primary_key": True}),
    "id": (Id, {"unique": True}),
    "at": (BigInt, {}),
    "actor_kind": (Text, {}),
    "actor": (Text, {}),
    "merchant": (Text, _MAYBE),
    "environment": (Text, _MAYBE),
    "action": (Text, {}),
    "subject": (Text, {}),
    "details": (Bytea, {}),
    "mac": (Bytea, {}),
}

HEAD: Final[dict[str, _Column]] = {
    "name": (Text, {"primary_key": True}),
    "sealed": (Bytea, _MAYBE),
}


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pepay", description=DESCRIPTION)
    for name, tablename, columns in (("AuditRow", "pepay_audit", AUDIT), ("AuditHeadRow", "pepay_audit_head", HEAD)):
        manager.add_table(name, tablename)
        for column, (kind, params) in columns.items():
            manager.add_column(table_class_name=name, tablename=tablename, column_name=column, column_class=kind, params=params)
    return manager
